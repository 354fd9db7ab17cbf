package web

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds the entries of an incident's timeline with the facts that
// prove them, in the order in which they are read.

// entryView is an entry of the timeline.
type entryView struct {
	ID, By, Kind, Text, Link string
	At, Recorded             time.Time
	NewDay                   bool
	Late                     bool // written down more than a minute after it happened
	Version                  int
	Facts                    []commands.Fact
	Hosts                    []commands.Row
	Output                   string
	Images                   []imageView
	Faults                   []commands.Row // of a rehearsal
}

// imageView is an image of a pinned message; Path is "" when it was not kept.
type imageView struct{ Name, Path, Left string }

// fact adds a fact that is known.
func (v *entryView) fact(name, value string) {
	if value != "" {
		v.Facts = append(v.Facts, commands.Fact{Name: name, Value: value})
	}
}

func entryViews(p commands.IncidentPage) []entryView {
	var all []entryView
	day := ""
	for n, e := range p.Timeline {
		v := entryView{
			ID: e.ID, By: e.By.Name, Kind: e.Kind, Text: e.Text, At: e.At, Recorded: e.Recorded, Version: e.Version,
			Late: e.Recorded.Sub(e.At) > time.Minute,
		}
		if strings.HasPrefix(e.Link, "https://") || localPath(e.Link) == e.Link {
			v.Link = e.Link
		}
		if d := e.At.UTC().Format(time.DateOnly); d != day {
			day, v.NewDay = d, true
		}
		v.looked(p, n)
		v.renewed(p, n)
		v.alerted(p, n)
		v.rehearsed(p, n)
		v.changed(p, n)
		v.pinned(p, n)
		all = append(all, v)
	}
	return all
}

// looked adds what a check saw.
func (v *entryView) looked(p commands.IncidentPage, n int) {
	e := p.Timeline[n]
	if c := e.Evidence.Check; c.Certificate != "" {
		v.fact("Certificate", c.Certificate)
		v.fact("Verdict", c.Verdict)
		v.fact("Cause", c.Cause)
		for _, h := range c.Hosts {
			until := ""
			if !h.NotAfter.IsZero() {
				until = stamp(h.NotAfter)
			}
			v.Hosts = append(v.Hosts, commands.Row{State: h.State, Cells: []string{h.Host, h.Address, strings.ReplaceAll(strings.Join(h.Findings, ", "), "_", " "), until, h.Serial}})
		}
	}
}

// renewed adds a step of a renewal, and its approval.
func (v *entryView) renewed(p commands.IncidentPage, n int) {
	e := p.Timeline[n]
	if st := e.Evidence.Step; st.Renewal != "" {
		v.fact("Renewal", st.Renewal)
		v.fact("Step", st.Step+", "+st.Outcome)
		v.fact("Host", st.Host)
		v.fact("Challenge", st.Challenge)
		v.fact("Order", st.Order)
		v.fact("Serial before", st.BeforeSerial)
		v.fact("Serial after", st.AfterSerial)
		v.fact("Fingerprint after", st.AfterSHA256)
		v.fact("Issuer", st.Issuer)
		if st.Took > 0 {
			v.fact("Took", took(st.Took))
		}
		v.Output = st.Output
	}
	if a := e.Evidence.Approval; a.Renewal != "" {
		v.fact("Renewal", a.Renewal)
		v.fact("Decision", a.Decision)
		v.fact("Asked by", a.AskedBy)
		v.fact("Decided by", a.By)
		v.fact("Reason", a.Reason)
	}
}

// alerted adds an alert of another system, or of certmedic.
func (v *entryView) alerted(p commands.IncidentPage, n int) {
	e := p.Timeline[n]
	if a := e.Evidence.Alert; a.Source != "" {
		v.fact("From", a.Source)
		v.fact("Certificate", a.Certificate)
		v.fact("Their id", a.ID)
		v.fact("Their severity", a.Severity)
		v.fact("State", a.State)
		if !a.Started.IsZero() {
			v.fact("Started, they say", stamp(a.Started))
		}
		if a.Count > 1 {
			v.fact("Alerts", fmt.Sprint(a.Count))
		}
		v.fact("Their link", a.Link)
	} else if a.Certificate != "" {
		v.fact("Certificate", a.Certificate)
		v.fact("Posted in", a.Room)
	}
}

// rehearsed adds a rehearsal.
func (v *entryView) rehearsed(p commands.IncidentPage, n int) {
	e := p.Timeline[n]
	if h := e.Evidence.Rehearsal; h.Certificate != "" {
		v.fact("Certificate", h.Certificate)
		v.fact("Rehearsal", map[bool]string{true: "good: it could have been renewed", false: "failed: it could not have been renewed"}[h.OK])
		if !h.LastGood.IsZero() {
			v.fact("Last good", stamp(h.LastGood))
		} else if !h.OK {
			v.fact("Last good", "never")
		}
		for _, f := range h.Faults {
			v.Faults = append(v.Faults, commands.Row{State: commands.StateCritical, Cells: []string{f.Level, f.Subject, f.Addresses, strings.ReplaceAll(f.Finding, "_", " "), f.Cause}})
		}
	}
}

// changed adds what was forgotten, how long a renewal is overdue, and a change of the incident.
func (v *entryView) changed(p commands.IncidentPage, n int) {
	e := p.Timeline[n]
	if f := e.Evidence.Forgotten; len(f.Lines) > 0 {
		v.fact("Stands there now", f.As)
		v.fact("Lines rewritten", fmt.Sprint(len(f.Lines)))
	}
	if !e.Evidence.Check.Overdue.IsZero() {
		v.fact("Renewal overdue since", stamp(e.Evidence.Check.Overdue))
	}
	if c := e.Evidence.Change; c.What != "" {
		v.fact("Changed", c.What)
		v.fact("From", c.From)
		v.fact("To", c.To)
	}
}

// pinned adds the chat message, with its images.
func (v *entryView) pinned(p commands.IncidentPage, n int) {
	e := p.Timeline[n]
	if pin := e.Evidence.Pin; pin.Message != "" {
		v.fact("Pinned by", pin.By.Name)
		v.fact("Pinned", stamp(pin.Pinned))
		if !pin.Edited.IsZero() {
			v.fact("Changed by its author", stamp(pin.Edited))
		}
		if !pin.Deleted.IsZero() {
			v.fact("Deleted by its author", stamp(pin.Deleted))
		}
		v.fact("The message says", pin.Said)
		for _, i := range pin.Images {
			one := imageView{Name: i.Name, Left: i.Left}
			if i.SHA256 != "" {
				one.Path = "/incident/" + url.PathEscape(e.Incident) + "/image/" + url.PathEscape(i.SHA256)
			}
			v.Images = append(v.Images, one)
		}
	}
}
