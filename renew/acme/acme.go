// Package acme is being written.
package acme
