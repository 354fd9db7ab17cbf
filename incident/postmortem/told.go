package postmortem

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: what was told while it lasted, the status updates and what
// became of each where it was sent. Targets are named as the configuration
// names them; addresses, and what a server said of one, are left out.

// audience of a delivery that nobody outside reads.
const internal = "internal"

// told is a status update with the lines of the record that tell of it.
type told struct {
	incident.Update
	written, decided incident.Entry            // decided: approved or denied
	lines            map[string]incident.Entry // of the last result, by target
}

// tell ties updates to their lines.
func tell(updates []incident.Update, entries []incident.Entry) (all []told) {
	at := map[string]int{}
	for n, u := range updates {
		all, at[u.ID] = append(all, told{Update: u, lines: map[string]incident.Entry{}}), n
	}
	for _, e := range entries {
		c := e.Evidence.Change
		n, known := at[c.To]
		switch {
		case known && c.What == "update":
			all[n].written = e
		case known && (c.What == "update approved" || c.What == "update denied"):
			all[n].decided = e
		case c.What == "delivery" && e.Kind == incident.CommsKind:
			id, _, _ := strings.Cut(e.Text, " ") // as incident.Book.SettleDelivery writes it
			if n, known := at[id]; known {
				all[n].lines[c.From] = e
			}
		}
	}
	return all
}

// left reports whether an update was let out to somewhere beside the rooms.
func (t told) left() bool { return t.State == incident.UpdateOut && len(t.Deliveries) > 0 }

// reached are the deliveries that were made.
func (t told) reached() (all []incident.Delivery) {
	for _, d := range t.Deliveries {
		if d.State == incident.DeliveryDone {
			all = append(all, d)
		}
	}
	return all
}

// firstTold is when something first arrived outside the rooms.
func (w *writer) firstTold() (first time.Time) {
	for _, t := range w.told {
		for _, d := range t.reached() {
			if first.IsZero() || d.At.Before(first) {
				first = d.At
			}
		}
	}
	return first
}

// toldInShort says in one cell how much left the rooms; "" when nothing did.
func (w *writer) toldInShort() string {
	sent, arrived := 0, 0
	for _, t := range w.told {
		if t.left() {
			sent++
		}
		if len(t.reached()) > 0 {
			arrived++
		}
	}
	switch {
	case sent == 0:
		return ""
	case arrived == 0:
		return fmt.Sprintf("%d, none of which arrived", sent)
	}
	s := fmt.Sprint(sent)
	if arrived < sent {
		s += fmt.Sprintf(", of which %d arrived", arrived)
	}
	first := w.firstTold()
	s += ", the first at " + w.when(first)
	if start, known := w.d.Incident.Milestone(incident.Started); known && first.After(start.At) {
		s += ", " + incident.Took(first.Sub(start.At)) + " after it began"
	}
	return s
}

// account is what was told, an update after the other.
func (w *writer) account() {
	w.para("### What was told")
	if len(w.told) == 0 {
		w.para("No status update is on the record.")
		return
	}
	if s := w.toldInShort(); s != "" {
		w.para("Updates sent outside the rooms: %s.", s)
	} else {
		w.para("No status update left the rooms.")
	}
	for _, t := range w.told {
		w.para("%s", w.howTold(t))
		if t.Title != "" && t.Title != w.d.Incident.Title {
			w.para("Title: %s", escape(oneLine(t.Title)))
		}
		w.para("%s", quote(t.Text))
		var lines []string
		for _, d := range t.Deliveries {
			lines = append(lines, w.delivery(t, d))
		}
		w.list(lines)
		w.fact("update "+t.ID, t.Text, "said by "+t.By.Name, unaided(incident.Entry{By: t.By}))
	}
}

// howTold says of an update who wrote it, who decided, and when it was sent.
func (w *writer) howTold(t told) string {
	name := "**" + escape(t.ID) + "**"
	wrote := "Written by " + escape(t.By.Name)
	if t.written.ID != "" {
		wrote += " (" + t.written.ID + ")"
	}
	at := func(when time.Time, e incident.Entry) string {
		s := w.when(when)
		if e.ID != "" {
			s += " (" + e.ID + ")"
		}
		return s
	}
	switch {
	case t.State == incident.UpdateWaiting:
		return fmt.Sprintf("%s, not sent: it waits for approval since %s. %s.", name, w.when(t.At), wrote)
	case t.State == incident.UpdateDenied:
		s := fmt.Sprintf("%s, not sent: %s denied it", name, escape(t.Decided.Name))
		if t.decided.ID != "" {
			s += " at " + at(t.decided.At, t.decided)
		}
		if t.Reason != "" {
			s += ", saying: " + escape(strings.TrimRight(t.Reason, "."))
		}
		return s + ". " + wrote + " at " + w.when(t.At) + "."
	}
	s := fmt.Sprintf("%s, status %s, said in the rooms at %s.", name, escape(string(t.Status)), w.when(t.Out))
	if t.left() {
		s = fmt.Sprintf("%s, status %s, sent at %s.", name, escape(string(t.Status)), w.when(t.Out))
	}
	if t.Decided.ID == "" {
		return s + " " + wrote + "."
	}
	decided := "approved by " + escape(t.Decided.Name)
	if t.decided.ID != "" {
		decided += " (" + t.decided.ID + ")"
	}
	return s + " " + wrote + " at " + w.when(t.At) + ", " + decided + "."
}

