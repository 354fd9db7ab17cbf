// Package deploy is being written.
package deploy
