package bot

import (
	"context"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds what chat platforms are told of incidents, to make and keep
// a place for each (a channel, a thread), and how they put messages on a timeline.

// Incident is what a place shows of an incident.
type Incident struct {
	ID        string
	Title     string
	Status    string         // "investigating", or what people here call it
	Severity  int            // 1 to 4
	Topic     string         // one line: severity, status, title, commander
	Card      commands.Reply // pinned in its place, edited on every change
	Commander commands.Person
	Leads     []commands.Person // the commander's identities, one or more of each platform
	People    []commands.Person // who is part of it: declared it or has a role; every linked identity of each
	Teams     []string          // the owner's team of its certificates, to be asked in
	Runbook   string            // URL, or ""
	Private   bool              // only People may see its place; nothing of it is said elsewhere
	Drill     bool
	Open      bool
	Updated   time.Time
}

// Incidents tells of incidents.
type Incidents interface {
	// Incidents returns those that are open or ended lately.
	Incidents(ctx context.Context) ([]Incident, error)
	// Changed sends after every change, until ctx ends.
	Changed(ctx context.Context) <-chan struct{}
}

// Pins puts chat messages on timelines; commands.Desk implements it. What is
// to be said in the incident's room is given to post.
type Pins interface {
	// Pin puts a message on a timeline, once however often it is pinned; one
	// that was taken off comes back.
	Pin(ctx context.Context, p commands.Pin, post func(commands.Post)) commands.Reply
	// Unpin takes it off.
	Unpin(ctx context.Context, key string, by commands.Person, at time.Time, post func(commands.Post)) commands.Reply
	// Repin follows a pinned message that its author changed (text) or deleted.
	Repin(ctx context.Context, key, text string, deleted bool, at time.Time, post func(commands.Post)) error
}
