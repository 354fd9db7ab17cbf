package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds what is sent to Slack: the outbox's parcels, and answers
// that one person alone sees.

// fatal are answers of Slack about the app, not a channel, that a person must
// change: what is to be said waits.
var fatal = []string{"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope", "ekm_access_denied", "team_access_not_granted", "org_login_required"}

// unsure are answers after which it is not known whether it was done.
var unsure = []string{"internal_error", "fatal_error", "request_timeout", "service_unavailable"}

func slackError(err error) string {
	var r slack.SlackErrorResponse
	if errors.As(err, &r) {
		return r.Err
	}
	return ""
}

// judge tells the outbox what an error in a lane means.
func (s *Slack) judge(ctx context.Context, lane string, err error) error {
	if err == nil {
		return nil
	}
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		return &bot.Later{After: limited.RetryAfter, All: true, Err: err}
	}
	var status slack.StatusCodeError
	if errors.As(err, &status) {
		if status.Code == http.StatusTooManyRequests {
			return &bot.Later{After: 30 * s.o.Retry, All: true, Err: err}
		}
		return err
	}
	switch e := slackError(err); {
	case e == "ratelimited" || e == "rate_limited" || e == "message_limit_exceeded":
		return &bot.Later{After: 30 * s.o.Retry, Err: err}
	case e == "" || slices.Contains(unsure, e):
		return err
	case blocking(e):
		return s.block(ctx, lane, err)
	case slices.Contains(fatal, e):
		return &bot.Later{After: 30 * s.o.Retry, Err: errors.New(words(err))}
	case e == "message_not_found" || e == "cant_update_message" || e == "edit_window_closed":
		return fmt.Errorf("%w: %s", bot.ErrGone, e)
	default:
		return fmt.Errorf("%w: %s", bot.ErrRefused, words(err))
	}
}

// Post implements bot.Sender.
func (s *Slack) Post(ctx context.Context, p bot.Parcel) (string, error) {
	var y say
	if err := json.Unmarshal(p.Body, &y); err != nil {
		return "", fmt.Errorf("%w: %v", bot.ErrRefused, err)
	}
	if y.Op != "" {
		return s.operate(ctx, p.Lane, y, "")
	}
	if y.To != "" {
		return s.postUnasked(ctx, p, y)
	}
	d := s.drawn(y, p)
	_, ts, err := s.api.PostMessageContext(ctx, p.Lane, d.posts()...)
	if tooMuch(err) {
		_, ts, err = s.api.PostMessageContext(ctx, p.Lane, d.bare(p.Mark()).posts()...)
	}
	if err != nil {
		return "", s.judge(ctx, p.Lane, err)
	}
	s.works(ctx, p.Lane)
	return ts, s.pin(ctx, p.Lane, ts, y)
}

// drawn is a parcel as it is sent.
func (s *Slack) drawn(y say, p bot.Parcel) drawing {
	d := draw(y, p.Mark())
	d.channel(y.Channel)
	d.link(s.o.Site, y.Reply.Links)
	return d
}

// Edit implements bot.Sender.
func (s *Slack) Edit(ctx context.Context, p bot.Parcel, place string) error {
	var y say
	if err := json.Unmarshal(p.Body, &y); err != nil {
		return fmt.Errorf("%w: %v", bot.ErrRefused, err)
	}
	if y.Op == "file" {
		return nil // it was uploaded
	}
	if y.Op != "" {
		_, err := s.operate(ctx, p.Lane, y, place)
		return err
	}
	if y.To != "" {
		return s.editUnasked(ctx, p, y, place)
	}
	d := s.drawn(y, p)
	_, _, _, err := s.api.UpdateMessageContext(ctx, p.Lane, place, d.options()...)
	if tooMuch(err) {
		_, _, _, err = s.api.UpdateMessageContext(ctx, p.Lane, place, d.bare(p.Mark()).options()...)
	}
	if err == nil {
		s.works(ctx, p.Lane)
	}
	return s.judge(ctx, p.Lane, err)
}

