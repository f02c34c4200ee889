package houserules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/bbebcec1/amqprpc-go/"
	root   = "../../../.."
	driver = "github.com/rabbitmq/amqp091-go"
)

// file is a non-test Go file of the project.
type file struct {
	name    string // path from the root
	syntax  *ast.File
	set     *token.FileSet
	lines   int
	code    int      // lines that are neither blank nor comments
	imports []string // packages of the project and the driver
}

func (f *file) dir() string { return path.Dir(f.name) }

// files returns all non-test Go files of the project.
func files(t *testing.T) []*file {
	t.Helper()
	var all []*file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != root):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f := &file{set: token.NewFileSet()}
		if f.syntax, err = parser.ParseFile(f.set, name, nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		f.name, f.lines, f.code = filepath.ToSlash(rel), f.set.File(f.syntax.FileStart).LineCount(), codeLines(t, name)
		for _, i := range f.syntax.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			if own, ok := strings.CutPrefix(p, module); ok {
				f.imports = append(f.imports, own)
			} else if p == driver {
				f.imports = append(f.imports, p)
			}
		}
		all = append(all, f)
		return err
	})
	require.NoError(t, err)
	require.Greater(t, len(all), 200)
	return all
}

// arrows lists the packages of the project, and the driver, that each package may import.
var arrows = map[string][]string{
	"amqprpc":                    {"codec", "compress", "amqprpc/describe", "amqprpc/internal/messaging", "amqprpc/internal/protocol", "amqprpc/internal/overload", "amqprpc/internal/flow"},
	"amqprpc/describe":           nil,
	"amqprpc/discovery":          {"amqprpc", "amqprpc/describe", "codec"},
	"amqprpc/internal/messaging": {"amqprpc/internal/transport", "amqprpc/internal/protocol"},
	"amqprpc/internal/protocol":  {"amqprpc/internal/frame"},
	"amqprpc/internal/transport": {"amqprpc/internal/frame", driver},
	"amqprpc/internal/overload":  nil,
	"amqprpc/internal/flow":      nil,
	"amqprpc/internal/frame":     nil,
	"amqprpc/amqptest":           {"amqprpc/internal/frame"},
	"codec":                      nil,
	"compress":                   nil,
	"middleware":                 {"amqprpc", "codec"},
	"middleware/idempotency":     {"amqprpc", "codec"},
}

// exceptions lists files that may import more, each with its reason.
var exceptions = map[string][]string{
	// Request.Delivery converts the wire's tables to the driver's type.
	"amqprpc/delivery.go": {"amqprpc/internal/frame", driver},
}

// Packages import only packages of lower layers.
func TestArrows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	excepted := map[string]bool{}
	for _, f := range files(t) {
		allowed, ruled := arrows[f.dir()]
		if !ruled {
			if strings.HasPrefix(f.dir(), "amqprpc/internal/") && !strings.HasPrefix(f.dir(), "amqprpc/internal/testing/") {
				t.Errorf("%s is of a package without a rule", f.name)
			}
			continue
		}
		seen[f.dir()] = true
		for _, i := range f.imports {
			switch {
			case slices.Contains(allowed, i):
			case slices.Contains(exceptions[f.name], i):
				excepted[f.name+" "+i] = true
			default:
				t.Errorf("%s imports %s; %s may import %v", f.name, i, f.dir(), allowed)
			}
		}
	}
	for dir := range arrows {
		require.True(t, seen[dir], "there is no package %s", dir)
	}
	for name, imports := range exceptions {
		for _, i := range imports {
			require.True(t, excepted[name+" "+i], "%s needs no exception for %s any more", name, i)
		}
	}
}

// spellsHeaders lists the packages that may spell header names, because they use the wire
// like another language does.
var spellsHeaders = []string{
	"amqprpc/internal/protocol",
	"benchmarks/internal/contender", // calls written by hand, for comparison
}

// One package spells the names of the protocol's headers.
func TestHeaderNames(t *testing.T) {
	t.Parallel()
	spelt := map[string]bool{}
	for _, f := range files(t) {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, _ := strconv.Unquote(lit.Value); strings.HasPrefix(text, "rpc-") {
				spelt[f.dir()] = true
				if !slices.Contains(spellsHeaders, f.dir()) {
					t.Errorf("%s spells the header name %s", f.set.Position(lit.Pos()), lit.Value)
				}
			}
			return true
		})
	}
	require.True(t, spelt["amqprpc/internal/protocol"])
}

const (
	fileMost     = 450
	functionMost = 60
)

// longFunctions lists exceptions, each with its reason.
var longFunctions = map[string]string{
	"amqprpc/internal/frame/registry.go newMethod": "one switch with two lines for each method of AMQP",
	"amqprpc/internal/frame/registry.go String":    "one switch with two lines for each method of AMQP",
}

// Every file is short enough to read, and every function fits on a screen.
func TestLength(t *testing.T) {
	t.Parallel()
	functions := map[string]bool{}
	for _, f := range files(t) {
		if f.lines > fileMost {
			t.Errorf("%s has %d lines; the limit is %d", f.name, f.lines, fileMost)
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			if n <= functionMost {
				continue
			}
			name := f.name + " " + fn.Name.Name
			functions[name] = true
			if longFunctions[name] == "" {
				t.Errorf("%s: %s has %d lines; the limit is %d", f.name, fn.Name.Name, n, functionMost)
			}
		}
	}
	for name := range longFunctions {
		require.True(t, functions[name], "%s needs no exception any more", name)
	}
}

// codeLines counts the lines of a file that are neither blank nor comments.
func codeLines(t *testing.T, path string) (n int) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}
