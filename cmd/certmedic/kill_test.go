package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

var kills = flag.Int("kills", 500, "how many times TestKill kills the server")

// TestKill kills the server with signal 9 at random moments, while people add
// notes and renew, and looks afterwards: every acknowledged note is on the
// timeline once, no renewal made a second order, and no host was ever left
// with a certificate whose key it does not have.
func TestKill(t *testing.T) {
	n := *kills
	if testing.Short() {
		n = min(n, 25)
	}
	e := startLoop(t, 1, 3)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { watchPairs(ctx, t, e) })

	k := &killer{t: t, e: e, acked: map[string]bool{}}
	k.declare()
	for i := range n {
		k.round(i)
		if t.Failed() {
			t.Fatalf("after %d kills", i+1)
		}
	}
	k.settle()
	t.Logf("%d kills; %d notes acknowledged, %d renewals (%d with an order that the CA closed meanwhile), %d orders", n, len(k.acked), k.renewals, k.closed, len(e.ca.NewOrders()))
	if len(k.acked) == 0 || k.renewals == k.closed {
		t.Errorf("nothing was put to the test: %d notes, %d renewals", len(k.acked), k.renewals)
	}
}

// watchPairs reads every host's files over and over.
func watchPairs(ctx context.Context, t *testing.T, e *loopEstate) {
	for ctx.Err() == nil {
		for _, dir := range e.dirs {
			if _, err := loadPair(dir); err != nil {
				t.Errorf("%s: %v", dir, err)
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// killer starts the server, talks to it and kills it.
type killer struct {
	t        *testing.T
	e        *loopEstate
	mu       sync.Mutex
	acked    map[string]bool // texts of notes whose answer came
	said     atomic.Int64
	renewals int
	out      io.Reader // what the last server started prints after its first line
	closed   int       // renewals whose order the CA closed during a kill
}

// start starts the server as a process of its own and returns its address.
func (k *killer) start() (*exec.Cmd, string, *bytes.Buffer) {
	k.t.Helper()
	var log bytes.Buffer
	c := exec.Command(os.Args[0], "serve", "-c", k.e.file)
	c.Env = append(os.Environ(), asProgram+"=1")
	c.Stderr = &log
	out, err := c.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		k.t.Fatal(err)
	}
	line := make([]byte, 0, 200)
	one := make([]byte, 1)
	for {
		if _, err := out.Read(one); err != nil {
			_ = c.Wait()
			k.t.Fatalf("the server did not start: %s%s", line, log.String())
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	k.out = out
	_, address, _ := strings.Cut(string(line), "room at ")
	return c, strings.TrimSpace(address), &log
}

// say posts a line and returns the reply, or an error when the server died first.
func (k *killer) say(ctx context.Context, address, text string, wait bool) (commands.Reply, error) {
	body, _ := json.Marshal(map[string]any{"text": text, "as": "ana", "room": "main", "wait": wait})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/api/run", bytes.NewReader(body))
	if err != nil {
		return commands.Reply{}, err
	}
	r.Header.Set("X-Certmedic", "1")
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return commands.Reply{}, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return commands.Reply{}, err
	}
	for l := range bytes.Lines(all) {
		var line struct {
			Reply *commands.Reply `json:"reply"`
		}
		if err := json.Unmarshal(l, &line); err == nil && line.Reply != nil {
			return *line.Reply, nil
		}
	}
	return commands.Reply{}, fmt.Errorf("no reply in %q", all)
}

func (k *killer) declare() {
	c, address, _ := k.start()
	r, err := k.say(k.t.Context(), address, "/incident declare sev3 kill test", false)
	if err != nil || !r.Problem.IsZero() {
		k.t.Fatalf("%v %+v", err, r.Problem)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
}

// round starts the server, has people talk to it, and kills it after a random
// while. That while begins with the first answer, or in one round of three with
// the server, which a slow machine kills before anybody is answered.
func (k *killer) round(i int) {
	c, address, log := k.start()
	ctx, cancel := context.WithCancel(k.t.Context())
	heard := make(chan struct{})
	first := sync.OnceFunc(func() { close(heard) })
	if i%3 == 0 {
		first()
	}
	var talking sync.WaitGroup
	for range 3 {
		talking.Go(func() {
			k.notes(ctx, address, func() {
				if i%2 != 0 {
					first()
				}
			})
		})
	}
	if i%2 == 0 {
		talking.Go(func() {
			if _, err := k.say(ctx, address, "/renew site0 --yes --force", false); err == nil {
				first()
			}
		})
	}
	select {
	case <-heard:
	case <-time.After(time.Minute):
		k.t.Errorf("nobody is answered:\n%s", log)
	}
	time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
	if err := c.Process.Kill(); err != nil {
		k.t.Errorf("kill: %v\n%s", err, log)
	}
	cancel()
	talking.Wait()
	_ = c.Wait()
	if strings.Contains(log.String(), "panic") {
		k.t.Errorf("the server panicked:\n%s", log)
	}
}

// notes adds notes until the server is gone, and says when one is acknowledged.
func (k *killer) notes(ctx context.Context, address string, acked func()) {
	for {
		text := fmt.Sprintf("note-%06d", k.said.Add(1))
		r, err := k.say(ctx, address, "/incident note INC-1 "+text, false)
		if err != nil {
			return
		}
		if !r.Problem.IsZero() {
			if r.Problem.Code != "stopping" {
				k.t.Errorf("a note was refused: %+v", r.Problem)
			}
			return
		}
		k.mu.Lock()
		k.acked[text] = true
		k.mu.Unlock()
		acked()
	}
}

// settle lets what was interrupted come to its end, then looks at everything.
func (k *killer) settle() {
	p, err := open(k.t.Context(), k.e.cfg, programOptions{Name: "test", Log: slog.New(slog.DiscardHandler)})
	var used *store.InUseError
	if errors.As(err, &used) {
		k.t.Fatalf("a killed server still holds the record: %v", err)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(k.t.Context())
	ended := make(chan error, 1)
	go func() { _, err := p.Run(ctx); ended <- err }()
	defer func() {
		cancel()
		if err := errors.Join(<-ended, p.Close()); err != nil {
			k.t.Error(err)
		}
	}()
	all, err := p.runner.Renewals(ctx, "", 0)
	if err != nil {
		k.t.Fatal(err)
	}
	orders := map[string]bool{}
	for _, r := range all {
		r, err := p.runner.Wait(ctx, r.ID)
		// A CA that looked for the proof while nobody served it closes the order
		// for good; anything else must come to its end.
		closed := r.State == renew.Failed && r.Step == renew.StepChallenge && strings.Contains(r.Problem, "No host was touched")
		if err != nil || r.State != renew.Done && !closed {
			k.t.Errorf("%s: %v %s %s", r.ID, err, r.State, r.Problem)
		}
		if closed {
			k.closed++
		}
		if orders[r.Order] {
			k.t.Errorf("%s shares its order with another renewal", r.ID)
		}
		orders[r.Order] = true
	}
	k.renewals = len(all)
	if made := len(k.e.ca.NewOrders()); made != len(all) {
		k.t.Errorf("%d renewals made %d orders", len(all), made)
	}
	k.timeline(ctx, p)
	k.hosts()
}

// timeline looks that every acknowledged note is there, once.
func (k *killer) timeline(ctx context.Context, p *program) {
	entries, err := p.book.Timeline(ctx, "INC-1")
	if err != nil {
		k.t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range entries {
		if strings.HasPrefix(e.Text, "note-") {
			found[e.Text]++
		}
	}
	lost := 0
	for text := range k.acked {
		if found[text] == 0 {
			lost++
		}
	}
	for text, n := range found {
		if n > 1 {
			k.t.Errorf("%s stands %d times on the timeline", text, n)
		}
	}
	if lost > 0 {
		k.t.Errorf("%d of %d acknowledged notes are lost", lost, len(k.acked))
	}
	if broken, err := p.book.Verify(ctx, "INC-1"); err != nil || broken != "" {
		k.t.Errorf("the timeline's chain breaks at %q: %v", broken, err)
	}
}

// hosts looks that every host serves a certificate of the CA with its key.
func (k *killer) hosts() {
	serials := map[string]bool{}
	for _, dir := range k.e.dirs {
		pair, err := loadPair(dir)
		if err != nil {
			k.t.Errorf("%s: %v", dir, err)
			continue
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			k.t.Fatal(err)
		}
		serials[leaf.SerialNumber.String()] = true
	}
	if len(serials) != 1 {
		k.t.Errorf("the hosts hold %d different certificates at the end", len(serials))
	}
}