// Find implements bot.Sender: the parcel's mark is its first block's id.
func (s *Slack) Find(ctx context.Context, p bot.Parcel) (string, error) {
	var y say
	if err := json.Unmarshal(p.Body, &y); err != nil {
		return "", nil
	}
	if y.Op != "" && y.Op != "file" {
		return "", nil // doing it again changes nothing
	}
	if y.To != "" {
		return "", nil // Slack does not tell what one person alone was shown
	}
	q := &slack.GetConversationHistoryParameters{ChannelID: p.Lane, Limit: 200, Oldest: fmt.Sprintf("%d.000000", p.At.Add(-2*time.Minute).Unix())}
	for range 10 {
		h, err := s.api.GetConversationHistoryContext(ctx, q)
		if slackError(err) == "missing_scope" {
			s.once("the scope channels:history is missing: after a break of the connection a message may come twice")
			return "", nil
		}
		if err != nil {
			return "", s.judge(ctx, p.Lane, err)
		}
		for _, m := range h.Messages {
			if y.Op == "file" {
				for _, f := range m.Files {
					if f.Name == y.File.Name || f.Title == y.File.Name {
						return "file", nil
					}
				}
				continue
			}
			for _, b := range m.Blocks.BlockSet {
				if b.ID() == p.Mark() {
					return m.Timestamp, s.pin(ctx, p.Lane, m.Timestamp, y)
				}
			}
		}
		if !h.HasMore || h.ResponseMetaData.NextCursor == "" {
			return "", nil
		}
		q.Cursor = h.ResponseMetaData.NextCursor
	}
	return "", nil
}

func tooMuch(err error) bool {
	switch slackError(err) {
	case "msg_blocks_too_long", "msg_too_long", "invalid_blocks", "invalid_blocks_format":
		return true
	}
	return false
}

// pin has a card pinned.
func (s *Slack) pin(ctx context.Context, channel, ts string, y say) error {
	if !y.Pin {
		return nil
	}
	p, err := bot.NewParcel(side(channel), "pin", say{Op: "pin", Text: ts})
	if err != nil {
		return err
	}
	return s.out.Put(ctx, []bot.Parcel{p})
}

// fileName keeps what is safe in a name.
func fileName(name string) string {
	name = strings.Trim(plainID.ReplaceAllString(name, "-"), "-.")
	if len(name) > 120 {
		name = name[len(name)-120:]
	}
	return or(name, "file.txt")
}

// whisper tells one person: by the delivery's response URL, or, when that is
// gone, by an ephemeral message. replace takes the place of the message whose
// button was pressed; a slash command has none, and gets one message more.
func (s *Slack) whisper(ctx context.Context, to asker, y say, replace bool) error {
	if to.view != "" {
		return s.show(ctx, to, y)
	}
	for i, part := range pages(y) {
		d := draw(part, "")
		d.link(s.o.Site, part.Reply.Links)
		if err := s.tell(ctx, to, &slack.WebhookMessage{Text: d.text, Blocks: &slack.Blocks{BlockSet: d.blocks}, ResponseType: slack.ResponseTypeEphemeral,
			ReplaceOriginal: replace && i == 0}, d); err != nil {
			return err
		}
	}
	return nil
}

// urlLasts is how long a response_url takes posts.
const urlLasts = 30 * time.Minute

func (s *Slack) tell(ctx context.Context, to asker, m *slack.WebhookMessage, d drawing) error {
	if to.url != "" && s.o.Now().Sub(to.at) < urlLasts && s.trusted(to.url) {
		err := slack.PostWebhookCustomHTTPContext(ctx, to.url, s.http, m)
		var status slack.StatusCodeError
		if err == nil || !errors.As(err, &status) || status.Code >= 500 || status.Code == http.StatusTooManyRequests {
			return err
		}
	}
	if to.channel == "" && to.user == "" {
		return nil
	}
	if to.channel == "" {
		return s.direct(ctx, to.user, d)
	}
	opts := d.options()
	if to.thread != "" {
		opts = append(opts, slack.MsgOptionTS(to.thread))
	}
	_, err := s.api.PostEphemeralContext(ctx, to.channel, to.user, opts...)
	if e := slackError(err); e != "" && !slices.Contains(unsure, e) && to.user != "" { // the bot is not in that channel
		return s.direct(ctx, to.user, d)
	}
	return err
}

// trusted refuses response URLs that are not Slack's (or, with an API URL of
// one's own, that host's).
func (s *Slack) trusted(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	if s.o.APIURL != "" && u.Host == host(s.o.APIURL) {
		return true
	}
	h := u.Hostname()
	return u.Scheme == "https" && (strings.HasSuffix(h, ".slack.com") || strings.HasSuffix(h, ".slack-gov.com"))
}
