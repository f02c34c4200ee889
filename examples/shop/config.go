package main

import "time"

// Config is all that an operator may change.
type Config struct {
	URL         string // of RabbitMQ
	MetricsAddr string // of each service's HTTP server: /metrics and /ready

	CallTimeout    time.Duration // of a call with all its attempts
	AttemptTimeout time.Duration // of one attempt
	Attempts       int           // of a call at most
	DrainTimeout   time.Duration // how long a stopping server still answers
	CloseTimeout   time.Duration // how long the last spans and scrapes may take after that

	HedgeShare     float64       // of calls that may have a second attempt
	BreakerRatio   float64       // of calls in the window that fail, to open a breaker
	BreakerLeast   int           // calls in the window, to open a breaker
	BreakerWindow  time.Duration // in which calls count
	BreakerOpenFor time.Duration // until a call finds out whether the queue works again

	Customers Limits // of each customer, on each server
	Services  Limits // of each service, on each server

	CompressFrom int           // bytes of a body
	RememberFor  time.Duration // how long a repeated call gets the first answer
}

// Limits keep one caller from taking the handlers of all others.
type Limits struct {
	PerSecond float64 // requests
	Burst     int     // requests at once after a pause
	AtOnce    int     // requests that run at the same time
}

// production returns the values to begin with.
func production() Config {
	return Config{
		URL:         "amqp://guest:guest@localhost:5672/",
		MetricsAddr: ":9090",

		CallTimeout:    5 * time.Second,
		AttemptTimeout: 2 * time.Second, // room for the attempts of the service that is called
		Attempts:       4,
		DrainTimeout:   20 * time.Second, // below the time that the platform gives a process to stop
		CloseTimeout:   5 * time.Second,

		HedgeShare:     0.1,
		BreakerRatio:   0.5,
		BreakerLeast:   20,
		BreakerWindow:  10 * time.Second,
		BreakerOpenFor: 5 * time.Second,

		Customers: Limits{PerSecond: 1, Burst: 20, AtOnce: 4},
		Services:  Limits{PerSecond: 1000, Burst: 1000, AtOnce: 64},

		CompressFrom: 1024,
		RememberFor:  24 * time.Hour,
	}
}
