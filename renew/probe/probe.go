// Package probe is being written.
package probe
