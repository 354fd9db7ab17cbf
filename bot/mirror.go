package bot

import (
	"context"
	"strings"
)

// This file holds how a platform mirrors a room: it reads what everybody sees,
// and what is for one of its own people alone.

// reader is who reads a room: one person, or, when platform is set, the mirror
// for everybody of that platform. A person's id may be anything that somebody
// calls himself, so that the two are told apart by the field, not by the text.
type reader struct{ person, platform string }

// sees reports whether a message is for the reader.
func (r reader) sees(m Message) bool {
	if r.platform != "" {
		return m.For == "" || strings.HasPrefix(m.For, r.platform+":")
	}
	return m.seenBy(r.person)
}

// MirrorMessages is Messages for a platform ("slack"): what everybody sees and
// what is for one of its people (their ids begin with "slack:"). It asks nobody
// whether they may read the room: see Reads.
func (r *Rooms) MirrorMessages(ctx context.Context, room, platform string) ([]Message, error) {
	rm, leave, err := r.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	defer leave()
	return rm.visible(reader{platform: platform}, 0), nil
}

// Mirror is Subscribe for a platform, as MirrorMessages is Messages.
func (r *Rooms) Mirror(ctx context.Context, room, platform string) <-chan Message {
	return r.listen(ctx, room, reader{platform: platform})
}

// Reads reports whether a person (by id) may read a room.
func (r *Rooms) Reads(ctx context.Context, room, person string) bool {
	return person != "" && r.mayRead(ctx, room, person)
}

// Unasked returns whom a message is for, by the platform's own id ("U0ANA" of
// "slack:U0ANA"), when the bot says it to one person alone and nobody asked: no
// answer brings it. Else it returns "".
func (m Message) Unasked(platform string) string {
	id, ok := strings.CutPrefix(m.For, platform+":")
	if !ok || m.Request != "" || m.By.Platform != Bot.Platform {
		return ""
	}
	return id
}
