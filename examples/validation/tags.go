package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Violation is one broken rule. The refusal's detail "violations" is a list of
// them, which a caller reads with amqprpc.Detail[[]Violation].
type Violation struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

// validateTags checks messages by their struct tags
// (https://pkg.go.dev/github.com/go-playground/validator/v10). It refuses as
// middleware.Validate does, and like that works on servers and clients; what is
// no struct passes.
func validateTags() amqprpc.Middleware {
	v := validator.New(validator.WithRequiredStructEnabled())
	// Callers know fields by their names in JSON.
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			msg, err := req.Message()
			if err != nil {
				return nil, err
			}
			err = v.StructCtx(ctx, msg)
			if broken, ok := errors.AsType[validator.ValidationErrors](err); ok {
				return nil, refusal(broken)
			}
			return next(ctx, req)
		}
	}
}

// refusal turns broken rules into the error that the caller gets.
func refusal(broken validator.ValidationErrors) error {
	violations := make([]Violation, 0, len(broken))
	texts := make([]string, 0, len(broken))
	for _, b := range broken {
		_, field, _ := strings.Cut(b.Namespace(), ".") // without the struct's name
		rule := b.Tag()
		if b.Param() != "" {
			rule += "=" + b.Param()
		}
		violations = append(violations, Violation{Field: field, Rule: rule})
		texts = append(texts, fmt.Sprintf("%s breaks %q", field, rule))
	}
	return amqprpc.Errorf(amqprpc.CodeInvalidArgument, "%s", strings.Join(texts, ", ")).
		WithDetail("violations", violations)
}