// delivery says what became of an update at one target.
func (w *writer) delivery(t told, d incident.Delivery) string {
	s := escape(channel(d))
	line := t.lines[d.Target].ID
	if line != "" {
		line = " (" + line + ")"
	}
	if t.State != incident.UpdateOut {
		return "For " + s + "."
	}
	again := ""
	if d.Try > 0 {
		again = ", tried again by hand"
	}
	switch d.State {
	case incident.DeliveryDone:
		w.fact(t.ID+" to "+channel(d), "delivered at "+incident.When(d.At), "record", true)
		return fmt.Sprintf("To %s: delivered at %s%s%s.", s, w.when(d.At), again, line)
	case incident.DeliveryFailed:
		w.fact(t.ID+" to "+channel(d), "failed at "+incident.When(d.At), "record", true)
		return fmt.Sprintf("To %s: failed at %s%s%s: %s.", s, w.when(d.At), again, line, escape(strings.TrimRight(or(d.Text, "no reason on the record"), ".")))
	}
	return fmt.Sprintf("To %s: on its way%s.", s, again)
}

// channel is a target as people call it: "mail customers (external)".
func channel(d incident.Delivery) string {
	name := map[string]string{"statuspage": "Statuspage"}[d.Kind]
	if name = or(name, d.Kind); name != "" {
		name += " "
	}
	name += oneLine(d.Target)
	if d.Audience != "" {
		name += " (" + d.Audience + ")"
	}
	return name
}

// failedTold are the deliveries that failed.
func (w *writer) failedTold() (all []string) {
	for _, t := range w.told {
		for _, d := range t.Deliveries {
			if t.State == incident.UpdateOut && d.State == incident.DeliveryFailed {
				all = append(all, fmt.Sprintf("the update %s did not reach %s.", escape(t.ID), escape(channel(d))))
			}
		}
	}
	return all
}

// toOutsiders reports whether an update is one that people outside were meant
// to read. Where any was sent to such, only those are; else all that were let
// out, but those for people inside.
func (w *writer) toOutsiders(t told) bool {
	external := func(t told) bool {
		return t.left() && slices.ContainsFunc(t.Deliveries, func(d incident.Delivery) bool { return d.Audience == "external" })
	}
	if slices.ContainsFunc(w.told, external) {
		return external(t)
	}
	inside := len(t.Deliveries) > 0 && !slices.ContainsFunc(t.Deliveries, func(d incident.Delivery) bool { return d.Audience != internal })
	return t.State == incident.UpdateOut && !inside
}

// spokeOutside reports whether something was sent to people outside.
func (w *writer) spokeOutside() bool {
	return slices.ContainsFunc(w.told, func(t told) bool {
		return t.left() && slices.ContainsFunc(t.Deliveries, func(d incident.Delivery) bool { return d.Audience == "external" })
	})
}

var (
	mailAddress = regexp.MustCompile("[^\\s<>(),;:\"'`|\\[\\]]+@[^\\s<>(),;:\"'`|\\[\\]]+")
	// A password before the host may have been cut out already, by a word in brackets.
	webAddress = regexp.MustCompile("(?i)\\bhttps?://(?:(?:[^\\s/?#\"'<>]|\\[cut: [a-z ]+\\])*@)?([^\\s/?#\"'<>@]+)[^\\s\"'<>]*")
)

// private takes addresses out of what a server said: of a URL its host stays.
func private(s string) string {
	s = webAddress.ReplaceAllString(s, "$1")
	return mailAddress.ReplaceAllString(s, "(an address)")
}

// discreet returns updates without addresses and without what targets call them.
func discreet(updates []incident.Update) []incident.Update {
	all := []incident.Update{}
	for _, u := range updates {
		u.Deliveries = slices.Clone(u.Deliveries)
		for n := range u.Deliveries {
			d := &u.Deliveries[n]
			d.Text, d.Ref = private(d.Text), ""
		}
		all = append(all, u)
	}
	return all
}

// discreetLines returns lines in which what became of an update has no address.
func discreetLines(entries []incident.Entry) []incident.Entry {
	all := append([]incident.Entry{}, entries...)
	for n := range all {
		if e := &all[n]; e.Kind == incident.CommsKind && e.Evidence.Change.What == "delivery" {
			e.Text = private(e.Text)
		}
	}
	return all
}
