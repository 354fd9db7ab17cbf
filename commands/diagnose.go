package commands

// This file turns checks into words: one sentence of cause, what to do next, the evidence.

import (
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// ofSet returns the findings that concern the set of addresses.
func ofSet(reports []renew.Report) []renew.Finding {
	var out []renew.Finding
	for _, r := range reports {
		out = append(out, r.Findings...)
	}
	return out
}

func verdictOf(reports []renew.Report) renew.Severity {
	v := renew.Good
	for _, r := range reports {
		if r.Verdict.Rank() > v.Rank() {
			v = r.Verdict
		}
	}
	return v
}

// diagnosis is one sentence of cause for what was seen, as it reads at now. A
// zero now leaves out how long ago: for what is read again much later.
func diagnosis(name string, c renew.Certificate, reports []renew.Report, now time.Time) string {
	hs := hostsOf(c, reports)
	if len(reports) == 0 {
		return name + " has not been checked yet."
	}
	if bad := with(hs, renew.Critical); len(bad) > 0 {
		return failing(name, bad, len(hs), now)
	}
	if f := worstOf(ofSet(reports)); f.Severity == renew.Critical {
		return end(name + " fails: " + lower(f.Cause))
	}
	if len(hs) == 0 {
		return name + ": no address was reached."
	}
	until := earliest(hs)
	where := fmt.Sprintf("on %d of %s", len(hs), plural(len(hs), "host"))
	for _, fs := range [][]renew.Finding{ofSet(reports), findings(hs)} {
		if f := worstOf(fs); f.Severity == renew.Warning {
			return end(fmt.Sprintf("%s works %s, but: %s", name, where, lower(f.Cause)))
		}
	}
	if now.IsZero() {
		return fmt.Sprintf("%s is good %s, until %s.", name, where, stamp(until))
	}
	return fmt.Sprintf("%s is good %s, until %s (%s).", name, where, stamp(until), ago(now, until))
}

// failing is the sentence for hosts that fail.
func failing(name string, bad []seenHost, of int, now time.Time) string {
	var ids []string
	byID := map[string][]seenHost{}
	for _, h := range bad {
		id := h.worst().ID
		if h.has("expired") {
			id = "expired" // explains the others
		}
		if byID[id] == nil {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], h)
	}
	on := fmt.Sprintf("on %d of %s", len(bad), plural(of, "host"))
	if len(ids) > 1 {
		var parts []string
		for _, id := range ids {
			parts = append(parts, fmt.Sprintf("%s on %s", faultWord(id), listed(namesOf(byID[id]), 3)))
		}
		return fmt.Sprintf("%s fails %s: %s.", name, on, strings.Join(parts, "; "))
	}
	if len(bad) < of {
		on += " (" + listed(namesOf(bad), 4) + ")"
	}
	if ids[0] == "expired" {
		until := earliest(bad)
		when := "expired "
		if !now.IsZero() {
			when += ago(now, until) + " "
		}
		s := fmt.Sprintf("%s %s%s: its notAfter was %s", name, when, on, stamp(until))
		if serial, one := sameSerial(bad); one {
			s += ", serial " + serial
		}
		return s + "."
	}
	return end(fmt.Sprintf("%s fails %s: %s", name, on, lower(bad[0].worst().Cause)))
}

// saidInHead is the id of the fault that diagnosis says in full: the only one
// of the hosts that fail; "" when there are several, or none.
func saidInHead(c renew.Certificate, reports []renew.Report) string {
	id := ""
	for _, h := range with(hostsOf(c, reports), renew.Critical) {
		one := h.worst().ID
		if h.has("expired") {
			one = "expired"
		}
		if id != "" && one != id {
			return ""
		}
		id = one
	}
	return id
}

// lower makes the first letter small, unless the word is a name or a short form.
func lower(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		for _, w := range []string{"The ", "A ", "An ", "No ", "It ", "This ", "Its ", "Nothing ", "There ", "Certificate ", "Connection "} {
			if strings.HasPrefix(s, w) {
				return strings.ToLower(s[:1]) + s[1:]
			}
		}
	}
	return s
}

// findingLines are the different faults with their next action, the worst
// first; the same cause is said once. said is the id of a fault whose cause
// stands in the headline already: only its next action is left to say.
func findingLines(reports []renew.Report, max int, said string) string {
	var lines []string
	seen := map[string]bool{}
	count := map[string]int{}
	more := 0
	for _, r := range reports {
		for _, a := range r.Addresses {
			for _, f := range a.Findings {
				count[f.ID]++
			}
		}
	}
	for _, r := range reports {
		for _, f := range r.All() {
			line := string(f.Severity) + " " + f.ID + ": "
			if f.ID != said {
				line += end(f.Cause) + " "
				if n := count[f.ID] - 1; n > 0 {
					line += fmt.Sprintf("The same on %d more. ", n)
				}
			}
			if f.Next != "" {
				line += end(upper(f.Next))
			}
			if seen[f.ID] || f.ID == said && f.Next == "" {
				continue
			}
			line = strings.TrimSpace(line)
			seen[f.ID] = true
			if len(lines) == max {
				more++
				continue
			}
			lines = append(lines, line)
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("And %d more kinds of finding: see the page.", more))
	}
	return strings.Join(lines, "\n")
}

// checkEvidence is a check as it stands on a timeline.
func checkEvidence(s renew.Standing) incident.CheckEvidence {
	e := incident.CheckEvidence{Certificate: s.Certificate.Name, Verdict: string(s.Verdict), Cause: oneLine(diagnosis(s.Certificate.Name, s.Certificate, s.Reports, time.Time{}))}
	waves := wavesOf(s.Certificate)
	for _, h := range hostsOf(s.Certificate, s.Reports) {
		hc := incident.HostCheck{Host: h.name, Address: h.Address, State: hostState(h), Cause: oneLine(h.worst().Cause),
			Serial: h.Leaf.Serial, SHA256: h.Leaf.SHA256, Issuer: clip(oneLine(h.Leaf.Issuer), 200), NotAfter: h.Leaf.NotAfter, Findings: []string{}, Wave: waves[h.name]}
		for _, f := range h.Findings {
			hc.Findings = append(hc.Findings, f.ID)
		}
		e.Hosts = append(e.Hosts, hc)
	}
	return e
}

// failingNow names the endpoints of a standing that fail, with the fault.
func failingNow(s renew.Standing) []string {
	var out []string
	for _, h := range with(hostsOf(s.Certificate, s.Reports), renew.Critical) {
		out = append(out, h.label()+": "+h.wordsOf())
	}
	for _, r := range s.Reports {
		for _, f := range r.Findings {
			if f.Severity == renew.Critical {
				out = append(out, r.Endpoint+": "+faultWord(f.ID))
			}
		}
	}
	if len(out) == 0 && (s.Verdict == renew.Critical || s.Checked.IsZero()) {
		out = append(out, s.Certificate.Name+": not checked")
	}
	return out
}
