package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what is sent to Discord out of the outbox, so that it is done
// once whatever breaks. Places are "channel/message", with "/i" behind when it
// stands where an interaction was deferred.

// maxFile is the largest file that every server takes, in bytes.
const maxFile = 10<<20 - 4096

// oldEdits is the age from which Discord limits edits (error 30046).
const oldEdits = time.Hour

// sendable leaves out what is too large.
func sendable(files []commands.File) (all []commands.File, dropped bool) {
	sum := 0
	for _, f := range files {
		if sum += len(f.Data); len(f.Data) > maxFile || sum > 2*maxFile || len(all) == 10 {
			dropped = true
			continue
		}
		all = append(all, f)
	}
	return all, dropped
}

// judge tells the outbox what an error means. room is the lane's.
func (d *Discord) judge(err error, room, channel string) error {
	if err == nil {
		return nil
	}
	var l *limited
	if errors.As(err, &l) {
		return &bot.Later{After: l.after, All: l.all, Err: err}
	}
	switch c := code(err); {
	case c == 0:
		return err // it is not known whether it was done
	case c == unknownChannel:
		if d.lost(channel) {
			return &bot.Later{After: d.o.Retry, Err: errors.New(words(err))}
		}
		return &bot.Later{After: 20 * d.o.Retry, Err: errors.New(words(err))}
	case c == missingAccess || c == missingPermissions || status(err) == http.StatusUnauthorized || status(err) == http.StatusForbidden:
		return &bot.Later{After: 20 * d.o.Retry, Err: errors.New(words(err))}
	case c == threadArchived || c == threadLocked:
		return &bot.Later{After: d.o.Retry, Err: errors.New(words(err))}
	case c == unknownMessage:
		return fmt.Errorf("%w: %s", bot.ErrGone, words(err))
	}
	return fmt.Errorf("%w: %s", bot.ErrRefused, words(err))
}

// lane is the room and the channel that a parcel is for.
func (d *Discord) lane(ctx context.Context, p bot.Parcel) (room string, c channel, err error) {
	if user, ok := strings.CutPrefix(p.Lane, "@"); ok {
		c, err = d.direct(ctx, user)
		return p.Lane, c, err
	}
	room, _, _ = strings.Cut(p.Lane, "#")
	c, ok := d.channelOf(room)
	if !ok {
		return room, c, &bot.Later{After: 2 * d.o.Retry, Quiet: true, Err: fmt.Errorf("the place of %s is being made", room)}
	}
	return room, c, nil
}

// judgeLane is what it means that a lane has no channel.
func (d *Discord) judgeLane(ctx context.Context, p bot.Parcel, y say, err error) error {
	var later *bot.Later
	if errors.As(err, &later) {
		return err
	}
	return d.judgeDirect(ctx, p, y, err)
}

// Post implements bot.Sender.
func (d *Discord) Post(ctx context.Context, p bot.Parcel) (string, error) {
	y, err := readSay(p)
	if err != nil {
		return "", err
	}
	room, c, err := d.lane(ctx, p)
	if err != nil {
		return "", d.judgeLane(ctx, p, y, err)
	}
	if y.Op != "" && y.Op != "file" {
		return y.Op, d.judge(d.operate(ctx, room, c, y), room, c.ID)
	}
	if id, err := d.answer(ctx, y); err != nil || id != "" {
		return id, err
	}
	m, files := d.drawing(y)
	m.Nonce, m.Enforce = p.Mark(), true
	var made struct {
		ID string `json:"id"`
	}
	path := "channels/" + c.ID + "/messages"
	err = d.open(ctx, c, func() error { return d.api.upload(ctx, http.MethodPost, path, m, files, &made) })
	if code(err) == badForm || code(err) == emptyMessage {
		d.o.Log.Error("discord: a message is refused as it is drawn", "error", words(err))
		b := bare(m)
		b.Nonce = "b" + m.Nonce[1:]
		b.Enforce = true
		err = d.api.call(ctx, http.MethodPost, path, b, &made)
	}
	if code(err) == missingPermissions && (len(m.Embeds) > 0 || len(files) > 0) {
		// Without Embed Links or Attach Files the words are said all the same.
		b := bare(m)
		if len(m.Embeds) > 0 {
			b = newMessage(fit(escape(bot.Text(y.Reply)), 1500))
		} else {
			b.Content = escape(fileName(files[0].Name)) + " cannot be attached; it is on the incident's page."
		}
		b.Nonce, b.Enforce = "b"+m.Nonce[1:], true
		if said := d.api.call(ctx, http.MethodPost, path, b, &made); said == nil {
			d.once("messages come without their proof or files: " + words(err))
			err = nil
		} else if code(said) == 0 {
			err = said
		}
	}
	if err != nil && strings.HasPrefix(p.Lane, "@") {
		return "", d.judgeDirect(ctx, p, y, err)
	}
	if err != nil {
		return "", d.judge(err, room, c.ID)
	}
	if y.Pin {
		d.pin(ctx, p, c.ID, made.ID)
	}
	return c.ID + "/" + made.ID, nil
}

