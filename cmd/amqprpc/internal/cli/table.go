package cli

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// table is text in columns.
type table struct {
	head  []string
	rows  [][]string
	right map[int]bool // columns of numbers
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// lines returns the head and the rows, each behind a prefix.
func (t *table) lines(prefix string) []string {
	widths := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	lines := make([]string, 0, len(all))
	for _, row := range all {
		var b strings.Builder
		b.WriteString(prefix)
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-lipgloss.Width(cell))
			if t.right[i] {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
			if i < len(row)-1 {
				b.WriteString("  ")
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// print writes the table.
func (t *table) print(c *console, prefix string) {
	for i, line := range t.lines(prefix) {
		if i == 0 {
			line = c.bold(line)
		}
		c.printf("%s\n", line)
	}
}
