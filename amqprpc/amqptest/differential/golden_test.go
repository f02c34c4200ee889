package differential

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
)

// goldens are the recorded transcripts: a directory for each release, a file for each
// group, a section for each scenario. The followed release has all of them, the others
// only those that differ from it.
type goldens struct {
	dir string

	mu   sync.Mutex
	text map[string]map[string]string // by release, then group/scenario
}

const sectionMark = "== "

func loadGoldens(dir string) (*goldens, error) {
	g := &goldens{dir: dir, text: map[string]map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		release := filepath.Base(filepath.Dir(file))
		group := strings.TrimSuffix(filepath.Base(file), ".txt")
		if g.text[release] == nil {
			g.text[release] = map[string]string{}
		}
		for section := range strings.SplitSeq("\n"+string(b), "\n"+sectionMark) {
			if section == "" {
				continue
			}
			name, text, ok := strings.Cut(section, "\n")
			if !ok {
				return nil, fmt.Errorf("%s: a section without text: %q", file, section)
			}
			g.text[release][filepath.Join(group, name)] = strings.TrimRight(text, "\n") + "\n"
		}
	}
	return g, nil
}

// get is what a release has been recorded to do.
func (g *goldens) get(release, group, name string) string {
	if text, ok := g.own(release, group, name); ok {
		return text
	}
	text, _ := g.own(followed, group, name)
	return text
}

// own is the transcript that stands among a release's own, if there is one.
func (g *goldens) own(release, group, name string) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	text, ok := g.text[release][filepath.Join(group, name)]
	return text, ok
}

func (g *goldens) set(release, group, name, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := filepath.Join(group, name)
	if g.text[release] == nil {
		g.text[release] = map[string]string{}
	}
	if release != followed && g.text[followed][key] == text {
		delete(g.text[release], key)
		return
	}
	g.text[release][key] = text
}

func (g *goldens) keys() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var keys []string
	for _, sections := range g.text {
		for key := range sections {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	return slices.Compact(keys)
}

// save writes all files anew.
func (g *goldens) save() error {
	known := map[string]bool{}
	for _, gr := range allScenarios() {
		for _, sc := range gr.scenarios {
			known[filepath.Join(gr.name, sc.name)] = true
		}
	}
	for release, sections := range g.text {
		files := map[string]*strings.Builder{}
		keys := make([]string, 0, len(sections))
		for key := range sections {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			if !known[key] {
				continue
			}
			group, name := filepath.Split(key)
			file := filepath.Join(g.dir, release, filepath.Clean(group)+".txt")
			if files[file] == nil {
				files[file] = &strings.Builder{}
			}
			fmt.Fprintf(files[file], "%s%s\n%s\n", sectionMark, name, sections[key])
		}
		if err := os.RemoveAll(filepath.Join(g.dir, release)); err != nil {
			return err
		}
		if len(files) == 0 {
			continue
		}
		if err := os.MkdirAll(filepath.Join(g.dir, release), 0o755); err != nil {
			return err
		}
		for file, text := range files {
			if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
