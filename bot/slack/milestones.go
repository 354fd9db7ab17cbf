package slack

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/commands"
)

// This file holds how main is told of an incident that is worked on in its own
// channel. What it is told of, and when, is bot.Milestones'.

// milestone tells main how a public incident stands.
func (w *wish) milestone(ctx context.Context) {
	s, i := w.s, w.i
	told, line, left, err := s.milestones.Of(ctx, i, w.c.Told)
	if err != nil {
		w.err = err
		return
	}
	if left > 0 {
		w.later(left)
	}
	if told != w.c.Told {
		w.dirty = true
	}
	key := "where/" + i.ID
	if w.c.Told != "" {
		key = fmt.Sprintf("milestone/%s/%d", i.ID, w.c.Tells+1)
	}
	w.c.Told = told
	if line == "" {
		return
	}
	if !strings.HasPrefix(key, "where/") {
		w.c.Tells++
	}
	w.add(s.o.Channel, key, say{Channel: w.c.ID, Reply: commands.Reply{State: i.Card.State, Public: true, Incident: i.ID, Headline: line}})
}

// channel adds a link to another channel.
func (d *drawing) channel(id string) {
	if id == "" {
		return
	}
	d.blocks = append(d.blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, "<#"+escape(id)+">", false, true)))
}
