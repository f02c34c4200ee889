package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// block is a fenced code block of a page.
type block struct {
	page string
	line int // of its first line of code
	lang string
	text string
}

// blocks returns the fenced code blocks of a page.
func blocks(page string, text []byte) []block {
	var all []block
	var open *block
	n := 0
	for line := range bytes.Lines(text) {
		n++
		fence, isFence := strings.CutPrefix(strings.TrimSpace(string(line)), "```")
		switch {
		case isFence && open == nil:
			open = &block{page: page, line: n + 1, lang: fence}
		case isFence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += string(line)
		}
	}
	return all
}

// packages are the packages that Go blocks may use without an import, by name.
var packages = map[string]string{
	"bufio":   "bufio",
	"context": "context",
	"errors":  "errors",
	"expvar":  "expvar",
	"fmt":     "fmt",
	"http":    "net/http",
	"io":      "io",
	"iter":    "iter",
	"json":    "encoding/json",
	"log":     "log",
	"os":      "os",
	"signal":  "os/signal",
	"slices":  "slices",
	"slog":    "log/slog",
	"strings": "strings",
	"syscall": "syscall",
	"testing": "testing",
	"time":    "time",
	"atomic":  "sync/atomic",
	"tls":     "crypto/tls",

	"synctest": "testing/synctest",

	"amqp":        "github.com/rabbitmq/amqp091-go",
	"amqprpc":     "github.com/bbebcec1/amqprpc-go/amqprpc",
	"amqptest":    "github.com/bbebcec1/amqprpc-go/amqprpc/amqptest",
	"rpctest":     "github.com/bbebcec1/amqprpc-go/amqprpc/rpctest",
	"codec":       "github.com/bbebcec1/amqprpc-go/codec",
	"compress":    "github.com/bbebcec1/amqprpc-go/compress",
	"describe":    "github.com/bbebcec1/amqprpc-go/amqprpc/describe",
	"discovery":   "github.com/bbebcec1/amqprpc-go/amqprpc/discovery",
	"middleware":  "github.com/bbebcec1/amqprpc-go/middleware",
	"idempotency": "github.com/bbebcec1/amqprpc-go/middleware/idempotency",
	"require":     "github.com/stretchr/testify/require",
}

// given declares the names that Go blocks may use without a declaration.
const given = `package page

import (
	"context"
	"log/slog"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

var (
	ctx    context.Context
	url    string
	logger *slog.Logger
	srv    *amqprpc.Server
	cli    *amqprpc.Client

	// ledger stands for a database that remembers what was done.
	ledger interface {
		Find(id string) (cents int, ok bool)
		Charge(id string, cents int) error
	}
	fib amqprpc.Handler[int, int64]
)
`

// checker type-checks the Go blocks of pages.
type checker struct {
	mu       sync.Mutex
	fset     *token.FileSet
	importer types.Importer
}

// newChecker finds the compiled packages that blocks may import. It runs once.
var newChecker = sync.OnceValues(func() (*checker, error) {
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}
	for _, path := range packages {
		args = append(args, path)
	}
	cmd := exec.Command("go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = file
	}
	c := &checker{fset: token.NewFileSet()}
	c.importer = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("blocks cannot import %q; add it to packages in blocks_test.go", path)
		}
		return os.Open(exports[path])
	})
	return c, nil
})

// check returns the compiler errors of a page's Go blocks. A block with a package clause is a
// package of its own. All other blocks of a page form one package. Each of these blocks is
// either declarations or a function body. Unused variables and imports are allowed.
func (c *checker) check(all []block) []error {
	c.mu.Lock() // the file set and the importer are not safe for concurrent use
	defer c.mu.Unlock()
	var errs []error
	var page []*ast.File
	for _, b := range all {
		if b.lang != "go" {
			continue
		}
		f, err := c.parse(b)
		switch {
		case err != nil:
			errs = append(errs, err)
		case f.Name.Name == "page":
			page = append(page, f)
		default:
			errs = append(errs, c.types(f)...)
		}
	}
	if len(page) > 0 {
		f, err := parser.ParseFile(c.fset, "given", given, 0)
		if err != nil {
			return append(errs, err)
		}
		errs = append(errs, c.types(append(page, f)...)...)
	}
	return errs
}

// parse parses a block as a file and keeps the block's line numbers.
func (c *checker) parse(b block) (*ast.File, error) {
	place := fmt.Sprintf("//line %s:%d\n", b.page, b.line)
	code := place + b.text
	if _, err := parser.ParseFile(token.NewFileSet(), "", code, parser.PackageClauseOnly); err == nil {
		return parser.ParseFile(c.fset, b.page, code, 0)
	}
	file := func(imports string) (*ast.File, error) {
		head := "package page\n" + imports
		f, err := parser.ParseFile(token.NewFileSet(), b.page, head+code, 0)
		if err == nil {
			return f, nil
		}
		code = "func _() error {\n" + place + b.text + "\nreturn nil\n}\n"
		return parser.ParseFile(token.NewFileSet(), b.page, head+code, 0)
	}
	f, err := file("")
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(c.fset, b.page, "package page\n"+imports(f)+code, 0)
}

// imports returns the import declarations that f needs.
func imports(f *ast.File) string {
	used := make(map[string]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	var decls strings.Builder
	for name, path := range packages {
		if used[name] {
			fmt.Fprintf(&decls, "import %s %s\n", name, strconv.Quote(path))
		}
	}
	return decls.String()
}

func (c *checker) types(files ...*ast.File) []error {
	var errs []error
	cfg := types.Config{
		Importer: c.importer,
		Error: func(err error) {
			if e, ok := err.(types.Error); ok && e.Soft {
				return
			}
			errs = append(errs, err)
		},
	}
	cfg.Check("page", c.fset, files, nil)
	return errs
}
