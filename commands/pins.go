package commands

// This file puts chat messages on timelines for the platforms: by a reaction,
// by "Add to timeline", by the platform's own pin. The record keeps each message
// once (incident.Book.Pin); here is who may, what is said about it, and where.
// The reply is for the one who did it; the incident's room is told by post, in
// one message a pin that later changes edit.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// cutWords tell somebody that a secret of theirs was not stored.
const cutWords = "Something that looks like a private key, a token or a password was cut out before storing. Change it: others may have seen it."

// Pin puts a message on a timeline, once however often it is pinned; one that
// was taken off comes back. Only who is part of a private incident may pin into it.
func (d *Desk) Pin(ctx context.Context, p Pin, post func(Post)) Reply {
	return d.pinning(ctx, p.By, p.Room, "pin "+p.Key, post, func(c *call) (Reply, error) { return c.pin(ctx, p) })
}

// Unpin takes a message off its timeline. at is when it was un-pinned.
func (d *Desk) Unpin(ctx context.Context, key string, by Person, at time.Time, post func(Post)) Reply {
	return d.pinning(ctx, by, "", "unpin "+key, post, func(c *call) (Reply, error) { return c.unpin(ctx, key) })
}

// Repin follows a pinned message that its author changed to text, or deleted,
// at a time. A message that is on no timeline is none of its business.
func (d *Desk) Repin(ctx context.Context, key, text string, deleted bool, at time.Time, post func(Post)) error {
	out, done, err := d.o.Book.Repin(ctx, key, text, deleted, at)
	if errors.Is(err, incident.ErrNotFound) || err == nil && !done {
		return nil
	}
	if err != nil {
		return fmt.Errorf("follow the message %.80s: %w", key, err)
	}
	c := &call{d: d, say: post}
	r := pinCard(out, "")
	if deleted {
		r.Body = "Its author deleted the message; what it said stays on the record."
	} else {
		r.Body = "Its author changed the message; what it said before stays in the history."
	}
	c.post(out.Incident.ID, r)
	c.tellCut(out)
	return nil
}

// pinning answers as Do does: whatever goes wrong is the reply's Problem.
func (d *Desk) pinning(ctx context.Context, by Person, room, what string, post func(Post), fn func(c *call) (Reply, error)) (reply Reply) {
	log := []slog.Attr{slog.String("text", clip(oneLine(what), 200)), slog.String("by", by.ID), slog.String("room", room)}
	defer func() {
		if e := recover(); e != nil {
			reply = clean(problemReply(d.explain(ctx, fmt.Errorf("panic: %v\n%s", e, debug.Stack()), log...)))
		}
	}()
	by = d.Who(by)
	c := &call{d: d, r: Request{Text: "/incident note", By: by, Room: room}, say: post, v: lookup("incident note"), args: &args{}}
	r, err := fn(c)
	if err != nil {
		return clean(problemReply(d.explain(ctx, err, log...)))
	}
	return clean(r)
}

func (c *call) pin(ctx context.Context, p Pin) (Reply, error) {
	if p.By.ID == "" || strings.TrimSpace(p.Key) == "" {
		return Reply{}, Problem{Code: "no_person", Message: "It is not known who pinned this, or what.", Hint: "Put it down yourself: /incident note what it says"}
	}
	if p.Incident != "" {
		c.args.words = []word{{text: p.Incident}}
	}
	if err := c.allowed(ctx); err != nil {
		return Reply{}, err
	}
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	author := person(c.d.Who(p.Author))
	if author.ID == "" {
		author = incident.Person{ID: p.By.Platform + ":?", Name: "somebody", Platform: p.By.Platform}
	}
	now := c.d.o.Now().UTC()
	pin := incident.Pin{Message: p.Key, At: c.d.notLater(p.At), Author: author, Text: plain(p.Text), Link: p.Link, By: c.by(), Pinned: p.Pinned}
	if pin.Pinned.IsZero() || pin.Pinned.After(now) {
		pin.Pinned = now
	}
	var out incident.Pinned
	defer func() { // what came on no line is not kept
		if out.Added {
			return
		}
		if err := c.d.o.Book.DropImages(context.WithoutCancel(ctx), i.ID, pin.Images); err != nil {
			c.d.o.Log.Error("an image that no line has stays", "incident", i.ID, "error", err)
		}
	}()
	for _, f := range p.Images {
		img, err := c.d.o.Book.KeepImage(ctx, i.ID, f.Name, f.Data)
		if err != nil {
			return Reply{}, fmt.Errorf("keep %.80s with %s: %w", f.Name, i.ID, err)
		}
		pin.Images = append(pin.Images, img)
	}
	out, err = c.d.o.Book.Pin(ctx, i.ID, pin)
	var other *incident.PinnedElsewhereError
	if errors.As(err, &other) {
		return Reply{}, c.pinnedElsewhere(ctx, other)
	}
	if err != nil {
		return Reply{}, c.bookError(i, err)
	}
	if !out.Added && !out.Back && !out.Changed {
		r := pinCard(out, "It is on the timeline already: ")
		r.Key, r.Buttons = "", nil
		return r, nil
	}
	c.post(i.ID, pinCard(out, ""))
	c.tellCut(out)
	r := pinCard(out, "On the timeline: ")
	r.Key = ""
	for _, img := range out.Entry.Evidence.Pin.Images {
		if img.Left != "" {
			r.Body = strings.TrimSpace(r.Body + "\n" + img.Name + " is not kept: " + end(img.Left))
		}
	}
	if out.Cut {
		r.State, r.Body = StateWarning, strings.TrimSpace(r.Body+"\n"+cutWords)
	}
	return r, nil
}

