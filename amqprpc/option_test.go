package amqprpc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The doc comments of the four option types list exactly the options of each type.
func TestOptionsAreListed(t *testing.T) {
	t.Parallel()
	takes := map[string][]string{ // key: the type that an option's function returns
		"ServerOption": {"ServerOption"}, "HandlerOption": {"HandlerOption"}, "ClientOption": {"ClientOption"}, "CallOption": {"CallOption"},
	}
	docs, options := map[string]string{}, map[string]string{}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				it, ok := n.Type.(*ast.InterfaceType)
				if !ok || !strings.HasSuffix(n.Name.Name, "Option") {
					return false
				}
				docs[n.Name.Name] = n.Doc.Text()
				for _, m := range it.Methods.List {
					if id, ok := m.Type.(*ast.Ident); ok {
						takes[n.Name.Name] = append(takes[n.Name.Name], id.Name)
					}
				}
			case *ast.FuncDecl:
				if n.Recv == nil && strings.HasPrefix(n.Name.Name, "With") {
					id, ok := n.Type.Results.List[0].Type.(*ast.Ident)
					require.True(t, ok, n.Name.Name)
					options[n.Name.Name] = id.Name
				}
				return false
			}
			return true
		})
	}
	require.Greater(t, len(options), 30)
	for _, kind := range []string{"ServerOption", "HandlerOption", "ClientOption", "CallOption"} {
		for name, returns := range options {
			require.Contains(t, takes, returns, name)
			taken := false
			for _, k := range takes[returns] {
				taken = taken || k == kind
			}
			require.Equal(t, taken, strings.Contains(docs[kind], "["+name+"]"), "%s in the doc comment of %s", name, kind)
		}
	}
}
