// Package houserules tests the layout of the code: the imports between packages, the package
// that spells the wire's header names, and the length of files, functions and packages.
package houserules
