package bottest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Hostile is a line that tries markup, scripts, terminal sequences, mentions
// and a reversed text on whatever shows it.
const Hostile = "<script>alert(1)</script><img src=x onerror=alert(2)> \" onmouseover=\"alert(3) " +
	"\x1b]0;owned\x07\x1b[31mred \u202egnp.exe *bold* @everyone <!channel> ```code [a](javascript:alert(4)) {{.}} tail-of-hostile"

// Desk is a desk that follows a script:
//
//	/echo X      a private reply "echo: X"
//	/public X    a public reply "public: X" with a body, a fact, a table and a link
//	/slow X      a private reply after Release(X)
//	/buttons     a public reply with the buttons Renew and Check again
//	/long        a private reply of 2000 lines
//	/hostile     a public reply that is Hostile all over
//	/certcheck X a private reply with a fact, and the buttons Renew and Open INC-9
//	/panic X     a panic
//
// Anything else is an unknown verb.
type Desk struct {
	mu    sync.Mutex
	gates map[string]chan struct{}
	began map[string]chan struct{}
	asked []commands.Request
}

// NewDesk makes a Desk.
func NewDesk() *Desk {
	return &Desk{gates: map[string]chan struct{}{}, began: map[string]chan struct{}{}}
}

// Do answers.
func (d *Desk) Do(ctx context.Context, q commands.Request, post func(commands.Post)) commands.Reply {
	verb, rest, _ := strings.Cut(q.Text, " ")
	d.mu.Lock()
	d.asked = append(d.asked, q)
	d.mu.Unlock()
	switch verb {
	case "/echo":
		return commands.Reply{State: commands.StateInfo, Headline: "echo: " + rest}
	case "/public":
		return full(rest)
	case "/slow":
		close(d.gate(d.began, rest))
		select {
		case <-d.gate(d.gates, rest):
		case <-ctx.Done():
		}
		return commands.Reply{State: commands.StateInfo, Headline: "slow: " + rest}
	case "/buttons":
		return commands.Reply{State: commands.StateWarning, Headline: "a choice", Public: true, Buttons: []commands.Button{
			{Label: "Renew", Command: "/public pressed", Style: "primary"},
			{Label: "Check again", Command: "/echo rechecked"},
		}}
	case "/certcheck":
		r := full(rest)
		r.Headline, r.Public = "checked: "+rest, false
		r.Buttons = []commands.Button{{Label: "Renew", Command: "/renew " + rest}, {Label: "Open INC-9", Command: "/incident show INC-9"}}
		return r
	case "/long":
		var b strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&b, "line %d of the long answer\n", i+1)
		}
		return commands.Reply{State: commands.StateInfo, Headline: "A long answer", Body: b.String()}
	case "/hostile":
		return hostile()
	case "/panic":
		panic("boom: " + rest)
	}
	return commands.Reply{State: commands.StateWarning, Headline: "There is no verb " + verb + ".", Problem: commands.Problem{
		Code: "unknown_verb", Message: "There is no verb " + verb + ".", Hint: "The nearest is /certcheck, for example /certcheck media.",
	}}
}

func full(text string) commands.Reply {
	return commands.Reply{
		State: commands.StateGood, Headline: "public: " + text, Body: "first line\nsecond line", Public: true,
		Facts: []commands.Fact{{Name: "Proof", Value: "three hosts"}},
		Table: commands.Table{Columns: []string{"Host", "Serves"}, Rows: []commands.Row{{State: commands.StateGood, Cells: []string{"cdn-1", "new"}}}},
		Links: []commands.Link{{Label: "Estate", Path: "/estate"}},
	}
}

func hostile() commands.Reply {
	h := Hostile
	return commands.Reply{
		State: "evil\" onclick=", Headline: "hostile reply " + h, Body: h + "\n" + h, Public: true,
		Facts:   []commands.Fact{{Name: h, Value: h}},
		Table:   commands.Table{Columns: []string{h}, Rows: []commands.Row{{State: h, Cells: []string{h, h}}}},
		Steps:   []commands.Line{{State: h, Text: h}},
		Buttons: []commands.Button{{Label: h, Command: "/echo " + h, Confirm: h, Style: h}},
		Links:   []commands.Link{{Label: h, Path: "javascript:alert(5)"}, {Label: h, Path: "//evil.example/x"}},
		Files:   []commands.File{{Name: h, Type: "text/html", Data: []byte(h)}},
	}
}

// Complete completes to three fixed lines.
func (d *Desk) Complete(_ context.Context, line, _ string) []string {
	var all []string
	for _, c := range []string{"/certcheck media", "/incident declare", "/renew media"} {
		if strings.HasPrefix(c, line) {
			all = append(all, c)
		}
	}
	return all
}

// Release lets "/slow name" answer.
func (d *Desk) Release(name string) {
	c := d.gate(d.gates, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
}

// ReleaseAll releases whatever is held.
func (d *Desk) ReleaseAll() {
	d.mu.Lock()
	names := []string{}
	for name := range d.began {
		names = append(names, name)
	}
	d.mu.Unlock()
	for _, name := range names {
		d.Release(name)
	}
}

// Started waits until "/slow name" is being answered.
func (d *Desk) Started(name string, most time.Duration) bool {
	select {
	case <-d.gate(d.began, name):
		return true
	case <-time.After(most):
		return false
	}
}

// Count is how often a line was asked.
func (d *Desk) Count(text string) int {
	return len(d.Asked(text))
}

// Asked are the requests with this text ("": all), in order.
func (d *Desk) Asked(text string) []commands.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []commands.Request
	for _, q := range d.asked {
		if text == "" || q.Text == text {
			all = append(all, q)
		}
	}
	return all
}

func (d *Desk) gate(of map[string]chan struct{}, name string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if of[name] == nil {
		of[name] = make(chan struct{})
	}
	return of[name]
}

// Log is a bot.Log in memory, as it would be on disk: only what was saved is
// in it.
type Log struct {
	mu    sync.Mutex
	rooms map[string][]bot.Message
	full  bool
	Saves int
}

// ErrFull is what a full Log answers.
var ErrFull = errors.New("no space left on device")

// NewLog makes a Log.
func NewLog() *Log { return &Log{rooms: map[string][]bot.Message{}} }

// Fill makes every Save fail, or no more.
func (l *Log) Fill(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = full
}

// Save writes a message.
func (l *Log) Save(_ context.Context, m bot.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return ErrFull
	}
	l.Saves++
	ms := l.rooms[m.Room]
	i, found := slices.BinarySearchFunc(ms, m.Seq, func(m bot.Message, s int) int { return m.Seq - s })
	if found {
		if ms[i].Rev >= m.Rev {
			return fmt.Errorf("revision %d of %s written after revision %d", m.Rev, m.ID, ms[i].Rev)
		}
		ms[i] = m
		return nil
	}
	l.rooms[m.Room] = slices.Insert(ms, i, m)
	return nil
}

// Load reads a room's last messages.
func (l *Log) Load(_ context.Context, room string, limit int) ([]bot.Message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ms := l.rooms[room]
	if len(ms) > limit {
		ms = ms[len(ms)-limit:]
	}
	return slices.Clone(ms), nil
}

// Cut returns a copy of what was saved until now: what a process that is
// killed here leaves behind.
func (l *Log) Cut() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := NewLog()
	for room, ms := range l.rooms {
		c.rooms[room] = slices.Clone(ms)
	}
	return c
}
