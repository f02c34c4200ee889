package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// The output for people is what testdata has. UPDATE_GOLDEN=1 writes it anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"), amqprpc.WithService(amqprpc.Service{Name: "tea", Version: "1.2", Description: "Sells tea."}))
	s := shellFor(t, url)
	for file, args := range map[string][]string{
		"ls":            {"ls"},
		"describe":      {"describe", "shop.order"},
		"describe-bidi": {"describe", "shop.chat"},
		"bad-request":   {"call", "shop.order", `{"item":"","count":0,"x":1}`},
		"error":         {"call", "shop.order", "item=coffee"},
		"doctor":        {"doctor"},
		"usage":         {"call"},
	} {
		r := s.run(args...)
		got := r.out + r.err
		got = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(got, "HOST")
		path := filepath.Join("testdata", file+".golden")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "%v", args)
	}
}
