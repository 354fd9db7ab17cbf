package discord

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds what one person alone is told: in the place of a deferral,
// beside it, or, when Discord lets the interaction be answered no more, as a
// message.

// asker is who waits for an answer, and where.
type asker struct {
	app, token, channel, user string
	id                        string // of the interaction
	at                        time.Time
	private                   bool // deferred for the person alone
	update                    bool // deferred as an update of the message that a button stands on
}

func askerOf(e envelope, i interaction) asker {
	return asker{app: i.App, token: i.Token, channel: i.Channel, user: i.userID(), id: i.ID, at: e.At, private: e.Private, update: e.Defer == sayDeferUpdate}
}

func (t asker) original() string { return "webhooks/" + t.app + "/" + t.token + "/messages/@original" }

// alive reports whether an interaction may still be answered by its token.
func (w *worker) alive(to asker) bool {
	return !w.dead && w.d.o.Now().Sub(to.at) < w.d.o.TokenLife
}

// hold shows that it is worked on; that it cannot be shown harms nothing.
func (w *worker) hold(ctx context.Context, to asker, text string) {
	if w.gone {
		return // its place was taken away: the answer follows
	}
	over, ok := w.d.holding(to.token)
	if !ok {
		return
	}
	defer over()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	y := say{Reply: commands.Reply{State: commands.StateRunning, Headline: text}}
	if err := w.d.api.call(ctx, http.MethodPatch, to.original(), draw(y, ""), nil); dead(err) && code(err) != unknownMessage { // dismissed: it can be answered all the same
		w.dead = true
	}
}

// holding reserves the place of an interaction's answer for the word that it is
// worked on; false: the answer stands there. What is sent after the answer
// could be what is seen in the end.
func (d *Discord) holding(token string) (over func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, busy := d.holds[token]; busy {
		return nil, false
	}
	sent := make(chan struct{})
	d.holds[token] = sent
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(sent)
		if d.holds[token] == sent {
			delete(d.holds, token)
		}
	}, true
}

// answering waits until nothing else is sent to the place of an interaction's
// answer, and keeps it.
func (d *Discord) answering(ctx context.Context, token string) {
	d.mu.Lock()
	sent := d.holds[token]
	if len(d.holds) > 2000 {
		clear(d.holds)
	}
	d.holds[token] = nil
	d.mu.Unlock()
	if sent == nil {
		return
	}
	select {
	case <-sent:
	case <-ctx.Done():
	}
}

// unsay takes the deferral away: the channel has the answer.
func (w *worker) unsay(ctx context.Context, to asker) error {
	if to.update || w.gone || !w.alive(to) {
		return nil
	}
	err := w.d.api.call(ctx, http.MethodDelete, to.original(), nil, nil)
	if err == nil || code(err) != 0 {
		w.gone = true
		return nil
	}
	return err
}

// whisper tells one person: in the place of the deferral; when that was in the
// open, as a follow-up; and when the interaction is dead, as a message.
func (w *worker) whisper(ctx context.Context, to asker, y say) error {
	d := w.d
	m := draw(y, d.o.Site)
	files := append(m.all(y), y.Reply.Files...)
	files, dropped := sendable(files)
	if dropped {
		m.Content += "\n-# A file is too large for Discord; it is on the incident's page."
	}
	if w.alive(to) {
		var err error
		if to.private {
			err = d.api.upload(ctx, http.MethodPatch, to.original(), m, files, nil)
			if code(err) == unknownMessage { // its person has dismissed it: the answer is for them alone all the same
				m.Flags = flagEphemeral
				err = d.api.upload(ctx, http.MethodPost, "webhooks/"+to.app+"/"+to.token, m, files, nil)
			}
		} else {
			if err = w.unsay(ctx, to); err == nil {
				m.Flags = flagEphemeral
				err = d.api.upload(ctx, http.MethodPost, "webhooks/"+to.app+"/"+to.token, m, files, nil)
			}
		}
		switch {
		case err == nil:
			return nil
		case dead(err):
			w.dead = true
		case code(err) != 0 && !limitedBy(err):
			d.o.Log.Warn("discord: an answer is refused", "error", words(err))
			b := newMessage(fit(m.Content, 1500))
			return d.api.call(ctx, http.MethodPatch, to.original(), b, nil)
		default:
			return err
		}
	}
	return w.late(ctx, to, y, m, files)
}

func limitedBy(err error) bool {
	var l *limited
	return errors.As(err, &l)
}

// late answers with a message, since the interaction is dead. What is of a
// private incident is only announced.
func (w *worker) late(ctx context.Context, to asker, y say, m message, files []commands.File) error {
	d := w.d
	if to.channel == "" {
		return nil
	}
	if d.channels.Hides(ctx, d.room(to.channel), y.Reply) {
		m, files = newMessage("The answer to your command came too late for Discord. Give the command again to see it."), nil
	}
	m.Flags = 0
	m.Content = fit("-# For <@"+to.user+">, late:\n"+m.Content, maxContent)
	m.Nonce, m.Enforce = "late-"+to.id, true
	if len(m.Nonce) > 25 {
		m.Nonce = m.Nonce[len(m.Nonce)-25:]
	}
	err := d.api.upload(ctx, http.MethodPost, "channels/"+to.channel+"/messages", m, files, nil)
	if code(err) != 0 && !limitedBy(err) {
		d.o.Log.Warn("discord: an answer cannot be shown", "error", words(err))
		return nil
	}
	return err
}
