// Package shop has messages for tests and examples. shop.pb.go is generated from shop.proto
// by protoc-gen-go.
package shop
