package docs_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests in the guide pass. All other declarations of the guide are compiled with these
// tests, in the same package.
func TestTestsOfTheGuide(t *testing.T) {
	t.Parallel()
	var code string
	for _, b := range guideBlocks(t) {
		_, err := parser.ParseFile(token.NewFileSet(), "", "package page\n"+b.text, 0)
		if b.lang == "go" && err == nil { // the block has declarations only, not statements or a program
			code += b.text
		}
	}
	tests := regexp.MustCompile(`(?m)^func Test\w+`).FindAllString(code, -1)
	require.NotEmpty(t, tests)
	f, err := parser.ParseFile(token.NewFileSet(), "", "package page\n"+code, 0)
	require.NoError(t, err)

	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		return file
	}
	page, err := filepath.Abs("page")
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(page, "given_test.go"): write("given_test.go", []byte(given)),
		filepath.Join(page, "page_test.go"):  write("page_test.go", []byte("package page\n"+imports(f)+code)),
	}})
	require.NoError(t, err)
	exe := filepath.Join(dir, "page.test")
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-o", exe, "-overlay", write("overlay.json", overlay), "./page").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.Command(exe, "-test.v").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, test := range tests {
		require.Contains(t, string(out), "--- PASS: "+test[len("func "):])
	}
}
