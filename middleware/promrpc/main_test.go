package promrpc_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is a handler that succeeds, or fails with the code that it is asked for.
func answer(_ context.Context, how string) (string, error) {
	switch how {
	case "":
		return "fine", nil
	case "panic":
		panic("as asked")
	default:
		return "", amqprpc.Errorf(amqprpc.Code(how), "as asked")
	}
}
