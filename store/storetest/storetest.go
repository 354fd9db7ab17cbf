// Package storetest is being written.
package storetest
