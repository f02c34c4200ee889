package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/internal/testnode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// brokerURL returns the URL of a broker for one test.
func brokerURL(t *testing.T) string {
	t.Helper()
	version := os.Getenv(testnode.EnvVersion)
	if version == "" {
		return amqptest.Start(t).URL()
	}
	url, stop, err := testnode.Start(version)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	return url
}
