package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Line is what somebody says.
type Line struct {
	From string `json:"from,omitempty"`
	Text string `json:"text"`
}

// Chat is the contract of the chat: any number of messages, both ways.
const Chat amqprpc.BidiStream[Line, Line] = "examples.chat"

// room serves the chat. It lives in one process: members that other servers have accepted
// are in other rooms.
type room struct {
	mu      sync.Mutex
	members map[string]*amqprpc.Sender[Line]
}

func newRoom() *room { return &room{members: make(map[string]*amqprpc.Sender[Line])} }

// chat is one member's stay in the room.
func (r *room) chat(ctx context.Context, in *amqprpc.Receiver[Line], out *amqprpc.Sender[Line]) error {
	req, _ := amqprpc.RequestFromContext(ctx)
	name := req.Header()["name"]
	if !r.join(name, out) {
		return amqprpc.Errorf(amqprpc.CodeAlreadyExists, "%s is here already", name)
	}
	defer r.leave(name)
	if err := out.Send(Line{"room", "welcome, " + name}); err != nil {
		return err
	}
	for {
		line, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil // the member has said everything
		}
		if err != nil {
			return err
		}
		r.tell(name, Line{name, line.Text})
	}
}

func (r *room) join(name string, out *amqprpc.Sender[Line]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, taken := r.members[name]
	if !taken {
		r.members[name] = out
	}
	return !taken
}

func (r *room) leave(name string) {
	r.mu.Lock()
	delete(r.members, name)
	r.mu.Unlock()
	r.tell(name, Line{"room", name + " has left"})
}

// tell sends a line to all members but one. Send waits for a member that reads too slowly,
// and so does the room. WithStallLimit bounds the wait.
func (r *room) tell(from string, l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, out := range r.members {
		if name != from {
			_ = out.Send(l) // an error is the matter of that member's own stay
		}
	}
}

// talk lets two members chat.
func talk(ctx context.Context, cli *amqprpc.Client, out io.Writer) error {
	fmt.Fprintln(out, "A chat")
	ada, err := Chat.Open(ctx, cli, amqprpc.WithHeader("name", "Ada"))
	if err != nil {
		return err
	}
	defer ada.Close()
	bob, err := Chat.Open(ctx, cli, amqprpc.WithHeader("name", "Bob"))
	if err != nil {
		return err
	}
	defer bob.Close()

	steps := []func() error{
		func() error { return hears(out, "Ada", ada) }, // the room
		func() error { return hears(out, "Bob", bob) },
		func() error { return ada.Send(Line{Text: "is there tea?"}) },
		func() error { return hears(out, "Bob", bob) },
		func() error { return bob.Send(Line{Text: "three cups"}) },
		func() error { return hears(out, "Ada", ada) },
		ada.CloseSend,
		func() error { return hears(out, "Ada", ada) },
		func() error { return hears(out, "Bob", bob) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// hears waits for the next line of a member's.
func hears(out io.Writer, name string, c *amqprpc.BidiStreamCall[Line, Line]) error {
	line, err := c.Recv()
	switch {
	case errors.Is(err, io.EOF):
		fmt.Fprintf(out, "  %s's stay has ended\n", name)
		return nil
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "  %s hears %s: %s\n", name, line.From, line.Text)
	return nil
}
