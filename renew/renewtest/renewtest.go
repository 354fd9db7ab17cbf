// Package renewtest is being written.
package renewtest
