package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/commands"
)

func person(name string) commands.Person {
	return commands.Person{ID: "console:" + name, Name: name, Platform: "console"}
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// eventually waits until ok.
func eventually(t testing.TB, what func() string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(bottest.Wait)
	for !ok() {
		if time.Now().After(end) {
			t.Fatal(what())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func newRooms(t testing.TB, desk bot.Desk) *bot.Rooms {
	t.Helper()
	rooms := bot.New(bot.Options{Desk: desk, Log: bottest.NewLog(), Answer: 50 * time.Millisecond,
		Now: func() time.Time { return time.Date(2026, 11, 21, 2, 11, 0, 0, time.UTC) }})
	t.Cleanup(func() {
		if d, ok := desk.(*bottest.Desk); ok {
			d.ReleaseAll()
		}
		ctx, cancel := context.WithTimeout(context.Background(), bottest.Wait)
		defer cancel()
		if err := rooms.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return rooms
}

// piped is a console in pipes.
type piped struct {
	in   *os.File
	out  buffer
	done chan error
}

func pipe(t testing.TB, rooms *bot.Rooms, name string) *piped {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &piped{in: w, done: make(chan error, 1)}
	go func() {
		p.done <- console.Run(context.Background(), console.Options{Rooms: rooms, By: person(name), In: r, Out: &p.out})
	}()
	t.Cleanup(func() {
		_ = w.Close()
		<-p.done
		_ = r.Close()
	})
	return p
}

// TestSuitePlain: a console in a pipe is an adapter like the others.
func TestSuitePlain(t *testing.T) {
	t.Parallel()
	bottest.Run(t, func(t *testing.T, rooms *bot.Rooms) bottest.Adapter {
		people := map[string]*piped{"ana": pipe(t, rooms, "ana"), "ben": pipe(t, rooms, "ben")}
		for name, p := range people { // in the room before the first word is said
			eventually(t, func() string { return name + " is not in the room" }, func() bool {
				_, _ = fmt.Fprintf(p.in, "/echo here is %s\n", name)
				return strings.Contains(p.out.String(), "echo: here is "+name)
			})
		}
		return bottest.Adapter{
			Say: func(t testing.TB, person, _, line string) {
				if _, err := io.WriteString(people[person].in, line+"\n"); err != nil {
					t.Error(err)
				}
			},
			Seen:  func(_ testing.TB, person, _ string) string { return people[person].out.String() },
			Raw:   func(_ testing.TB, person, _ string) string { return people[person].out.String() },
			Never: []string{"\x1b", "\a"},
		}
	})
}

func TestPlainTranscript(t *testing.T) {
	t.Parallel()
	rooms := newRooms(t, bottest.NewDesk())
	var out bytes.Buffer
	in := strings.NewReader("/public all is well\n\n/nonsense\n/quit\n/echo never said\n")
	err := console.Run(context.Background(), console.Options{Rooms: rooms, By: person("ana"), In: in, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	want := `> /public all is well
✓ good  public: all is well
  first line
  second line
  Proof: three hosts
    Host   Serves
  ✓ cdn-1  new
page: /estate  (Estate)
> /nonsense
! not done  There is no verb /nonsense.
  The nearest is /certcheck, for example /certcheck media.
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

// TestPlainWaits: the end of the input is not the end of the answers.
func TestPlainWaits(t *testing.T) {
	t.Parallel()
	desk := bottest.NewDesk()
	rooms := newRooms(t, desk)
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- console.Run(context.Background(), console.Options{Rooms: rooms, By: person("ana"), In: strings.NewReader("/slow fish\n/echo two"), Out: &out})
	}()
	if !desk.Started("fish", bottest.Wait) {
		t.Fatal("the line was not said")
	}
	select {
	case err := <-done:
		t.Fatalf("Run ended before the answer: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	desk.Release("fish")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "Working on it.") || !strings.Contains(s, "slow: fish") || !strings.HasSuffix(s, "echo: two\n") {
		t.Errorf("got:\n%s", s)
	}
}

// TestPlainOthers: what others say and what comes unasked is shown with its
// time, progress only where it changed.
func TestPlainOthers(t *testing.T) {
	t.Parallel()
	rooms := newRooms(t, bottest.NewDesk())
	p := pipe(t, rooms, "ana")
	if _, err := io.WriteString(p.in, "/echo here\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, p.out.String, func() bool { return strings.Contains(p.out.String(), "echo: here") })
	rooms.Say(context.Background(), commands.Request{Text: "/public hello", By: person("ben")})
	r := replies["progress"]
	r.Key = "renewal/R-12"
	post := func() {
		t.Helper()
		if err := rooms.Post(context.Background(), commands.Post{Room: "main", Reply: r}); err != nil {
			t.Fatal(err)
		}
	}
	post()
	post() // no change, no word
	r.Steps = append([]commands.Line{}, r.Steps...)
	r.Steps[1] = commands.Line{State: commands.StateGood, Text: "rollout, canary first: done"}
	post()
	r = commands.Reply{Key: "alert/media", State: commands.StateCritical, Headline: "media expired 1 s ago.", Buttons: []commands.Button{{Label: "Declare", Command: "/incident declare media"}}}
	post()
	r.Headline, r.Buttons = "media expired 3 s ago.", []commands.Button{{Label: "Open", Command: "/incident show INC-1"}}
	post() // older, another button: no word
	r.Headline, r.State = "media is good again.", commands.StateGood
	post()
	if _, err := io.WriteString(p.in, "/echo end\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, p.out.String, func() bool { return strings.Contains(p.out.String(), "echo: end") })
	_, got, _ := strings.Cut(p.out.String(), "echo: here\n")
	want := `2026-11-21 02:11 UTC ben: /public hello
2026-11-21 02:11 UTC certmedic
✓ good  public: hello
  first line
  second line
  Proof: three hosts
    Host   Serves
  ✓ cdn-1  new
page: /estate  (Estate)
2026-11-21 02:11 UTC certmedic
… running  R-12: renewing media, deploy on cdn-2; 1 of 4 hosts verified.
  [===---------] 1 of 4 hosts
  ✓ order at the CA: done (0.4 s)
  … rollout, canary first: running
  · every host verified: waiting
  ! a step
  ✕ another step: failed
next: /renew stop R-12  (Stop)
2026-11-21 02:11 UTC certmedic
  ✓ rollout, canary first: done
2026-11-21 02:11 UTC certmedic
✕ critical  media expired 1 s ago.
next: /incident declare media  (Declare)
2026-11-21 02:11 UTC certmedic
✓ good  media is good again.
next: /incident show INC-1  (Open)
> /echo end
echo: end
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestPlainEnds: ctx, a closed room, a broken pipe and a wild line end Run.
func TestPlainEnds(t *testing.T) {
	t.Parallel()
	t.Run("ctx", func(t *testing.T) {
		t.Parallel()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = r.Close(), w.Close() }()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			done <- console.Run(ctx, console.Options{Rooms: newRooms(t, bottest.NewDesk()), By: person("ana"), In: r, Out: io.Discard})
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended ctx: %v", err)
		}
	})
	t.Run("closed room", func(t *testing.T) {
		t.Parallel()
		rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog()})
		if _, err := rooms.Messages(context.Background(), "main", "console:ana", 1); err != nil {
			t.Fatal(err)
		}
		pr, pw := io.Pipe() // nothing ever comes
		defer func() { _ = pw.Close() }()
		done := make(chan error, 1)
		go func() {
			done <- console.Run(context.Background(), console.Options{Rooms: rooms, By: person("ana"), In: pr, Out: io.Discard})
		}()
		if err := rooms.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, console.ErrRoomClosed) {
			t.Errorf("closed rooms: %v", err)
		}
	})
	t.Run("broken output", func(t *testing.T) {
		t.Parallel()
		err := console.Run(context.Background(), console.Options{Rooms: newRooms(t, bottest.NewDesk()), By: person("ana"), In: strings.NewReader("/echo a\n"), Out: broken{}})
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("broken output: %v", err)
		}
	})
	t.Run("long line", func(t *testing.T) {
		t.Parallel()
		err := console.Run(context.Background(), console.Options{Rooms: newRooms(t, bottest.NewDesk()), By: person("ana"), In: strings.NewReader(strings.Repeat("x", 1<<20)), Out: io.Discard})
		if err == nil || !strings.Contains(err.Error(), "65536") {
			t.Errorf("long line: %v", err)
		}
	})
	t.Run("bad room", func(t *testing.T) {
		t.Parallel()
		err := console.Run(context.Background(), console.Options{Rooms: newRooms(t, bottest.NewDesk()), By: person("ana"), Room: "../x", In: strings.NewReader(""), Out: io.Discard})
		if err == nil {
			t.Error("a room that cannot be is entered")
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestUnrecorded: an answer that is on no record is shown all the same.
func TestUnrecorded(t *testing.T) {
	t.Parallel()
	log := bottest.NewLog()
	log.Fill(true)
	rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: log})
	t.Cleanup(func() { _ = rooms.Close(context.Background()) })
	var out bytes.Buffer
	err := console.Run(context.Background(), console.Options{Rooms: rooms, By: person("ana"), In: strings.NewReader("/echo a\n"), Out: &out})
	if err != nil || !strings.Contains(out.String(), "could not be written to the record") {
		t.Errorf("%v, got:\n%s", err, out.String())
	}
}

// TestSite: with the pages' address known, pages and public files can be
// followed from the terminal; a file for one person only has no page.
func TestSite(t *testing.T) {
	t.Parallel()
	var out buffer
	rooms := newRooms(t, filing{})
	err := console.Run(context.Background(), console.Options{Rooms: rooms, By: person("ana"), In: strings.NewReader("/public\n/private\n"), Out: &out, Site: "http://127.0.0.1:8080"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"page: http://127.0.0.1:8080/incident/INC-7  (INC-7)\n", "file: http://127.0.0.1:8080/file/main/m-2/0  (draft.md, 1 byte)\n", "file: draft.md (1 byte)\n"} {
		if strings.Count(out.String(), want) < 1 {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// filing answers with a page and a file.
type filing struct{}

func (filing) Do(_ context.Context, r commands.Request, _ func(commands.Post)) commands.Reply {
	return commands.Reply{Headline: "Here.", Public: r.Text == "/public", Links: []commands.Link{{Label: "INC-7", Path: "/incident/INC-7"}}, Files: []commands.File{{Name: "draft.md", Type: "text/markdown", Data: []byte("x")}}}
}

func (filing) Complete(context.Context, string, string) []string { return nil }
