package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// chart shows groups of horizontal bars relative to 1.
type chart struct {
	title  string
	unit   string // follows each number
	groups []group
}

type group struct {
	label string
	bars  []barOf
}

// barOf is one bar. low and high are the ends of its whisker; both are 0 without a whisker.
type barOf struct {
	name      string
	value     float64
	low, high float64
}

// The dimensions of a chart in pixels.
const (
	chartWidth  = 720
	labelWidth  = 190
	numberWidth = 70
	barHeight   = 16
	barGap      = 4
	groupGap    = 30
	titleHeight = 34
)

// colours returns the colours of a group's bars in order. Readers with any common kind of
// colour blindness can distinguish them (Okabe and Ito).
func colours() []string {
	return []string{"#999999", "#0072b2", "#56b4e9", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#f0e442"}
}

// colourOf returns the same colour for a name in every group.
func (c *chart) colourOf(name string) string {
	seen := make(map[string]int)
	for _, g := range c.groups {
		for _, b := range g.bars {
			if _, ok := seen[b.name]; !ok {
				seen[b.name] = len(seen)
			}
		}
	}
	all := colours()
	return all[seen[name]%len(all)]
}

// longest returns the value at the right end of the scale.
func (c *chart) longest() float64 {
	most := 1.0
	for _, g := range c.groups {
		for _, b := range g.bars {
			most = max(most, b.value, b.high)
		}
	}
	return most
}

func (c *chart) height() int {
	h := titleHeight
	for _, g := range c.groups {
		h += groupGap + len(g.bars)*(barHeight+barGap)
	}
	return h + barGap
}

// write writes the chart as SVG. The chart has its own background, so it is readable on a
// dark page.
func (c *chart) write(w io.Writer) error {
	var b strings.Builder
	plot := float64(chartWidth - labelWidth - numberWidth)
	scale := plot / c.longest()
	h := c.height()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		chartWidth, h, chartWidth, h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, h)
	text(&b, 12, 22, "start", "15", c.title)
	y := titleHeight
	for _, g := range c.groups {
		text(&b, 12, y+groupGap-10, "start", "12", g.label)
		y += groupGap
		for _, bar := range g.bars {
			width := math.Max(bar.value*scale, 1)
			mid := y + barHeight/2
			text(&b, labelWidth-8, mid+4, "end", "11", bar.name)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", labelWidth, y, width, barHeight, c.colourOf(bar.name))
			end := bar.value
			if bar.high > 0 {
				fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="#222222" stroke-width="1.5"/>`+"\n", labelWidth+bar.low*scale, mid, labelWidth+bar.high*scale)
				end = max(end, bar.high)
			}
			text(&b, labelWidth+int(end*scale)+6, mid+4, "start", "11", number(bar.value)+c.unit)
			y += barHeight + barGap
		}
	}
	fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#222222" stroke-dasharray="3 3"/>`+"\n", labelWidth+scale, titleHeight, h-barGap)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func text(b *strings.Builder, x, y int, anchor, size, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" font-size="%s" fill="#222222">`, x, y, anchor, size)
	// A strings.Builder returns no error.
	_ = xml.EscapeText(b, []byte(s))
	b.WriteString("</text>\n")
}
