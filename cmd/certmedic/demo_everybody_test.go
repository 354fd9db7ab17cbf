package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// said is what a command has written so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.text.Write(b) }
func (s *said) String() string              { s.mu.Lock(); defer s.mu.Unlock(); return s.text.String() }

// Whoever plays the demo may renew, whatever name the login or the browser
// gives: the lines that the demo prints are not refused.
func TestDemoIsForEverybody(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errOut said
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--lifetime", "10s"}, strings.NewReader(""), &out, &errOut)
	}()
	page := regexp.MustCompile(`the room +(http://\S+)`)
	var address string
	for address == "" {
		select {
		case code := <-ended:
			t.Fatalf("the demo ended with %d: %s%s", code, out.String(), errOut.String())
		case <-time.After(20 * time.Millisecond):
			if m := page.FindStringSubmatch(out.String()); m != nil {
				address = m[1]
			}
		}
	}
	for _, line := range []string{"/certcheck media", "/incident declare sev2 images do not load --cert media", "/renew media --yes --force"} {
		r, err := sayToServer(ctx, address, commands.Request{Text: line, Room: "main", Wait: true, By: commands.Person{ID: "cli:stranger", Name: "stranger", Platform: "cli"}})
		if err != nil || !r.Problem.IsZero() || strings.HasPrefix(line, "/renew") && r.State != commands.StateGood {
			t.Errorf("%s: %v %+v\n%s", line, err, r.Problem, r.Headline)
		}
	}
	stop()
	<-ended
}
