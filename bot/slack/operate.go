package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds what is done in a channel that is no message: topic, pin,
// invitations, bookmarks, canvas, archiving, files. All but files stand in a
// lane of their own beside the messages', so that Slack's tighter limits for
// them keep no message waiting. Each may be done twice to the same effect.

// side is the lane beside a channel's messages.
func side(channel string) string { return channel + "~" }

// laneChannel is the channel of a lane.
func laneChannel(lane string) string { return strings.TrimSuffix(lane, "~") }

// operation is one kind of what is no message.
type operation struct {
	method  string // what is paced: tier 2; "": nothing is
	missing string // what is not there without it
	do      func(s *Slack, ctx context.Context, channel string, y say, place string) (string, error)
}

// operations are all of them by say.Op. The place is what a later parcel of
// the same key is given.
func operations(op string) (operation, bool) {
	o, ok := map[string]operation{
		"topic":    {"conversations.setTopic", "the topic of an incident's channel cannot be set", (*Slack).opTopic},
		"invite":   {"conversations.invite", "somebody cannot be invited to an incident's channel", (*Slack).opInvite},
		"pin":      {"pins.add", "the card of an incident cannot be pinned", (*Slack).opPin},
		"bookmark": {"bookmarks.add", "an incident's channel gets no bookmarks", (*Slack).opBookmark},
		"canvas":   {"conversations.canvases.create", "the draft does not become a canvas, only a file", (*Slack).opCanvas},
		"archive":  {"conversations.archive", "a channel cannot be archived", (*Slack).opArchive},
		"open":     {"conversations.unarchive", "a channel cannot be unarchived", (*Slack).opOpen},
		"file":     {"", "files cannot be uploaded; they are on the incident's page", (*Slack).opFile},
	}[op]
	return o, ok
}

// never are answers after which an operation is left out and said once.
var never = map[string]bool{"missing_scope": true, "restricted_action": true, "not_allowed_token_type": true, "no_permission": true, "plan_upgrade_required": true, "paid_teams_only": true,
	"team_tier_cannot_create_channel_canvases": true, "canvas_disabled_user_team": true, "free_teams_cannot_edit_standalone_canvases": true, "canvas_creation_failed": true,
	"channel_canvas_creation_failed": true, "canvas_tab_creation_failed": true, "canvas_too_large": true, "too_many_bookmarks": true, "too_many_tabs": true, "permission_denied": true,
	"access_denied": true, "unknown_method": true, "not_implemented": true, "file_uploads_except_images_disabled": true, "file_type_not_allowed": true, "too_many_pins": true,
	"not_pinnable": true, "cant_archive_required": true, "cant_archive_general": true, "method_not_supported_for_channel_type": true}

// operate does one. place is where it was done before, or "".
func (s *Slack) operate(ctx context.Context, lane string, y say, place string) (string, error) {
	op, ok := operations(y.Op)
	if !ok {
		return "", fmt.Errorf("%w: no operation %q", bot.ErrRefused, y.Op)
	}
	if op.method != "" {
		if wait := s.pace.wait(op.method); wait > 0 {
			return "", &bot.Later{After: wait, Quiet: true, Err: errors.New("it waits for its turn")}
		}
	}
	channel := laneChannel(lane)
	at, err := op.do(s, ctx, channel, y, place)
	if err == nil {
		return or(at, y.Op), nil
	}
	var later *bot.Later
	if errors.As(err, &later) {
		return "", err
	}
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) && op.method != "" {
		s.pace.hold(op.method, limited.RetryAfter)
		return "", &bot.Later{After: limited.RetryAfter, Err: err}
	}
	e := slackError(err)
	if e == "is_archived" && s.ended(channel) {
		return or(place, y.Op), nil // it came after the end
	}
	if never[e] || y.Op == "invite" && e != "" && !blocking(e) && judged(e) {
		s.once(op.missing + ": " + words(err))
		return or(place, y.Op), nil
	}
	return "", s.judge(ctx, lane, err)
}

// judged reports an answer that is a decision, not a hiccup.
func judged(e string) bool {
	switch e {
	case "internal_error", "fatal_error", "request_timeout", "service_unavailable", "ratelimited", "rate_limited", "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return false
	}
	return true
}

// ended reports a channel that we have archived.
func (s *Slack) ended(channel string) bool {
	return s.known(channel) && speaker{s}.Ended(s.room(channel))
}

func (s *Slack) opTopic(ctx context.Context, channel string, y say, _ string) (string, error) {
	_, err := s.api.SetTopicOfConversationContext(ctx, channel, clip(escape(y.Text), 250))
	return "", err
}

// opInvite invites those of many who can be.
func (s *Slack) opInvite(ctx context.Context, channel string, y say, _ string) (string, error) {
	invite := s.api.InviteUsersToConversationContext
	if len(y.Users) > 1 {
		invite = s.api.ForceInviteUsersToConversationContext
	}
	_, err := invite(ctx, channel, y.Users...)
	if e := slackError(err); e == "already_in_channel" || e == "cant_invite_self" {
		return "", nil
	}
	return "", err
}

// opPin pins the message that y.Text names.
func (s *Slack) opPin(ctx context.Context, channel string, y say, _ string) (string, error) {
	err := s.api.AddPinContext(ctx, channel, slack.NewRefToMessage(channel, y.Text))
	if e := slackError(err); e == "already_pinned" || e == "message_not_found" {
		return "", nil
	}
	return "", err
}

// opArchive archives a channel when its last message is said.
func (s *Slack) opArchive(ctx context.Context, channel string, _ say, _ string) (string, error) {
	if s.out.Queued(channel) > 0 && !s.isBlocked(channel) {
		return "", &bot.Later{After: 5 * s.o.Every, Quiet: true, Err: errors.New("the last messages come first")}
	}
	err := s.api.ArchiveConversationContext(ctx, channel)
	if e := slackError(err); e == "already_archived" || e == "is_archived" || e == "channel_not_found" {
		return "", nil
	}
	return "", err
}

// opOpen takes back an archiving that a reopening overtook.
func (s *Slack) opOpen(ctx context.Context, channel string, _ say, _ string) (string, error) {
	err := s.api.UnArchiveConversationContext(ctx, channel)
	if e := slackError(err); e != "" && judged(e) {
		return "", nil // create.go has made another channel
	}
	return "", err
}

func (s *Slack) opFile(ctx context.Context, channel string, y say, _ string) (string, error) {
	_, err := s.api.UploadFileContext(ctx, slack.UploadFileParameters{Reader: bytes.NewReader(y.File.Data), FileSize: max(len(y.File.Data), 1),
		Filename: fileName(y.File.Name), Title: fileName(y.File.Name), AltTxt: y.File.Alt, Channel: channel})
	return "", err
}
