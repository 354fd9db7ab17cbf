package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// maxLine is the longest line taken, in bytes.
const maxLine = 16 << 10

// call is one request being answered.
type call struct {
	d    *Desk
	r    Request
	v    *verb
	args *args
	say  func(Post)

	id    string // the incident that the line named, "INC-7"
	needs string // the right that the owners of what is meant have; set by allowed
}

// Do answers one request. It never returns an error: what goes wrong is the
// Reply's Problem. post, which may be nil, is given everything else that is to
// be said because of it (echoes in the incident's room). The same Request.ID
// is answered once: a repetition gets the first one's reply.
func (d *Desk) Do(ctx context.Context, r Request, post func(Post)) Reply {
	if r.ID == "" {
		return d.do(ctx, r, post)
	}
	return d.seen.once(ctx, r.ID, func() Reply { return d.do(ctx, r, post) })
}

func (d *Desk) do(ctx context.Context, r Request, post func(Post)) (reply Reply) {
	r.By = d.Who(r.By)
	failed := func(err error) Reply {
		text := clip(oneLine(WithoutSecrets(r.Text)), 200) // it may stand in the log
		return clean(problemReply(d.explain(ctx, err, slog.String("text", text), slog.String("by", r.By.ID), slog.String("room", r.Room))))
	}
	defer func() {
		if e := recover(); e != nil {
			reply = failed(fmt.Errorf("panic: %v\n%s", e, debug.Stack()))
		}
	}()
	c := &call{d: d, r: r, say: post}
	reply, err := c.answer(ctx)
	err = c.named(err)
	if r.Cut {
		defer func() { reply = warnCut(reply, true) }()
	}
	if err != nil {
		var own *refused
		if errors.As(err, &own) {
			own.reply.Problem = own.Problem
			return clean(own.reply)
		}
		return failed(err)
	}
	reply = clean(warnCut(reply, r.Cut))
	if reply.Incident != "" && !strings.EqualFold(reply.Incident, r.Room) {
		echo := reply
		echo.Public = true
		c.post(reply.Incident, echo)
	}
	return reply
}

// named puts the incident that a line named into the example that the line is
// refused with: typed as it stands, it is about the same incident.
func (c *call) named(err error) error {
	var p Problem
	if c.id == "" || c.v == nil || !errors.As(err, &p) {
		return err
	}
	var own *refused
	if errors.As(err, &own) {
		return err
	}
	example := "/" + c.v.Name + " " + c.id + strings.TrimPrefix(incidentWord.ReplaceAllString(c.v.Example, ""), "/"+c.v.Name)
	p.Hint = strings.Replace(p.Hint, "For example: "+c.v.Example, "For example: "+example, 1)
	return p
}

// incidentWord is the incident of an example.
var incidentWord = regexp.MustCompile(` INC-7\b`)

// answer finds the verb, parses the line and runs it.
func (c *call) answer(ctx context.Context) (Reply, error) {
	if len(c.r.Text) > maxLine {
		return Reply{}, Problem{Code: "too_long", Message: fmt.Sprintf("The line has %d bytes; at most %d are taken.", len(c.r.Text), maxLine), Hint: "Say it in several notes, for example: /incident note first part"}
	}
	src := undo(c.r.Text)
	v, ws, err := route(src)
	if err != nil {
		return Reply{}, err
	}
	c.v = v
	if c.args, err = parse(v, src, ws); err != nil {
		return Reply{}, err
	}
	if !v.text && len(c.args.words) > v.max {
		extra := c.args.raw(c.args.words[v.max:])
		return Reply{}, v.problem("extra_words", "/"+v.Name+" does not take "+quote(extra)+".")
	}
	if isIncident(c.r.Room) { // nobody says anything in a room that is not theirs
		if _, err := c.d.incidentByID(ctx, strings.ToUpper(c.r.Room), c.r.By); err != nil {
			return Reply{}, err
		}
	}
	if err := c.allowed(ctx); err != nil {
		return Reply{}, err
	}
	return v.run(ctx, c)
}

