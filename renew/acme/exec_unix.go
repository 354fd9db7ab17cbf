//go:build unix

package acme

import (
	osexec "os/exec"
	"syscall"
)

// wholeGroup gives the program a process group of its own and has all of it
// killed when its context ends.
func wholeGroup(cmd *osexec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
