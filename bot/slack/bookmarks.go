package slack

import (
	"context"
	"net/url"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds the bookmarks of an incident's channel: its page, the
// runbook, the postmortem's draft.

// mark is a bookmark as it should be.
type mark struct{ Title, Link string }

func (w *wish) marks() []mark {
	var all []mark
	if w.s.o.Site != "" {
		page := strings.TrimSuffix(w.s.o.Site, "/") + "/incident/" + url.PathEscape(w.i.ID)
		all = append(all, mark{"Page of " + w.i.ID, page}, mark{"Postmortem draft", page + "/draft"})
	}
	if u, err := url.Parse(w.i.Runbook); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && len(w.i.Runbook) <= 2048 {
		all = append(all, mark{"Runbook", w.i.Runbook})
	}
	return all
}

// bookmarks keeps them current.
func (w *wish) bookmarks() {
	all := w.marks()
	h := bot.Digest(all)
	if len(all) == 0 || h == w.c.Marked {
		return
	}
	w.c.Marked = h
	for _, m := range all {
		w.add(side(w.c.ID), "mark/"+m.Title, say{Op: "bookmark", Text: m.Title, Link: m.Link})
	}
}

// opBookmark adds a bookmark, or corrects the one of its title. Where the
// bookmarks cannot be listed it is added once.
func (s *Slack) opBookmark(ctx context.Context, channel string, y say, place string) (string, error) {
	there, err := s.api.ListBookmarksContext(ctx, channel)
	switch e := slackError(err); {
	case e == "missing_scope" || e == "access_denied":
		s.once("the scope bookmarks:read is missing: a bookmark may stand twice after a break of the connection, and is not corrected")
		if place != "" {
			return place, nil
		}
	case err != nil:
		return "", err
	}
	for _, b := range there {
		if b.Title != y.Text {
			continue
		}
		if b.Link == y.Link {
			return "", nil
		}
		_, err := s.api.EditBookmarkContext(ctx, channel, b.ID, slack.EditBookmarkParameters{Link: y.Link})
		return "", err
	}
	_, err = s.api.AddBookmarkContext(ctx, channel, slack.AddBookmarkParameters{Title: y.Text, Type: "link", Link: y.Link})
	return "", err
}
