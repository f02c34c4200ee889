// Package houserules has the tests that hold the code to its layout: who may import
// whom, where the wire's header names are spelt, and how long files and functions get.
package houserules
