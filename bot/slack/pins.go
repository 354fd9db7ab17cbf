package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file puts messages on timelines: by a reaction, by "Add to timeline", by
// Slack's own pin. What holds a message there is written down: it leaves when
// the last holder lets go. What events say is in pins_events.go, how messages
// and images are read in pins_read.go.

// pinned is a message on a timeline, kept under pin/<channel>/<ts>. V is 1; a
// reader refuses a higher one, new fields may join, none changes its meaning.
type pinned struct {
	V       int       `json:"v"`
	Holders []string  `json:"holders"` // "r:U1" a reaction, "p" Slack's pin, "s" the shortcut
	Text    string    `json:"text"`    // as it was put there, to know a change
	At      time.Time `json:"at"`
}

// Holders of a message.
const (
	byShortcut = "s"
	byPin      = "p"
	byReaction = "r:" // and the user's id
)

// mostHolders is how many holders of a message are noted. From there on a
// reaction changes nothing, and is not looked at: thousands of people may put
// the same emoji on one message, and each look costs Slack four calls.
const mostHolders = 20

// keepPins is how long a message's changes are followed.
const keepPins = 180 * 24 * time.Hour

func pinNote(channel, ts string) string { return "pin/" + channel + "/" + ts }
func pinKey(channel, ts string) string  { return "slack/" + channel + "/" + ts }

// readPins reads which messages are on timelines.
func (s *Slack) readPins(ctx context.Context) error {
	ns, err := s.o.Notes.List(ctx, "pin/")
	if err != nil {
		return fmt.Errorf("read Slack's pinned messages: %w", err)
	}
	for _, n := range ns {
		var p pinned
		if err := json.Unmarshal(n.Value, &p); err != nil || p.V > 1 {
			return fmt.Errorf("%s cannot be read (version %d): %v", n.Key, p.V, err)
		}
		s.followed.Store(n.Key, true)
	}
	return nil
}

// pinOf reads a message's note; ok is false when it is on no timeline.
func (s *Slack) pinOf(ctx context.Context, channel, ts string) (p pinned, ok bool, err error) {
	ns, err := s.o.Notes.List(ctx, pinNote(channel, ts))
	for _, n := range ns {
		if n.Key == pinNote(channel, ts) {
			return p, true, json.Unmarshal(n.Value, &p)
		}
	}
	return p, false, err
}

// changePin changes a message's note; change returns false when it is to go. It
// returns the note as it is then.
func (s *Slack) changePin(ctx context.Context, channel, ts string, change func(p *pinned) bool) (p pinned, held bool, err error) {
	s.pinning.Lock()
	defer s.pinning.Unlock()
	if p, _, err = s.pinOf(ctx, channel, ts); err != nil {
		return p, false, err
	}
	var b []byte
	if held = change(&p); held {
		p.V = 1
		if b, err = json.Marshal(p); err != nil {
			return p, held, err
		}
	}
	if err = s.o.Notes.Put(ctx, note(pinNote(channel, ts), b)); err != nil {
		return p, held, err
	}
	if held {
		s.followed.Store(pinNote(channel, ts), true)
	} else {
		s.followed.Delete(pinNote(channel, ts))
	}
	return p, held, nil
}

func (p *pinned) hold(holder string) {
	p.release(holder)
	p.Holders = append(p.Holders, holder)
}

func (p *pinned) release(holder string) {
	var left []string
	for _, h := range p.Holders {
		if h != holder {
			left = append(left, h)
		}
	}
	p.Holders = left
}

// pinAsk is a message to be put on a timeline.
type pinAsk struct {
	to       asker
	by       commands.Person
	holder   string
	channel  string
	m        chatMessage
	incident string    // "": the channel's, or the only open one
	at       time.Time // of the reaction, the press
	quiet    bool      // nobody asked for an answer
	replace  bool      // the answer takes the place of the question
}

