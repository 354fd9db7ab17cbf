package slack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what main is told of an incident that is worked on in its
// own channel: where that is, and when its severity or status changes. What
// somebody has just said in main is not said there again.

// milestone tells main how a public incident stands.
func (w *wish) milestone(ctx context.Context) {
	s, i := w.s, w.i
	if i.Private || i.Status == "" {
		return
	}
	now := fmt.Sprintf("SEV%d %s", i.Severity, i.Status)
	if w.c.Told == now {
		delete(s.stirred, i.ID)
		return
	}
	if w.c.Told == "" { // its channel is new
		w.c.Told = now
		w.add(s.o.Channel, "where/"+i.ID, say{Channel: w.c.ID, Reply: commands.Reply{State: i.Card.State, Public: true, Incident: i.ID,
			Headline: fmt.Sprintf("%s is worked on in a channel of its own: %s", i.ID, i.Title)}})
		return
	}
	since, ok := s.stirred[i.ID]
	if !ok {
		since = s.o.Now()
		s.stirred[i.ID] = since
	}
	if left := since.Add(s.o.Settle).Sub(s.o.Now()); left > 0 {
		w.later(left) // the answer in main, if it was asked there, comes first
		return
	}
	delete(s.stirred, i.ID)
	sev, _, _ := strings.Cut(w.c.Told, " ")
	headline := fmt.Sprintf("%s is %s now: %s", i.ID, i.Status, i.Title)
	if sev != fmt.Sprintf("SEV%d", i.Severity) {
		headline = fmt.Sprintf("%s is SEV%d now, was %s; it is %s: %s", i.ID, i.Severity, sev, i.Status, i.Title)
	}
	w.c.Told = now
	w.c.Tells++
	if said, err := s.saidInMain(ctx, i, since.Add(-5*time.Second)); err != nil {
		w.err = err
		return
	} else if said {
		w.dirty = true
		return
	}
	w.add(s.o.Channel, fmt.Sprintf("milestone/%s/%d", i.ID, w.c.Tells), say{Channel: w.c.ID,
		Reply: commands.Reply{State: i.Card.State, Public: true, Incident: i.ID, Headline: headline}})
}

// saidInMain reports whether main has heard of an incident since then.
func (s *Slack) saidInMain(ctx context.Context, i bot.Incident, since time.Time) (bool, error) {
	ms, err := s.o.Rooms.Messages(ctx, "main", "", 0)
	if err != nil {
		return false, err
	}
	for _, m := range ms {
		if m.For == "" && m.By.Platform == bot.Bot.Platform && m.Reply.Incident == i.ID && m.At.After(since) {
			return true, nil
		}
	}
	return false, nil
}

// channel adds a link to another channel.
func (d *drawing) channel(id string) {
	if id == "" {
		return
	}
	d.blocks = append(d.blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, "<#"+escape(id)+">", false, true)))
}
