package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
)

// TestFullDisk: a server whose file may not grow refuses new work with a clear
// reply, loses nothing that it acknowledged, and works again with room.
func TestFullDisk(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not here: its ulimit plays the full disk")
	}
	e := startLoop(t, 1, 1)
	k := &killer{t: t, e: e, acked: map[string]bool{}}
	k.declare()
	c := exec.Command(bash, "-c", `ulimit -f 512; exec "$0" serve -c "$1"`, os.Args[0], e.file) // 512 KiB
	c.Env = append(os.Environ(), asProgram+"=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = testLog{t}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	head := make([]byte, 300)
	n, _ := out.Read(head)
	_, address, ok := strings.Cut(string(head[:n]), "room at ")
	if !ok {
		t.Fatalf("the server did not start: %q", head[:n])
	}
	address = strings.TrimSpace(address)
	var refused commands.Reply
	for i := range 2000 {
		text := fmt.Sprintf("note-%06d %s", i, strings.Repeat("x", 3000))
		r, err := k.say(t.Context(), address, "/incident note INC-1 "+text, false)
		if err != nil {
			t.Fatalf("the server went away instead of refusing: %v", err)
		}
		if !r.Problem.IsZero() {
			refused = r
			break
		}
		k.acked[text] = true
	}
	if refused.Problem.Code != "disk_full" || !strings.Contains(refused.Problem.Hint, "room") {
		t.Fatalf("with a full disk it answers %+v", refused.Problem)
	}
	if r, err := k.say(t.Context(), address, "/incident show INC-1", false); err != nil || !r.Problem.IsZero() {
		t.Errorf("a full disk stops reading: %v %+v", err, r.Problem)
	}
	_ = c.Process.Kill()
	_ = c.Wait()

	p := startProgram(t, e.cfg, programOptions{Name: "test"})
	k.timeline(t.Context(), p)
	if r := say(t, p, "/incident note INC-1 room again"); !r.Problem.IsZero() {
		t.Errorf("with room again it answers %+v", r.Problem)
	}
	if len(k.acked) == 0 {
		t.Error("no note was taken before the disk was full")
	}
}
