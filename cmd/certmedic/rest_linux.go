package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropProgram lets go of the pages of the program's own file that are in this
// process's memory: start-up and a round of work touch many that are not
// needed while it waits. They stay in the system's file cache, and come back
// from there when they are needed. Only mappings that cannot be written and of
// which no page was changed are let go; what cannot be done is left.
func dropProgram() (dropped int64) {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0
	}
	defer f.Close()
	for _, m := range ownMappings(bufio.NewScanner(f), self) {
		if _, _, no := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); no == 0 {
			dropped += m.resident
		}
	}
	return dropped
}

// mapping is a range of addresses; resident is in bytes.
type mapping struct {
	from, to uintptr
	resident int64
}

// ownMappings reads smaps (proc(5)) for the unwritable, unchanged mappings of
// one file.
func ownMappings(lines *bufio.Scanner, file string) (own []mapping) {
	var m mapping
	mine := false
	for lines.Scan() {
		line := lines.Text()
		var kb int64
		switch {
		case strings.HasPrefix(line, "Rss:"):
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &kb); err == nil {
				m.resident = kb << 10
			}
		case strings.HasPrefix(line, "Anonymous:"):
			if _, err := fmt.Sscanf(line, "Anonymous: %d kB", &kb); err == nil && kb == 0 && mine {
				own = append(own, m)
			}
			mine = false
		default:
			var perms, rest string
			var from, to uintptr
			if n, _ := fmt.Sscanf(line, "%x-%x %s %s", &from, &to, &perms, &rest); n == 4 && len(perms) == 4 {
				m = mapping{from: from, to: to}
				mine = perms[0] == 'r' && perms[1] == '-' && strings.HasSuffix(line, " "+file)
			}
		}
	}
	return own
}
