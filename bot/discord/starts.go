package discord

import (
	"fmt"
	"time"
)

// This file holds how many sessions may be begun at the gateway.

// startLimit is what Discord says of it (docs: events/gateway, session start
// limit): who begins more in a day loses the bot's token.
type startLimit struct {
	Total     int   `json:"total"`
	Remaining int   `json:"remaining"`
	After     int64 `json:"reset_after"` // ms
}

// fewStarts is how many sessions are left when they are spread over the rest
// of the day.
const fewStarts = 100

// spare says how long to wait before another session is begun, when the last
// one was begun so long ago; nil: not at all.
func (s startLimit) spare(since time.Duration) error {
	reset := time.Duration(s.After) * time.Millisecond
	if s.Total <= 0 || reset <= 0 || s.Remaining >= min(fewStarts, s.Total) {
		return nil
	}
	if s.Remaining <= 0 {
		return &limited{after: reset, why: fmt.Sprintf("Discord lets the bot begin no session for another %s, after %d in a day: look in the log what ends them", reset.Round(time.Minute), s.Total)}
	}
	if every := reset / time.Duration(s.Remaining); since < every {
		return &limited{after: every - since, why: fmt.Sprintf("Discord lets the bot begin %d more sessions in the next %s, so that it waits with the next one: look in the log what ends them", s.Remaining, reset.Round(time.Minute))}
	}
	return nil
}
