package invoke_test

import (
	"testing"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

var nodeURL string

func TestMain(m *testing.M) { testbroker.Main(m, func(url string) { nodeURL = url }) }
