// Package docs_test checks the documentation against the code.
package docs_test

import (
	"bytes"
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages returns the pages of the repository's root, docs, guide, benchmarks and examples, by
// path.
func pages(t *testing.T) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, pattern := range []string{"../*.md", "*.md", "guide/*.md", "../benchmarks/*.md", "../examples/*/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			path, err := filepath.Rel("..", filepath.Join("../docs", file))
			require.NoError(t, err)
			all[filepath.ToSlash(path)] = text
		}
	}
	return all
}

// guide is the folder whose pages share their declarations.
const guide = "docs/guide"

// guideBlocks are the blocks of all the guide's pages.
func guideBlocks(t *testing.T) []block {
	t.Helper()
	var all []block
	texts := pages(t)
	for _, page := range slices.Sorted(maps.Keys(texts)) {
		if filepath.Dir(page) == guide {
			all = append(all, blocks(page, texts[page])...)
		}
	}
	return all
}

// Every Go block compiles.
func TestGoBlocks(t *testing.T) {
	t.Parallel()
	c, err := newChecker()
	require.NoError(t, err)
	groups := map[string][]block{guide: guideBlocks(t)}
	for page, text := range pages(t) {
		if filepath.Dir(page) != guide {
			groups[page] = blocks(page, text)
		}
	}
	n := make(map[string]int)
	for _, all := range groups {
		for _, b := range all {
			if b.lang == "go" {
				n[b.page]++
			}
		}
		for _, err := range c.check(all) {
			t.Error(err)
		}
	}
	for _, page := range []string{"README.md", "getting-started.md", "testing.md", "errors.md", "deadlines-and-cancellation.md", "streams.md", "middleware.md", "resilience.md", "retries-and-idempotency.md", "observability.md", "health-and-operations.md", "security.md", "codecs.md", "compression.md", "discovery.md", "migrating.md"} {
		if page != "README.md" {
			page = guide + "/" + page
		}
		assert.NotZero(t, n[page], "no Go in %s", page)
	}
}

// A block of code that needs a nested module names a file of that module, where it is
// compiled: "```go path". The file contains the block.
func TestGoBlocksOfModules(t *testing.T) {
	t.Parallel()
	n := 0
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			file, ok := strings.CutPrefix(b.lang, "go ")
			if !ok {
				continue
			}
			n++
			code, err := os.ReadFile(filepath.Join("..", file))
			if assert.NoError(t, err, "%s:%d", page, b.line) {
				assert.Contains(t, unindented(string(code)), unindented(b.text), "%s:%d: not in %s", page, b.line, file)
			}
		}
	}
	assert.NotZero(t, n)
}

// unindented returns lines without the white space before them.
func unindented(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimLeft(line, " \t"))
	}
	return lines.String()
}

// The guide's index lists every page of the guide.
func TestIndexOfTheGuide(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for page := range all {
		if name := filepath.Base(page); filepath.Dir(page) == guide && name != "README.md" {
			assert.Contains(t, string(all[guide+"/README.md"]), "]("+name+")")
		}
	}
}

// Every Go block has the format of gofmt.
func TestGoBlocksFormatted(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			if b.lang != "go" {
				continue
			}
			formatted, err := format.Source([]byte(b.text))
			if assert.NoError(t, err, "%s:%d", page, b.line) {
				assert.Equal(t, string(formatted), b.text, "%s:%d", page, b.line)
			}
		}
	}
}

// The check reports errors with their places.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, err string }{
		{name: "statements", text: "x\n```go\ncli, err := amqprpc.Dial(ctx, url)\nif err != nil {\n\treturn err\n}\n```\n"},
		{name: "declarations", text: "```go\ntype Order struct{ N int }\n```\ntext\n```go\no := Order{N: 1}\n```\n"},
		{name: "a program", text: "```go\npackage main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n```\n"},
		{name: "other languages", text: "```sh\ngo run .\n```\n"},
		{name: "syntax", text: "1\n\n```go\nx := := 1\n```\n", err: "page.md:4: "},
		{name: "types", text: "1\n\n```go\n\nvar s string = srv\n```\n", err: "page.md:5: cannot use srv"},
		{name: "types in statements", text: "1\n```go\nx := 1\nx = \"s\"\n```\n", err: "page.md:4: cannot use \"s\""},
		{name: "unknown name", text: "```go\n_ = amqprpc.NoSuchThing\n```\n", err: "page.md:2: undefined: amqprpc.NoSuchThing"},
		{name: "types in a program", text: "```go\npackage main\n\nfunc main() { x() }\n```\n", err: "page.md:4: undefined: x"},
		{name: "unknown import", text: "```go\npackage main\n\nimport _ \"no/such/package\"\n```\n", err: "cannot import"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := newChecker()
			require.NoError(t, err)
			errs := c.check(blocks("page.md", []byte(tt.text)))
			if tt.err == "" {
				require.Empty(t, errs)
				return
			}
			require.NotEmpty(t, errs)
			require.Contains(t, errs[0].Error(), tt.err)
		})
	}
}

