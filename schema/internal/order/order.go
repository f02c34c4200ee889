// Package order has types for tests: their names are taken in another package, too.
package order

// Order is one of two types of this name.
type Order struct {
	Item string
}

// Part differs from another type's name in case only.
type Part struct {
	X int
}

// Currency is a code such as EUR.
type Currency string
