package bot

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// This file holds what main is told of an incident that is worked on in its
// own channel: where that is, and when its severity or status changes. What
// somebody has just said in main is not said there again.

// Milestones judge what main is told. They are for one goroutine.
type Milestones struct {
	rooms   *Rooms
	now     func() time.Time
	settle  time.Duration
	stirred map[string]time.Time // by incident: since when main is to be told of a change
}

// NewMilestones makes Milestones; a change is told after settle, so that its
// answer, if it was asked for in main, comes first.
func NewMilestones(rooms *Rooms, now func() time.Time, settle time.Duration) *Milestones {
	return &Milestones{rooms: rooms, now: now, settle: settle, stirred: map[string]time.Time{}}
}

// Of says what main is told of an incident of which it was told so much: told
// is what Of returned as now, "" at first. headline "": nothing. wait, when not
// 0, is when to ask again.
func (m *Milestones) Of(ctx context.Context, i Incident, told string) (now, headline string, wait time.Duration, err error) {
	now = fmt.Sprintf("SEV%d %s", i.Severity, i.Status)
	switch {
	case i.Private || i.Status == "":
		return told, "", 0, nil
	case told == now:
		delete(m.stirred, i.ID)
		return now, "", 0, nil
	case told == "" && !i.Open:
		return now, "", 0, nil
	case told == "":
		return now, fmt.Sprintf("%s is worked on in a channel of its own: %s", i.ID, i.Title), 0, nil
	}
	since, ok := m.stirred[i.ID]
	if !ok {
		since = m.now()
		m.stirred[i.ID] = since
	}
	if left := since.Add(m.settle).Sub(m.now()); left > 0 {
		return told, "", left, nil
	}
	said, err := m.said(ctx, i, since.Add(-2*m.settle))
	if err != nil {
		return told, "", 0, err
	}
	delete(m.stirred, i.ID)
	if said {
		return now, "", 0, nil
	}
	headline = fmt.Sprintf("%s is %s now: %s", i.ID, i.Status, i.Title)
	if sev, _, _ := strings.Cut(told, " "); sev != fmt.Sprintf("SEV%d", i.Severity) {
		headline = fmt.Sprintf("%s is SEV%d now, was %s; it is %s: %s", i.ID, i.Severity, sev, i.Status, i.Title)
	}
	return now, headline, 0, nil
}

// said reports whether main has heard since then how an incident stands: as
// the answer to somebody there, or as an update. That its certificate is good
// again says nothing of that.
func (m *Milestones) said(ctx context.Context, i Incident, since time.Time) (bool, error) {
	ms, err := m.rooms.Messages(ctx, "main", "", 0)
	if err != nil {
		return false, err
	}
	for _, one := range ms {
		told := one.Request != "" || strings.HasPrefix(one.Reply.Key, "update/")
		if told && one.For == "" && one.By.Platform == Bot.Platform && one.Reply.Incident == i.ID && one.At.After(since) {
			return true, nil
		}
	}
	return false, nil
}
