// Command writepage writes the documentation of the commands to the file that it is given.
package main

import (
	"fmt"
	"os"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: writepage FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(cli.Page()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
