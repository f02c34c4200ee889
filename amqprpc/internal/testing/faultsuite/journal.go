package faultsuite

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// journal records the executions of a server.
type journal interface {
	Started(e Execution)
	Ended(run string, at time.Time, result Result, flow Flow)
}

// fileJournal is the journal of a child process. Each record is one write to a file
// opened for appending, so SIGKILL loses no record that was written.
type fileJournal struct{ f *os.File }

// journalLine is a line of the file. It is an end if it has a Result, and a start
// otherwise.
type journalLine struct {
	Run         string    `json:"run"`
	At          time.Time `json:"at"`
	ID          string    `json:"id,omitempty"`
	Attempt     int       `json:"attempt,omitempty"`
	Server      string    `json:"server,omitempty"`
	Instance    string    `json:"instance,omitempty"`
	Redelivered bool      `json:"redelivered,omitempty"`
	Result      Result    `json:"result,omitempty"`
	Flow        Flow      `json:"flow,omitzero"`
}

func openJournal(name string) (*fileJournal, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a journal: %w", err)
	}
	return &fileJournal{f}, nil
}

func (j *fileJournal) Started(e Execution) {
	j.write(journalLine{Run: e.Run, At: e.Start, ID: e.ID, Attempt: e.Attempt, Server: e.Server, Instance: e.Instance, Redelivered: e.Redelivered})
}

func (j *fileJournal) Ended(run string, at time.Time, result Result, flow Flow) {
	j.write(journalLine{Run: run, At: at, Result: result, Flow: flow})
}

func (j *fileJournal) write(l journalLine) {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = j.f.Write(append(b, '\n'))
	}
	if err != nil {
		panic(fmt.Sprintf("the journal cannot be written, and without it the history is wrong: %v", err))
	}
}

// readJournal reads the journal of a child process. Only its last line may be torn.
func readJournal(name string) ([]Execution, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read a journal: %w", err)
	}
	defer f.Close()
	var es []Execution
	places := make(map[string]int)
	torn := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l journalLine
		if torn {
			return nil, fmt.Errorf("read the journal %s: a torn line is not its last", name)
		}
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			torn = true
			continue
		}
		if l.Result == "" {
			places[l.Run] = len(es)
			es = append(es, Execution{ID: l.ID, Attempt: l.Attempt, Run: l.Run, Server: l.Server, Instance: l.Instance, Redelivered: l.Redelivered, Start: l.At})
		} else if i, ok := places[l.Run]; ok {
			es[i].End, es[i].Result, es[i].Flow = l.At, l.Result, l.Flow
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", name, err)
	}
	return es, nil
}