// answer puts a reply where its interaction was deferred. "" and no error: it
// is to be said as a message.
func (d *Discord) answer(ctx context.Context, y say) (place string, err error) {
	if y.Token == "" || d.o.Now().Sub(y.Asked) > d.o.TokenLife {
		return "", nil
	}
	d.answering(ctx, y.Token)
	m, _ := d.drawing(y)
	var made struct {
		ID      string `json:"id"`
		Channel string `json:"channel_id"`
	}
	path := asker{app: y.App, token: y.Token}.original()
	err = d.api.call(ctx, http.MethodPatch, path, m, &made)
	if code(err) == badForm {
		err = d.api.call(ctx, http.MethodPatch, path, bare(m), &made)
	}
	switch {
	case err == nil && made.ID != "" && made.Channel != "":
		return made.Channel + "/" + made.ID + "/i", nil
	case limitedBy(err):
		var l *limited
		_ = errors.As(err, &l)
		return "", &bot.Later{After: l.after, Err: err}
	case err != nil && code(err) == 0:
		return "", err // the same edit again changes nothing
	}
	return "", nil
}

// Edit implements bot.Sender.
func (d *Discord) Edit(ctx context.Context, p bot.Parcel, place string) error {
	y, err := readSay(p)
	if err != nil {
		return err
	}
	room, c, err := d.lane(ctx, p)
	if err != nil {
		return d.judgeLane(ctx, p, y, err)
	}
	switch {
	case y.Op == "file":
		return nil // it was sent
	case y.Op != "":
		return d.judge(d.operate(ctx, room, c, y), room, c.ID)
	}
	parts := strings.Split(place, "/")
	if len(parts) < 2 {
		return bot.ErrGone
	}
	if y.Pin && (parts[0] != c.ID || d.age(parts[1]) > oldEdits) {
		return bot.ErrGone // it is pinned anew
	}
	m, _ := d.drawing(y)
	path := "channels/" + parts[0] + "/messages/" + parts[1]
	err = d.open(ctx, channel{Channel: bot.Channel{ID: parts[0]}, Thread: c.Thread}, func() error { return d.api.call(ctx, http.MethodPatch, path, m, nil) })
	if code(err) == badForm {
		err = d.api.call(ctx, http.MethodPatch, path, bare(m), nil)
	}
	switch c := code(err); {
	case c == oldMessage && y.Reply.Key == "" && !y.Pin && y.Used != "":
		return fmt.Errorf("%w: an old message cannot be edited any more", bot.ErrRefused)
	case c == oldMessage:
		return bot.ErrGone
	case c == unknownChannel && parts[0] != d.o.Channel:
		d.lost(parts[0])
		return bot.ErrGone
	case err == nil && y.Token != "" && len(parts) == 2:
		d.unthink(ctx, y)
	}
	return d.judge(err, room, parts[0])
}

// unthink takes away a deferral whose answer stands in another message.
func (d *Discord) unthink(ctx context.Context, y say) {
	d.mu.Lock()
	done := d.unsaid[y.Token]
	if len(d.unsaid) > 1000 {
		clear(d.unsaid)
	}
	d.unsaid[y.Token] = true
	d.mu.Unlock()
	if !done && d.o.Now().Sub(y.Asked) < d.o.TokenLife {
		_ = d.api.call(ctx, http.MethodDelete, asker{app: y.App, token: y.Token}.original(), nil, nil)
	}
}