// now is when the request was made, as far as the clock agrees.
func (c *call) now() time.Time {
	now := c.d.o.Now().UTC()
	if c.r.At.IsZero() || c.r.At.After(now) {
		return now
	}
	return c.r.At.UTC()
}

// by is who asked, in the words of the floor below.
func (c *call) by() incident.Person {
	return incident.Person{ID: c.r.By.ID, Name: c.r.By.Name, Platform: c.r.By.Platform}
}

func (c *call) renewer() renew.Person {
	return renew.Person{ID: c.r.By.ID, Name: c.r.By.Name, Platform: c.r.By.Platform}
}

// key makes a change of this request happen once; "" without a request id.
func (c *call) key(what string) string {
	if c.r.ID == "" {
		return ""
	}
	if what == "" {
		return "req/" + c.r.ID
	}
	return "req/" + c.r.ID + "/" + what
}

// change is a change by the one who asked.
func (c *call) change(text string) incident.Change {
	return incident.Change{By: c.by(), Text: text, Link: c.r.Link, Key: c.key("")}
}

// repeated reports that this very request has changed the incident before: it
// was delivered again, perhaps after a restart.
func (c *call) repeated(ctx context.Context, id string) bool {
	has, err := c.d.o.Book.Has(ctx, id, c.key(""))
	return err == nil && has
}

// post says something in a room.
func (c *call) post(room string, r Reply) {
	if c.say == nil {
		return
	}
	c.say(Post{Room: room, Reply: clean(r), At: c.d.o.Now().UTC()})
}

// clean returns a reply of its own slices, without control characters and with
// at most five facts: what servers, people and files said is in it.
func clean(r Reply) Reply {
	r.Headline = oneLine(r.Headline)
	r.Body = strings.TrimSpace(plain(r.Body))
	r.Facts = slices.Clone(r.Facts[:min(len(r.Facts), 5)])
	for i, f := range r.Facts {
		r.Facts[i] = Fact{oneLine(f.Name), oneLine(f.Value)}
	}
	r.Table.Rows = slices.Clone(r.Table.Rows)
	for i, row := range r.Table.Rows {
		row.Cells = slices.Clone(row.Cells)
		for j, cell := range row.Cells {
			row.Cells[j] = oneLine(cell)
		}
		r.Table.Rows[i] = row
	}
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		r.Steps[i].Text = oneLine(r.Steps[i].Text)
	}
	r.Buttons = slices.Clone(r.Buttons)
	for i, b := range r.Buttons {
		r.Buttons[i] = Button{oneLine(b.Label), oneLine(b.Command), b.Style, oneLine(b.Confirm)}
	}
	r.Links = slices.Clone(r.Links)
	r.Problem.Message, r.Problem.Hint = oneLine(r.Problem.Message), oneLine(r.Problem.Hint)
	return r
}

// maxSeen is how many replies are kept for repetitions.
const maxSeen = 512

// seen keeps the replies of the last requests, so that a request delivered
// twice is answered once. The record itself keeps the keys of changes, for
// repetitions after a restart.
type seen struct {
	mu    sync.Mutex
	byID  map[string]*answer
	order []string
}

type answer struct {
	done  chan struct{}
	reply Reply
}

func (s *seen) once(ctx context.Context, id string, do func() Reply) Reply {
	s.mu.Lock()
	if a, ok := s.byID[id]; ok {
		s.mu.Unlock()
		select {
		case <-a.done:
			return a.reply
		case <-ctx.Done():
			return problemReply(sentinels[0].p)
		}
	}
	a := &answer{done: make(chan struct{})}
	if s.byID == nil {
		s.byID = map[string]*answer{}
	}
	s.byID[id] = a
	s.order = append(s.order, id)
	if len(s.order) > maxSeen {
		delete(s.byID, s.order[0])
		s.order = s.order[1:]
	}
	s.mu.Unlock()
	defer close(a.done)
	a.reply = do()
	if c := a.reply.Problem.Code; c == "internal" || c == "cancelled" || c == "timeout" {
		s.mu.Lock() // it may be tried again
		if s.byID[id] == a {
			delete(s.byID, id)
			s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == id })
		}
		s.mu.Unlock()
	}
	return a.reply
}
