package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/top"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

// topScreen is the screen of top.
type topScreen struct {
	ctx       context.Context
	watch     *watch
	interval  time.Duration
	sort      string
	instances bool
	paused    bool
	colour    bool
	width     int
	height    int
	rows      []top.Row // one for each method of each server
	answered  time.Time // when rows came
	trouble   error     // of the last question
	err       error     // that ends the program
	scroll    int
}

// answerMsg is the answer to a question; tickMsg asks for the next one.
type (
	answerMsg struct {
		rows []top.Row
		err  error
	}
	tickMsg struct{}
)

// discard is an output that nobody reads.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Init asks the first question.
func (s *topScreen) Init() tea.Cmd { return s.ask }

func (s *topScreen) ask() tea.Msg {
	ctx, stop := context.WithTimeout(s.ctx, 30*time.Second)
	defer stop()
	rows, err := s.watch.next(ctx)
	return answerMsg{rows, err}
}

// Update takes an answer, a key or a new size of the window.
func (s *topScreen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = max(msg.Width, 1), max(msg.Height, 1)
	case answerMsg:
		if s.trouble = msg.err; msg.err == nil {
			s.rows, s.answered = msg.rows, time.Now()
		}
		return s, tea.Tick(s.interval, func(time.Time) tea.Msg { return tickMsg{} })
	case tickMsg:
		if s.paused {
			return s, tea.Tick(s.interval, func(time.Time) tea.Msg { return tickMsg{} })
		}
		return s, s.ask
	case tea.KeyPressMsg:
		return s, s.key(msg.String())
	}
	return s, nil
}

func (s *topScreen) key(key string) tea.Cmd {
	switch key {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "right", "s":
		s.turn(1)
	case "left", "S", "shift+s":
		s.turn(-1)
	case "i":
		s.instances, s.scroll = !s.instances, 0
	case "p", "space":
		s.paused = !s.paused
	case "down", "j":
		s.scroll++
	case "up", "k":
		s.scroll = max(s.scroll-1, 0)
	case "pgdown":
		s.scroll += s.height / 2
	case "pgup":
		s.scroll = max(s.scroll-s.height/2, 0)
	case "home", "g":
		s.scroll = 0
	}
	return nil
}

// turn sorts by a column further to the right or left.
func (s *topScreen) turn(by int) {
	n := len(top.Columns)
	s.sort = top.Columns[(slices.Index(top.Columns, s.sort)+by+n)%n]
}

// View draws the screen.
func (s *topScreen) View() tea.View {
	v := tea.NewView(strings.Join(s.lines(), "\n"))
	v.AltScreen = true
	return v
}

// lines are at most as many and as long as the screen allows.
func (s *topScreen) lines() []string {
	rows := s.rows
	if !s.instances {
		rows = top.ByMethod(rows)
	} else {
		rows = slices.Clone(rows)
	}
	top.Sort(rows, s.sort)
	room := max(s.height-4, 1)
	s.scroll = min(s.scroll, max(len(rows)-room, 0))
	shown := rows[s.scroll:min(s.scroll+room, len(rows))]

	out := []string{s.summary(), ""}
	if s.trouble != nil {
		out[1] = s.style("31", untrusted.Text(s.trouble.Error(), untrusted.Line))
	}
	if len(rows) == 0 {
		out = append(out, s.empty())
	} else {
		for i, line := range topTable(shown, s.instances).lines("") {
			switch {
			case i == 0:
				line = s.style("1", line)
			case shown[i-1].Instances == 0 || !shown[i-1].Served:
				line = s.style("31", line)
			}
			out = append(out, line)
		}
	}
	out = append(out, s.style("2", "←→ sort by "+s.sort+"   i instances   p pause   ↑↓ scroll   q quit"))
	for i := range out {
		out[i] = lipgloss.NewStyle().MaxWidth(s.width).Render(out[i])
	}
	return out[:min(len(out), s.height)]
}

func (s *topScreen) empty() string {
	switch {
	case s.trouble != nil:
		return ""
	case s.answered.IsZero():
		return "asking …"
	}
	return "no server has answered; `amqprpc doctor` looks for the reason"
}

func (s *topScreen) summary() string {
	var rate, errors float64
	var inFlight int64
	instances := make(map[string]bool)
	for _, r := range s.rows {
		rate, errors, inFlight = rate+r.Rate, errors+r.Errors, inFlight+r.InFlight
		if r.Gone == 0 {
			instances[r.Instance] = true
		}
	}
	text := fmt.Sprintf("%s   %s calls/s   %s errors/s   %d in flight", plural(len(instances), "instance"), digits(rate), digits(errors), inFlight)
	if s.paused {
		text += "   PAUSED"
	}
	return text
}

func (s *topScreen) style(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
