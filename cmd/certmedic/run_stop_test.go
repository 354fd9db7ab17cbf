package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// TestRunInterrupted: certmedic run ends with 0 only when what it was to do is
// done. Here the server is stopped in the middle of it.
func TestRunInterrupted(t *testing.T) {
	e := startLoop(t, 1, 3)
	k := &killer{t: t, e: e}
	server, _, log := k.start()
	defer func() { _ = server.Process.Kill() }()
	type end struct {
		code        int
		out, errOut string
	}
	ended := make(chan end, 1)
	go func() {
		var out, errOut bytes.Buffer
		code := run(context.Background(), []string{"run", "-c", e.file, "--as", "ana", "--json", "/renew site0 --yes --force"}, strings.NewReader(""), &out, &errOut)
		ended <- end{code, out.String(), errOut.String()}
	}()
	for len(e.ca.NewOrders()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got := <-ended
	if err := server.Wait(); err != nil {
		t.Fatalf("stop: %v\n%s", err, log)
	}
	var reply commands.Reply
	if err := json.Unmarshal([]byte(got.out), &reply); err != nil || got.code != exitFailed || reply.Problem.IsZero() {
		t.Errorf("%d %s %s %v", got.code, got.out, got.errOut, err)
	}
}

// TestRunGivenUp: the same where certmedic run works on the record itself and
// is told to end.
func TestRunGivenUp(t *testing.T) {
	e := startLoop(t, 1, 3)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for len(e.ca.NewOrders()) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	var out, errOut bytes.Buffer
	code := run(ctx, []string{"run", "-c", e.file, "--as", "ana", "--json", "/renew site0 --yes --force"}, strings.NewReader(""), &out, &errOut)
	var reply commands.Reply
	if err := json.Unmarshal(out.Bytes(), &reply); err != nil || code != exitFailed || reply.Problem.IsZero() {
		t.Errorf("%d %s %s %v", code, &out, &errOut, err)
	}
}