// put puts a message on a timeline.
func (s *Slack) put(ctx context.Context, a pinAsk) error {
	tell := func(r commands.Reply) error {
		if a.quiet {
			return nil
		}
		return s.whisper(ctx, a.to, say{Reply: r}, a.replace)
	}
	if s.ours(a.m) {
		return tell(commands.Reply{State: commands.StateInfo, Headline: "That is certmedic's own message: what it says is on the record already."})
	}
	room := s.room(a.channel)
	if a.incident == "" && room == "main" {
		open, err := s.openFor(ctx, a.by)
		if err != nil {
			return err
		}
		switch {
		case len(open) > 1 && !a.quiet:
			return s.whichIncident(ctx, a, open)
		case len(open) != 1 && (a.quiet || !s.known(a.channel) && a.holder != byShortcut):
			return nil // in a channel of something else a pin means something else
		}
	}
	if _, _, err := s.changePin(ctx, a.channel, a.m.TS, func(p *pinned) bool {
		p.hold(a.holder)
		p.Text, p.At = s.plain(ctx, a.m), s.o.Now().UTC()
		return true
	}); err != nil {
		return err
	}
	pin := commands.Pin{Key: pinKey(a.channel, a.m.TS), Incident: a.incident, Room: room, At: stampTime(a.m.TS), Author: s.author(ctx, a.m), Text: s.plain(ctx, a.m),
		Link: s.permalink(ctx, a.channel, a.m.TS), By: a.by, Pinned: a.at, Images: s.images(ctx, a.m)}
	var failed error
	reply := s.o.Pins.Pin(ctx, pin, func(p commands.Post) {
		failed = errors.Join(failed, s.o.Rooms.Post(ctx, p))
	})
	if failed != nil {
		return failed // the same pin is put once, however often
	}
	if !reply.Problem.IsZero() {
		if _, _, err := s.changePin(ctx, a.channel, a.m.TS, func(p *pinned) bool { p.release(a.holder); return len(p.Holders) > 0 }); err != nil {
			return err
		}
		return tell(reply)
	}
	if room != "main" && a.holder != byShortcut && !a.replace {
		return nil // the channel says it
	}
	return tell(reply)
}

// off takes a message off when nothing holds it any more.
func (s *Slack) off(ctx context.Context, channel, ts, holder, user string, at time.Time) error {
	was, ok, err := s.pinOf(ctx, channel, ts)
	if err != nil || !ok {
		return err
	}
	var others []string
	asked := false
	if strings.HasPrefix(holder, byReaction) && len(was.Holders) <= mostHolders/2 { // else enough is left, whoever it is
		if others, asked, err = s.reacting(ctx, channel, ts); err != nil {
			return err
		}
	}
	p, _, err := s.changePin(ctx, channel, ts, func(p *pinned) bool {
		p.release(holder)
		if asked { // Slack knows better who still reacts
			for _, h := range append([]string(nil), p.Holders...) {
				if strings.HasPrefix(h, byReaction) {
					p.release(h)
				}
			}
			for _, u := range others[:min(len(others), mostHolders)] {
				p.hold(byReaction + u)
			}
		}
		return true
	})
	if err != nil || len(p.Holders) > 0 {
		return err
	}
	by, _, err := s.who(ctx, user, user)
	if err != nil {
		return err
	}
	var failed error
	reply := s.o.Pins.Unpin(ctx, pinKey(channel, ts), by, at, func(p commands.Post) { failed = errors.Join(failed, s.o.Rooms.Post(ctx, p)) })
	if failed != nil {
		return failed
	}
	if !reply.Problem.IsZero() {
		s.o.Log.Warn("slack: a message is not taken off the timeline", "problem", reply.Problem.Message)
	}
	_, _, err = s.changePin(ctx, channel, ts, func(p *pinned) bool { return len(p.Holders) > 0 })
	return err
}

// openFor are the open incidents that a person may see, the newest last.
func (s *Slack) openFor(ctx context.Context, by commands.Person) ([]bot.Incident, error) {
	if s.o.Incidents == nil {
		return nil, nil
	}
	all, err := s.o.Incidents.Incidents(ctx)
	if err != nil {
		return nil, err
	}
	var open []bot.Incident
	for _, i := range all {
		if i.Open && (!i.Private || isIn(i.People, by)) {
			open = append(open, i)
		}
	}
	return open, nil
}

