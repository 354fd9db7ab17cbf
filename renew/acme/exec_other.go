//go:build !unix

package acme

import osexec "os/exec"

// wholeGroup has nothing to do here: only the program itself is killed.
func wholeGroup(*osexec.Cmd) {}
