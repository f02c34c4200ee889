// Package web serves the page of the command line: it shows what runs, calls it, and draws
// how it does. The page needs no network but the one to this server.
//
// The server makes the calls of the page, with its own connection to the broker. The browser
// therefore never learns the credentials of the broker. Everything that instances say about
// themselves is untrusted: this package bounds it, and the page inserts it as text.
package web
