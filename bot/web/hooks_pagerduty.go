package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// pdMessage is PagerDuty's webhook, version 3
// (developer.pagerduty.com, "Webhooks v3 payload").
type pdMessage struct {
	Event struct {
		ID         string    `json:"id"`
		Type       string    `json:"event_type"` // "incident.triggered"
		OccurredAt time.Time `json:"occurred_at"`
		Agent      pdRef     `json:"agent"`
		Data       pdData    `json:"data"`
	} `json:"event"`
}

type pdRef struct {
	Summary string `json:"summary"`
}

// pdData is the incident. The details that a monitor sent along are not among
// the fields that every account sends, so they are looked for in three places.
type pdData struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Title        string          `json:"title"`
	HTMLURL      string          `json:"html_url"`
	Urgency      string          `json:"urgency"`
	CreatedAt    time.Time       `json:"created_at"`
	Service      pdRef           `json:"service"`
	Priority     pdRef           `json:"priority"`
	Body         json.RawMessage `json:"body"`
	Details      json.RawMessage `json:"custom_details"`
	CustomFields json.RawMessage `json:"custom_fields"`
}

// states of the events that say something about an alert. The others
// (escalations, notes, responders) are taken and change nothing.
var pdStates = map[string]string{
	"incident.triggered":    commands.AlertFiring,
	"incident.reopened":     commands.AlertFiring,
	"incident.acknowledged": commands.AlertTaken,
	"incident.resolved":     commands.AlertResolved,
}

// parsePagerDuty reads PagerDuty's webhook; an event that says nothing about
// an alert gives none.
func parsePagerDuty(body []byte) ([]commands.Alert, error) {
	var m pdMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("this is not PagerDuty's JSON: %w", err)
	}
	e := m.Event
	if e.Type == "" {
		return nil, errors.New("there is no event in it: version 3 of PagerDuty's webhooks is taken here")
	}
	state, known := pdStates[e.Type]
	if !known {
		return nil, nil
	}
	if e.ID == "" || e.Data.ID == "" {
		return nil, errors.New("the event or its incident has no id")
	}
	d := e.Data
	a := commands.Alert{Source: PagerDuty, ID: d.ID, Event: e.ID, State: state, Title: d.Title, Link: d.HTMLURL, By: e.Agent.Summary, Severity: d.Priority.Summary, Started: d.CreatedAt, Happened: e.OccurredAt}
	if a.Severity == "" {
		a.Severity = d.Urgency
	}
	if d.Service.Summary != "" {
		a.Text = "Service " + d.Service.Summary
	}
	c := &collected{}
	c.hosts(d.Title)
	c.hosts(d.Service.Summary)
	c.name(d.Service.Summary)
	for _, raw := range []json.RawMessage{d.Details, d.Body, d.CustomFields} {
		for _, s := range leaves(raw) {
			c.hosts(s)
			c.name(s)
		}
	}
	for _, w := range strings.FieldsFunc(d.Title, func(r rune) bool { return strings.ContainsRune(" ,;()[]\"'", r) }) {
		if aboutTLS(d.Title) {
			c.name(strings.Trim(w, ":."))
		}
	}
	a.Hosts, a.Names = c.h, c.n
	return []commands.Alert{a}, nil
}

// aboutTLS reports that a text speaks of certificates: then a word of it may be
// the name of one.
func aboutTLS(text string) bool {
	low := strings.ToLower(text)
	for _, w := range []string{"cert", "tls", "ssl", "x509", "https"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// leaves are the strings in a piece of JSON, the first hundred.
func leaves(raw json.RawMessage) (out []string) {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if len(out) >= 100 || depth > 8 {
			return
		}
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, x := range v {
				walk(x, depth+1)
			}
		case map[string]any:
			keys := map[string]string{}
			for k := range v {
				keys[k] = ""
			}
			for _, k := range sorted(keys) {
				walk(v[k], depth+1)
			}
		}
	}
	walk(v, 0)
	return out
}

func shortSum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:8])
}