// Find implements bot.Sender: a message of ours that says the same, written
// since the parcel, and that is no other parcel's.
func (d *Discord) Find(ctx context.Context, p bot.Parcel) (string, error) {
	y, err := readSay(p)
	if err != nil || y.Op != "" && y.Op != "file" {
		return "", nil // doing it again changes nothing
	}
	room, c, err := d.lane(ctx, p)
	if err != nil {
		return "", d.judgeLane(ctx, p, y, err)
	}
	taken, err := d.o.Notes.List(ctx, "at/"+p.Lane+"/")
	if err != nil {
		return "", err
	}
	others := map[string]bool{}
	for _, n := range taken {
		place, _, _ := strings.Cut(string(n.Value), "\n")
		others[place] = true
	}
	want, files := d.drawing(y)
	after := strconv.FormatInt(max(p.At.Add(-2*time.Minute).UnixMilli()-discordEpoch, 0)<<22, 10)
	for range 10 {
		var all []struct {
			ID          string       `json:"id"`
			Author      user         `json:"author"`
			Content     string       `json:"content"`
			Embeds      []embedTexts `json:"embeds"`
			Attachments []struct {
				Filename string `json:"filename"`
			} `json:"attachments"`
		}
		if err := d.api.call(ctx, http.MethodGet, "channels/"+c.ID+"/messages?limit=100&after="+after, nil, &all); err != nil {
			if code(err) == missingPermissions || code(err) == missingAccess {
				d.once("the permission to read the message history is missing: after a break of the connection a message may come twice")
				return "", nil
			}
			return "", d.judge(err, room, c.ID)
		}
		for _, m := range all {
			after = later(after, m.ID)
			place := c.ID + "/" + m.ID
			if m.Author.ID != d.me() || others[place] || others[place+"/i"] {
				continue
			}
			same := m.Content == strings.TrimSpace(want.Content) && sameEmbeds(m.Embeds, want.Embeds)
			if y.Op == "file" {
				same = len(files) > 0 && len(m.Attachments) == 1 && m.Attachments[0].Filename == fileName(files[0].Name)
			}
			if same {
				if y.Pin {
					d.pin(ctx, p, c.ID, m.ID)
				}
				return place, nil
			}
		}
		if len(all) < 100 {
			return "", nil
		}
	}
	return "", nil
}

type embedTexts struct {
	Description string `json:"description"`
	Fields      []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"fields"`
}

func sameEmbeds(have []embedTexts, want []*discordgo.MessageEmbed) bool {
	if len(have) != len(want) {
		return false
	}
	for i, h := range have {
		if strings.TrimSpace(h.Description) != strings.TrimSpace(want[i].Description) || len(h.Fields) != len(want[i].Fields) {
			return false
		}
		for k, f := range h.Fields {
			if f.Name != want[i].Fields[k].Name || f.Value != want[i].Fields[k].Value {
				return false
			}
		}
	}
	return true
}

func (d *Discord) me() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self
}

func readSay(p bot.Parcel) (y say, err error) {
	if err := json.Unmarshal(p.Body, &y); err != nil {
		return y, fmt.Errorf("%w: %v", bot.ErrRefused, err)
	}
	return y, nil
}

// drawing is a parcel's message and its file.
func (d *Discord) drawing(y say) (message, []commands.File) {
	if y.Op != "file" {
		return draw(y, d.o.Site), nil
	}
	files, dropped := sendable([]commands.File{y.File})
	m := newMessage("")
	if dropped {
		m.Content = escape(fileName(y.File.Name)) + " is too large for Discord; it is on the incident's page."
	}
	return m, files
}

// bare is a drawing as text alone, for a Discord that refuses the rest.
func bare(m message) message { return newMessage(fit(or(m.Content, "certmedic"), 1500)) }

// discordEpoch is where snowflakes begin, in Unix milliseconds.
const discordEpoch = 1420070400000

// age is how long ago a message was written, by its id.
func (d *Discord) age(id string) time.Duration {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return d.o.Now().Sub(time.UnixMilli(n>>22 + discordEpoch))
}

// later is the greater of two ids.
func later(a, b string) string {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	if y > x {
		return b
	}
	return a
}