var (
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	path    = regexp.MustCompile(`(?:^|\s)(\./[\w./-]+)`)

	changeDir = regexp.MustCompile(`^cd ([\w./-]+)`)
)

// anchors returns the fragments of a page's headings.
func anchors(text []byte) map[string]bool {
	all := make(map[string]bool)
	for _, h := range heading.FindAllSubmatch(text, -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			default:
				return -1
			}
		}, string(h[1]))
		all[slug] = true
	}
	return all
}

// Every link within the repository has a target.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for page, text := range all {
		for _, b := range blocks(page, text) {
			text = bytes.Replace(text, []byte(b.text), nil, 1)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target := string(m[1])
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := page
			if file != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
				_, err := os.Stat(filepath.Join("..", to))
				assert.NoError(t, err, "%s: link %s", page, target)
			}
			if anchor != "" {
				assert.True(t, anchors(all[to])[anchor], "%s: link %s: no such heading", page, target)
			}
		}
	}
}

// The directories in shell blocks exist.
func TestCommands(t *testing.T) {
	t.Parallel()
	n := 0
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			if b.lang != "sh" {
				continue
			}
			dir := ".."
			for line := range strings.Lines(b.text) {
				if m := changeDir.FindStringSubmatch(line); m != nil {
					dir = filepath.Join(dir, m[1])
				}
				for _, m := range path.FindAllStringSubmatch(line, -1) {
					n++
					_, err := os.Stat(filepath.Join(dir, strings.TrimSuffix(m[1], "...")))
					assert.NoError(t, err, "%s:%d: %s", page, b.line, m[1])
				}
			}
		}
	}
	assert.NotZero(t, n)
}

var testName = regexp.MustCompile("`(Test[A-Za-z]+)`")

// The tests that a page names exist.
func TestNamedTests(t *testing.T) {
	t.Parallel()
	there := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(file string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	require.NoError(t, err)
	n := 0
	for page, text := range pages(t) {
		for _, m := range testName.FindAllSubmatch(text, -1) {
			n++
			assert.True(t, there[string(m[1])], "%s: there is no test %s", page, m[1])
		}
	}
	assert.NotZero(t, n)
}

var (
	declaredOption = regexp.MustCompile(`(?m)^func (With\w+)\(`)
	listedOption   = regexp.MustCompile("(?m)^\\| `(With\\w+)` \\| ")
	importPath     = regexp.MustCompile(`"((?:github\.com/(?:cenkalti|google|hashicorp|rabbitmq|vmihailenco)|golang\.org/x)/[\w-]+)`)
)

// The options page lists every option once.
func TestOptionsOfThePage(t *testing.T) {
	t.Parallel()
	var declared, listed []string
	files, err := filepath.Glob("../amqprpc/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range declaredOption.FindAllSubmatch(text, -1) {
			declared = append(declared, string(m[1]))
		}
	}
	_, tables, found := strings.Cut(string(pages(t)[guide+"/options.md"]), "## All options")
	require.True(t, found)
	for _, m := range listedOption.FindAllStringSubmatch(tables, -1) {
		listed = append(listed, m[1])
	}
	assert.NotEmpty(t, declared)
	assert.ElementsMatch(t, declared, listed)
}

// The dependencies page says who imports what.
func TestDependenciesOfThePage(t *testing.T) {
	t.Parallel()
	importers := make(map[string]map[string]bool)
	for _, root := range []string{"amqprpc", "codec", "middleware"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(file string, entry os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				if entry != nil && entry.IsDir() && (entry.Name() == "redisstore" || entry.Name() == "breaker" || entry.Name() == "testing" || entry.Name() == "amqptest") {
					return filepath.SkipDir // modules of their own; for tests
				}
				return err
			}
			text, err := os.ReadFile(file)
			for _, m := range importPath.FindAllSubmatch(text, -1) {
				path := string(m[1])
				if importers[path] == nil {
					importers[path] = make(map[string]bool)
				}
				importers[path][root] = true
			}
			return err
		})
		require.NoError(t, err)
	}
	row := regexp.MustCompile("(?m)^\\| \\[[\\w./-]+\\]\\(https://([\\w./-]+)\\) \\| (`[^|]+) \\|")
	listed := make(map[string][]string)
	for _, m := range row.FindAllStringSubmatch(string(pages(t)[guide+"/dependencies.md"]), -1) {
		for _, who := range strings.Split(m[2], ", ") {
			root, _, _ := strings.Cut(strings.Trim(who, "`"), "/")
			listed[m[1]] = append(listed[m[1]], root)
		}
	}
	assert.NotEmpty(t, importers)
	for path, roots := range importers {
		assert.ElementsMatch(t, slices.Collect(maps.Keys(roots)), listed[path], path)
	}
	assert.Len(t, listed, len(importers))
}
