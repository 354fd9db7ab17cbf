package incident

import (
	"fmt"
	"strings"
)

// In this file: a group of alerts as lines of a timeline.

// SourceName is a source as people write it.
func SourceName(source string) string {
	switch source {
	case "alertmanager":
		return "Alertmanager"
	case "pagerduty":
		return "PagerDuty"
	case "", "generic":
		return "a webhook"
	}
	return source
}

// Entries are the group's alerts as lines of a timeline, each kind once when
// it was first received, and once when it was received that it is over.
func (g AlertGroup) Entries() []Entry {
	var es []Entry
	for n, k := range g.Kinds {
		key := fmt.Sprintf("heard/%s/%d", g.ID, n)
		ev := AlertEvidence{Certificate: g.Certificate, Key: key, Source: k.Source, ID: k.ID, Link: k.Link, Severity: k.Severity, Started: k.Started, Count: k.Count}
		from := SourceName(k.Source)
		first := Entry{At: k.First, By: Bot, Kind: Alert, Key: key, Link: k.Link, Evidence: Evidence{Alert: ev}}
		first.Text = "Alert from " + from + ": " + sentence(k.Title)
		if k.Text != "" {
			first.Text += " " + sentence(k.Text)
		}
		first.Evidence.Alert.Count = 0 // of that moment it is not known
		over := k.First.Equal(k.Over) && k.Cycle == 0
		if !over {
			es = append(es, first)
		}
		if !k.Taken.IsZero() {
			e := Entry{At: k.Taken, By: Bot, Kind: Alert, Key: key + "/taken", Link: k.Link, Evidence: Evidence{Alert: ev}}
			e.Evidence.Alert.State = AlertHandled
			e.Text = "Acknowledged in " + from + by(k.TakenBy) + ": " + sentence(k.Title)
			es = append(es, e)
		}
		if !k.Over.IsZero() {
			e := Entry{At: k.Over, By: Bot, Kind: Alert, Key: fmt.Sprintf("%s/over/%d", key, k.Cycle), Link: k.Link, Evidence: Evidence{Alert: ev}}
			e.Evidence.Alert.State, e.Evidence.Alert.Resolved = Over, k.Over
			e.Text = from + " says it is over" + by(k.OverBy) + ": " + sentence(k.Title)
			if k.Count > 1 {
				e.Text += fmt.Sprintf(" It was %d alerts.", k.Count)
			}
			es = append(es, e)
		}
	}
	return es
}

func by(name string) string {
	if name == "" {
		return ""
	}
	return ", by " + name
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}
