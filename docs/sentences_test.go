package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// longSentence is how many words make a sentence long.
const longSentence = 30

var (
	htmlComment = regexp.MustCompile(`(?s)<!--.*?-->`)
	codeSpan    = regexp.MustCompile("``?[^`]+``?")
	linkText    = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	listItem    = regexp.MustCompile(`^\s*([-*]|\d+\.) `)
	sentenceEnd = regexp.MustCompile(`[.!?]["”)*]*(\s+|$)`)
)

// sentences are the sentences of a page: code blocks, tables and headings aside. A code
// span is one word.
func sentences(text string) []string {
	var paragraphs []string
	fenced, open := false, false
	for line := range strings.Lines(htmlComment.ReplaceAllString(text, "")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fenced, open = !fenced, false
			continue
		}
		switch {
		case fenced:
		case line == "", strings.HasPrefix(line, "|"), strings.HasPrefix(line, "#"):
			open = false
		case open && !listItem.MatchString(line):
			paragraphs[len(paragraphs)-1] += " " + line
		default:
			paragraphs = append(paragraphs, listItem.ReplaceAllString(line, ""))
			open = true
		}
	}
	var all []string
	for _, p := range paragraphs {
		p = codeSpan.ReplaceAllString(linkText.ReplaceAllString(p, "$1"), "code")
		for _, s := range sentenceEnd.Split(p, -1) {
			if len(strings.Fields(s)) > 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

// Fewer than one sentence in twenty is long, on every page.
func TestSentencesAreShort(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t) {
		all := sentences(string(text))
		var long []string
		for _, s := range all {
			if len(strings.Fields(s)) > longSentence {
				long = append(long, s)
			}
		}
		assert.NotEmpty(t, all, page)
		assert.False(t, len(long) > 0 && 20*len(long) >= len(all), "%s: %d of %d sentences have more than %d words:\n%s",
			page, len(long), len(all), longSentence, strings.Join(long, "\n"))
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	text := "# A title\n\nOne two,\n`three four` [five](x.md). Six!\n\n- a\n  b\n- c\n\n| no | no |\n\n```go\nno.\n```\n<!-- no. -->\n1. d\n"
	assert.Equal(t, []string{"One two, code five", "Six", "a b", "c", "d"}, sentences(text))
}
