// Package idempotency has middleware that makes a server answer a repeated call with
// its first answer, instead of running the handler again.
package idempotency
