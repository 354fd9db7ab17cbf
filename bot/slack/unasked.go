package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/bot"
)

// This file holds what the bot tells one person alone without having been
// asked: a role's brief, a word that waits for an approval. It goes through the
// outbox, in a lane of the person: shown to them alone in the room's channel
// when they are in it, else as a direct message. Slack keeps no record of what
// is shown to one person in a channel: after a break of the connection that may
// come twice.

// here is the place of what was shown to one person alone: it cannot be edited.
const here = "here"

func personLane(user string) string { return "@" + user }

// unasked are the parcels of a message for one person alone.
func (s *Slack) unasked(m bot.Message, c channel, hidden bool, gone []int) ([]bot.Parcel, error) {
	to := m.Unasked("slack")
	if !userID.MatchString(to) {
		return nil, nil
	}
	y := s.saying(m)
	y.To, y.Gone = to, gone
	if !hidden {
		y.In = c.ID
	}
	var ps []bot.Parcel
	for i, part := range pages(y) {
		part.To, part.In = y.To, y.In
		key := m.Key()
		if i > 0 {
			key += fmt.Sprintf("/%d", i)
		}
		p, err := bot.NewParcel(personLane(to), key, part)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// notIn are answers of Slack by which somebody is not to be reached in a channel.
var notIn = []string{"user_not_in_channel", "not_in_channel", "channel_not_found", "is_archived", "restricted_action", "method_not_supported_for_channel_type"}

// postUnasked says it to its person. The place is here, or the direct message's
// channel and time.
func (s *Slack) postUnasked(ctx context.Context, p bot.Parcel, y say) (string, error) {
	if _, no, err := s.who(ctx, y.To, ""); err != nil {
		return "", &bot.Later{After: 5 * s.o.Retry, Err: err}
	} else if no != nil {
		return "", fmt.Errorf("%w: %s is not a member of this workspace", bot.ErrRefused, y.To)
	}
	d := s.drawn(y, p)
	if y.In != "" {
		_, err := s.api.PostEphemeralContext(ctx, y.In, y.To, d.options()...)
		if tooMuch(err) {
			_, err = s.api.PostEphemeralContext(ctx, y.In, y.To, d.bare(p.Mark()).options()...)
		}
		if err == nil {
			return here, nil
		}
		if !slices.Contains(notIn, slackError(err)) {
			return "", s.judgeUnasked(ctx, p, err)
		}
	}
	in, ts, err := s.api.PostMessageContext(ctx, y.To, d.posts()...)
	if tooMuch(err) {
		in, ts, err = s.api.PostMessageContext(ctx, y.To, d.bare(p.Mark()).posts()...)
	}
	if err != nil {
		return "", s.judgeUnasked(ctx, p, err)
	}
	return in + "/" + ts, nil
}

// editUnasked changes a direct message: its button was used, or is useless now.
func (s *Slack) editUnasked(ctx context.Context, p bot.Parcel, y say, place string) error {
	in, ts, ok := strings.Cut(place, "/")
	if !ok {
		return nil // shown in a channel: the press itself changed it
	}
	d := s.drawn(y, p)
	_, _, _, err := s.api.UpdateMessageContext(ctx, in, ts, d.options()...)
	if tooMuch(err) {
		_, _, _, err = s.api.UpdateMessageContext(ctx, in, ts, d.bare(p.Mark()).options()...)
	}
	if errors.Is(s.judgeUnasked(ctx, p, err), bot.ErrGone) {
		return nil // who deleted it does not want it again
	}
	return s.judgeUnasked(ctx, p, err)
}

// judgeUnasked is judge where no channel is blocked: what a person cannot be
// told is dropped, and said once.
func (s *Slack) judgeUnasked(ctx context.Context, p bot.Parcel, err error) error {
	if e := slackError(err); blocking(e) {
		err = fmt.Errorf("%w: %s", bot.ErrRefused, e)
	} else {
		err = s.judge(ctx, p.Lane, err)
	}
	if errors.Is(err, bot.ErrRefused) {
		s.once("a word for one person alone cannot be said in Slack: " + words(err))
	}
	return err
}