func person(p Person) incident.Person {
	return incident.Person{ID: p.ID, Name: p.Name, Platform: p.Platform}
}

// pinnedElsewhere says where a message is, to those who may know.
func (c *call) pinnedElsewhere(ctx context.Context, other *incident.PinnedElsewhereError) error {
	p := Problem{Code: "pinned_elsewhere", Message: "This message is on another timeline already, and a message is on one alone.", Hint: "Say here what matters of it: /incident note what it says"}
	if i, err := c.d.o.Book.Incident(ctx, other.Incident); err == nil && c.d.visible(i, c.r.By) {
		p.Message = fmt.Sprintf("This message is %s of %s already, and a message is on one timeline alone.", other.Entry, other.Incident)
		p.Hint = fmt.Sprintf("Look at it: /incident timeline %s. To move it, take it off there first: /incident drop %s %s", other.Incident, other.Incident, other.Entry)
	}
	return p
}

func (c *call) unpin(ctx context.Context, key string) (Reply, error) {
	none := Problem{Code: "not_pinned", Message: "This message is on no timeline.", Hint: "Put it there by pinning it, or say it: /incident note what it says"}
	i, _, err := c.d.o.Book.PinOf(ctx, key)
	if errors.Is(err, incident.ErrNotFound) || err == nil && !c.d.visible(i, c.r.By) {
		return Reply{}, none
	}
	if err != nil {
		return Reply{}, fmt.Errorf("look for the message %.80s: %w", key, err)
	}
	c.args.words = []word{{text: i.ID}}
	if err := c.allowed(ctx); err != nil {
		return Reply{}, err
	}
	out, done, err := c.d.o.Book.Unpin(ctx, key, c.by())
	if errors.Is(err, incident.ErrNotFound) {
		return Reply{}, none
	}
	if err != nil {
		return Reply{}, c.bookError(i, err)
	}
	r := offCard(out, c.r.By.Name)
	if !done {
		r.Headline = fmt.Sprintf("%s %s is off the timeline already.", i.ID, out.Entry.ID)
	} else {
		c.post(i.ID, r)
	}
	r.Key = ""
	return r, nil
}

// pinKey makes everything said in the room about one pin one message.
func pinKey(out incident.Pinned) string { return "pin/" + out.Incident.ID + "/" + out.Entry.ID }

// pinCard is a pinned message in the incident's room.
func pinCard(out incident.Pinned, before string) Reply {
	i, e := out.Incident, out.Entry
	pin := e.Evidence.Pin
	said := fmt.Sprintf("%s%s %s, %s, %s: %s", before, i.ID, e.ID, stamp(e.At), who(e.By.Name), clip(oneLine(e.Text), 200))
	r := Reply{State: StateInfo, Headline: said, Key: pinKey(out), Links: []Link{{i.ID, incidentPath(i.ID)}},
		Facts:   []Fact{{"pinned", "by " + pin.By.Name + ", " + stamp(pin.Pinned)}},
		Buttons: []Button{{Label: "Take off", Command: "/incident drop " + i.ID + " " + e.ID}}}
	kept := 0
	for _, img := range pin.Images {
		if img.SHA256 != "" {
			kept++
		}
	}
	if kept > 0 {
		r.Facts = append(r.Facts, Fact{"kept", plural(kept, "image") + ", on the page of " + i.ID})
	}
	return r
}

// offCard is a message that was taken off.
func offCard(out incident.Pinned, by string) Reply {
	i, e := out.Incident, out.Entry
	return Reply{State: StateInfo, Key: pinKey(out), Links: []Link{{i.ID, incidentPath(i.ID)}},
		Headline: fmt.Sprintf("%s %s is off the timeline: %s", i.ID, e.ID, clip(oneLine(e.Text), 200)),
		Body:     "Taken off by " + by + ". It stays in the history; pinning it again brings it back."}
}

// tellCut tells the author of a message that a secret was cut out of it, in
// private in the incident's room.
func (c *call) tellCut(out incident.Pinned) {
	author := out.Entry.By
	if !out.Cut || c.d.same(author.ID, c.r.By.ID) {
		return
	}
	r := Reply{State: StateWarning, Headline: "A message of yours was put on the timeline of " + out.Incident.ID + ".", Body: cutWords}
	c.tell(out.Incident.ID, author, r)
}