func isIn(people []commands.Person, by commands.Person) bool {
	for _, p := range people {
		if p.ID == by.ID {
			return true
		}
	}
	return false
}

// pickAction is the question which incident a message belongs to.
const pickAction = "pinto"

// pick is a question with its answers in a menu.
type pick struct {
	Block   string                `json:"block"` // what the answer is about
	Options []commands.FormOption `json:"options"`
}

// whichIncident asks which incident's timeline is meant. The message is kept
// until the answer, since it may not be readable then.
func (s *Slack) whichIncident(ctx context.Context, a pinAsk, open []bot.Incident) error {
	b, err := json.Marshal(keptMessage{V: 1, Message: a.m, At: s.o.Now().UTC()})
	if err != nil {
		return err
	}
	if err := s.o.Notes.Put(ctx, note("msg/"+a.channel+"/"+a.m.TS, b)); err != nil {
		return err
	}
	y := say{Reply: commands.Reply{State: commands.StateInfo, Headline: fmt.Sprintf("%d incidents are open. On which timeline is this message to stand?", len(open)), Body: clip(s.plain(ctx, a.m), 200)},
		Pick: pick{Block: strings.Join([]string{pickAction, a.channel, a.m.TS, a.holder}, "/")}}
	for i := len(open) - 1; i >= 0; i-- {
		y.Pick.Options = append(y.Pick.Options, commands.FormOption{Value: open[i].ID, Label: open[i].ID + ": " + open[i].Title})
	}
	return s.whisper(ctx, a.to, y, false)
}

// picked puts a message where its pinner said.
func (s *Slack) picked(ctx context.Context, e envelope, a action) error {
	f := strings.Split(a.Actions[0].BlockID, "/")
	if s.o.Pins == nil || len(f) != 4 {
		return nil
	}
	to := asker{url: a.ResponseURL, channel: a.channel(), user: a.User.ID, at: e.At}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	ns, err := s.o.Notes.List(ctx, "msg/"+f[1]+"/"+f[2])
	if err != nil {
		return err
	}
	for _, n := range ns {
		var kept keptMessage
		if n.Key == "msg/"+f[1]+"/"+f[2] && json.Unmarshal(n.Value, &kept) == nil && kept.V == 1 {
			return s.put(ctx, pinAsk{to: to, by: by, holder: f[3], channel: f[1], m: kept.Message, incident: a.Actions[0].Selected.Value, at: e.At, replace: true})
		}
	}
	return s.whisper(ctx, to, say{Reply: commands.Reply{State: commands.StateInfo, Headline: "That message is not at hand any more. Choose Add to timeline again."}}, true)
}

// menu draws the answers of a question.
func (p pick) menu() slack.Block {
	var os []*slack.OptionBlockObject
	for _, o := range p.Options[:min(len(p.Options), maxSelect)] {
		os = append(os, slack.NewOptionBlockObject(o.Value, text(fit(o.Label, maxOption)), nil))
	}
	if len(os) == 0 {
		return nil
	}
	return slack.NewActionBlock(p.Block, slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Choose"), pickAction, os...))
}

// keepAsked is how long a message waits for the answer to which incident it belongs to.
const keepAsked = 6 * time.Hour

// sweepPins forgets messages that wait for an answer no more, and pins of long ago.
func (s *Slack) sweepPins(ctx context.Context) {
	for prefix, keep := range map[string]time.Duration{"msg/": keepAsked, "pin/": keepPins} {
		ns, err := s.o.Notes.List(ctx, prefix)
		if err != nil {
			s.o.Log.Error("slack: sweep", "error", err)
			return
		}
		for _, n := range ns {
			var one struct {
				At time.Time `json:"at"`
			}
			if json.Unmarshal(n.Value, &one) == nil && s.o.Now().Sub(one.At) > keep {
				if err := s.o.Notes.Put(ctx, note(n.Key, nil)); err != nil {
					return
				}
				s.followed.Delete(n.Key)
			}
		}
	}
}
