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

// Violation is one broken rule. The refusal's detail "violations" is a list of them. Callers
// read it with amqprpc.Detail[[]Violation].
type Violation struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

// validateTags checks messages by their struct tags
// (https://pkg.go.dev/github.com/go-playground/validator/v10). Like middleware.Validate, it
// works on servers and on clients. A message that is not a struct passes.
func validateTags() amqprpc.Middleware {
	v := validator.New(validator.WithRequiredStructEnabled())
	// Callers know fields by their JSON names.
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

// refusal converts broken rules into the error for the caller.
func refusal(broken validator.ValidationErrors) error {
	violations := make([]Violation, 0, len(broken))
	texts := make([]string, 0, len(broken))
	for _, b := range broken {
		_, field, _ := strings.Cut(b.Namespace(), ".") // removes the struct's name
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
