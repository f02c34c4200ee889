// Command rpcbench compares amqprpc with code that a user would write by hand on amqp091-go.
// Rounds of all contenders take turns. Client and server run in processes of their own.
// Without -url, rpcbench starts a private RabbitMQ node.
//
//	go run ./cmd/rpcbench                        # all scenarios, in the benchmarks directory
//	go run ./cmd/rpcbench -docs ../docs          # … and update docs/performance.md with its charts
//	go run ./cmd/rpcbench -scenarios throughput -callers 64 -payload 1024 -codec msgpack
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/bench"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/report"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

func main() {
	side.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "rpcbench:", err)
		}
		stop()
		os.Exit(1)
	}
}

// settings holds the flags.
type settings struct {
	config    bench.Config
	scenarios []bench.Scenario
	url       string
	rabbitmq  string
	json      string
	docs      string
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("rpcbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := flags.String("scenarios", "all", "which, separated by commas:\n"+scenarioList())
	numbers := flags.String("callers", "1,64,256,1024", "numbers of `callers` of the scenario throughput, separated by commas")
	semicolons := func(all *[]string) func(string) error {
		return func(text string) error {
			*all = strings.Split(text, ";")
			return nil
		}
	}
	flags.Func("contenders", "those of the scenarios throughput and fleet, separated by `semicolons`: baseline;amqprpc;amqprpc, no confirms;by-hand;tutorial;least", semicolons(&s.config.Only))
	flags.Func("shapes", "those of the scenario fleet, separated by `semicolons`: 500 queues, 200 clients;1 queue, 200 clients", semicolons(&s.config.Shapes))
	confirm := flags.Bool("confirm", true, "publisher confirms, for those that use them")
	flags.StringVar(&s.url, "url", "", "a broker's `URL`; without it a private RabbitMQ node is started")
	flags.StringVar(&s.rabbitmq, "rabbitmq", "3.10", "the `version` of the private node: 3.10, 4.0 or 4.3")
	flags.IntVar(&s.config.Rounds, "rounds", 21, "how often each contender is run in each case; overload, memory and idle less")
	flags.DurationVar(&s.config.Round, "round", 500*time.Millisecond, "how long each of these runs is")
	flags.IntVar(&s.config.Pending, "pending", 10_000, "how many `calls` are pending in the scenario memory")
	flags.DurationVar(&s.config.Stall, "stall", 10*time.Second, "how long the reader of a stream stands still in the scenario held")
	flags.IntVar(&s.config.Items, "items", 1_000_000, "how many `messages` the stream has whose connections are cut in the scenario cuts")
	flags.StringVar(&s.config.Profiles, "cpuprofile", "", "a `directory` for CPU profiles of every client and server, the last of each scenario")
	flags.StringVar(&s.json, "json", "", "a `file` for the results, every round of them")
	flags.StringVar(&s.docs, "docs", "", "the documentation's `directory`: its performance.md and charts, and the benchmarks' README.md, are brought up to date")
	o := &s.config.Options
	flags.IntVar(&o.Payload, "payload", 0, "`bytes` of the message; 0 is an int")
	flags.StringVar(&o.Codec, "codec", "json", "json, msgpack, or raw with a payload")
	flags.StringVar(&o.Reply, "reply", "resumable", "the framework's reply mode: resumable, exclusive or direct")
	flags.StringVar(&o.QueueType, "queue", "", "the type of the request queue: classic or quorum; \"\" is the broker's default")
	flags.BoolVar(&o.Persistent, "persistent", false, "persistent requests")
	flags.IntVar(&o.Concurrency, "concurrency", 0, "handlers in flight; 0 is each contender's default")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("what is %q? There are only flags", flags.Arg(0))
	}
	o.Unconfirmed = !*confirm
	if s.config.Rounds < 1 || s.config.Round < time.Millisecond || s.config.Pending < 1 || s.config.Items < 1 {
		return nil, errors.New("at least one round, of at least a millisecond, one pending call and one item")
	}
	var err error
	if s.config.Callers, err = integers(*numbers); err != nil {
		return nil, err
	}
	s.scenarios, err = choose(*names)
	return s, err
}

func scenarioList() string {
	var b strings.Builder
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(&b, "%-12s %s\n", s.Name, s.What)
	}
	return b.String()
}

func integers(text string) ([]int, error) {
	var all []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-callers: %q is no positive number", field)
		}
		all = append(all, n)
	}
	return all, nil
}

func choose(names string) ([]bench.Scenario, error) {
	all := bench.Scenarios()
	if names == "all" {
		return all, nil
	}
	var chosen []bench.Scenario
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, s := range all {
			if s.Name == strings.TrimSpace(name) {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no scenario %q", name)
		}
	}
	return chosen, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	c := &s.config
	c.Progress = newBar(os.Stderr)
	if c.Profiles != "" {
		if err := os.MkdirAll(c.Profiles, 0o755); err != nil {
			return err
		}
	}
	c.URL = s.url
	if c.URL == "" {
		n, err := startNode(ctx, s.rabbitmq)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.stop()) }()
		c.URL, c.BrokerCPU = n.url, n.cpu
	}
	results := make(bench.Results)
	var inOrder []*bench.Result
	for _, sc := range s.scenarios {
		r, err := sc.Run(ctx, c)
		if err != nil {
			return err
		}
		results[sc.Name] = r
		inOrder = append(inOrder, r)
		if err := report.Table(stdout, r); err != nil {
			return err
		}
	}
	verdicts := bench.Judge(results)
	if err := report.Verdicts(stdout, verdicts); err != nil {
		return err
	}
	broker := brokerName(c.URL)
	at := report.Now(c, broker)
	if s.json != "" {
		if err := report.JSON(s.json, at, inOrder, verdicts); err != nil {
			return err
		}
	}
	if s.docs != "" {
		return report.Docs(s.docs, at, results, verdicts)
	}
	return nil
}

// brokerName returns the broker's product name and version.
func brokerName(url string) string {
	conn, err := amqp.Dial(url)
	if err != nil {
		return "an unknown broker"
	}
	defer conn.Close()
	product, _ := conn.Properties["product"].(string)
	version, _ := conn.Properties["version"].(string)
	return strings.TrimSpace(product + " " + version)
}
