// Package bottest is being written.
package bottest
