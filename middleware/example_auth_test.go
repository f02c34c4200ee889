package middleware_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

func ExampleAuthUser() {
	broker := amqptest.NewBroker(amqptest.WithUser("warehouse", "pw"), amqptest.WithUser("shop", "pw"), amqptest.WithUser("blog", "pw"))
	defer broker.Close()
	url := func(user string) string { return "amqp://" + user + ":pw@" + broker.Addr() + "/" }

	srv := amqprpc.NewServer(url("warehouse"), amqprpc.WithLogger(nil),
		amqprpc.WithMiddleware(middleware.AuthUser(middleware.Users("shop"))))
	stock := amqprpc.Method[string, string]("stock")
	stock.Register(srv, func(ctx context.Context, item string) (string, error) {
		req, _ := amqprpc.RequestFromContext(ctx)
		return fmt.Sprintf("7 × %s, for %s", item, req.UserID()), nil
	})
	defer serve(srv)()

	ctx := context.Background()
	for _, user := range []string{"shop", "blog"} {
		cli, err := amqprpc.Dial(ctx, url(user), amqprpc.WithLogger(nil), amqprpc.WithUserID())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer cli.Close()
		got, err := stock.Call(ctx, cli, "tea")
		fmt.Println(got, err)
	}

	// Output:
	// 7 × tea, for shop <nil>
	//  stock: permission_denied: the user "blog" may not call the queue "stock"
}

// Account is who calls.
type Account struct{ Name string }

func ExampleAuthBearer() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	// A map stands for a verified signature. examples/authentication verifies a JWT.
	accounts := map[string]Account{"token-of-ada": {Name: "Ada"}}
	verify := func(_ context.Context, token string) (Account, error) {
		account, ok := accounts[token]
		if !ok {
			return Account{}, errors.New("the token is not known")
		}
		return account, nil
	}
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(middleware.AuthBearer(verify)))
	hello := amqprpc.Method[amqprpc.None, string]("hello")
	hello.Register(srv, func(ctx context.Context, _ amqprpc.None) (string, error) {
		account, _ := middleware.Principal[Account](ctx)
		return "hello, " + account.Name, nil
	})
	defer serve(srv)()

	ctx := context.Background()
	token := "token-of-ada"
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(
		middleware.SendBearer(func(context.Context) (string, error) { return token, nil })))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	fmt.Println(hello.Call(ctx, cli, amqprpc.None{}))
	token = "stolen"
	fmt.Println(hello.Call(ctx, cli, amqprpc.None{}))

	// Output:
	// hello, Ada <nil>
	//  hello: unauthenticated: the token is not known
}
