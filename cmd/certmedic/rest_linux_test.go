package main

import (
	"bufio"
	"strings"
	"testing"
)

// TestDropProgram: pages are let go, and the program goes on.
func TestDropProgram(t *testing.T) {
	if got := dropProgram(); got < 1<<20 {
		t.Errorf("let go of %d bytes of a program of megabytes", got)
	}
	if got := strings.Repeat("x", 3); got != "xxx" {
		t.Error(got)
	}
}

// TestOwnMappings: what can be written, was changed or is another file's stays.
func TestOwnMappings(t *testing.T) {
	const smaps = `00400000-00c00000 r-xp 00000000 fe:00 1234                               /usr/bin/certmedic
Size:               8192 kB
Rss:                 400 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00c00000-01200000 r--p 00800000 fe:00 1234                               /usr/bin/certmedic
Rss:                 300 kB
Anonymous:             4 kB
01200000-01300000 rw-p 00e00000 fe:00 1234                               /usr/bin/certmedic
Rss:                 200 kB
Anonymous:             0 kB
01300000-01400000 r--p 00e00000 fe:00 1234                               /usr/bin/certmedic
Rss:                 100 kB
Anonymous:             0 kB
7f0000000000-7f0000400000 r--s 00000000 fe:00 99                         /var/lib/certmedic.db
Rss:                 500 kB
Anonymous:             0 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Rss:                 500 kB
Anonymous:           500 kB
`
	got := ownMappings(bufio.NewScanner(strings.NewReader(smaps)), "/usr/bin/certmedic")
	want := []mapping{{0x400000, 0xc00000, 400 << 10}, {0x1300000, 0x1400000, 100 << 10}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}
