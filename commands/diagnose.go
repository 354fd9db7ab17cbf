package commands

// This file turns checks into words: one sentence of cause, a line an address.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// seenHost is one address of a certificate's endpoints, as last seen.
type seenHost struct {
	name     string // the target's, else the address
	endpoint string
	renew.AddressReport
}

// label is the host's name with its address.
func (h seenHost) label() string {
	if h.name == h.Address {
		return h.Address
	}
	return h.name + " (" + h.Address + ")"
}

// worst is the host's worst finding.
func (h seenHost) worst() renew.Finding { return worstOf(h.Findings) }

func worstOf(fs []renew.Finding) renew.Finding {
	var w renew.Finding
	for _, f := range fs {
		if f.Severity.Rank() > w.Severity.Rank() {
			w = f
		}
	}
	return w
}

// wordsOf names the faults of a host: "expired, name mismatch", or "good".
func (h seenHost) wordsOf() string {
	var out []string
	for _, f := range h.Findings {
		if w := faultWord(f.ID); f.Severity.Rank() > renew.Info.Rank() && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return "good"
	}
	return strings.Join(out, ", ")
}

func faultWord(id string) string { return strings.ReplaceAll(id, "_", " ") }

// targetNames maps addresses (ip:port) to the hosts of the inventory.
func targetNames(c renew.Certificate) map[string]string {
	names := map[string]string{}
	for _, t := range c.Hosts() {
		for _, a := range t.Verify {
			if names[a] == "" {
				names[a] = t.Name
			}
		}
	}
	return names
}

// hostsOf lists every address of some reports, in their order.
func hostsOf(c renew.Certificate, reports []renew.Report) []seenHost {
	names := targetNames(c)
	var out []seenHost
	for _, r := range reports {
		for _, a := range r.Addresses {
			h := seenHost{name: names[a.Address], endpoint: r.Endpoint, AddressReport: a}
			if h.name == "" {
				h.name = a.Address
			}
			out = append(out, h)
		}
	}
	return out
}

// with returns the hosts of a verdict.
func with(hs []seenHost, v renew.Severity) []seenHost {
	var out []seenHost
	for _, h := range hs {
		if h.Verdict() == v {
			out = append(out, h)
		}
	}
	return out
}

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

func findings(hs []seenHost) []renew.Finding {
	var out []renew.Finding
	for _, h := range hs {
		out = append(out, h.Findings...)
	}
	return out
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

func (h seenHost) has(id string) bool {
	return slices.ContainsFunc(h.Findings, func(f renew.Finding) bool { return f.ID == id })
}

func namesOf(hs []seenHost) []string {
	var out []string
	for _, h := range hs {
		out = append(out, h.name)
	}
	return out
}

// earliest returns the first notAfter of the leaves seen.
func earliest(hs []seenHost) time.Time {
	var t time.Time
	for _, h := range hs {
		if n := h.Leaf.NotAfter; !n.IsZero() && (t.IsZero() || n.Before(t)) {
			t = n
		}
	}
	return t
}

func sameSerial(hs []seenHost) (string, bool) {
	for _, h := range hs {
		if h.Leaf.Serial == "" || h.Leaf.Serial != hs[0].Leaf.Serial {
			return "", false
		}
	}
	return hs[0].Leaf.Serial, len(hs) > 0
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

// hostTable is a line an address, narrow enough for 80 columns in the usual
// case: a column that says the same in every row, or nothing, is left out.
func hostTable(hs []seenHost, max int) (Table, string) {
	issuer := oneIssuer(hs)
	named := slices.ContainsFunc(hs, func(h seenHost) bool { return h.name != h.Address })
	t := Table{Columns: []string{"address", "serves", "until"}}
	if named {
		t.Columns = append([]string{"host"}, t.Columns...)
	}
	if issuer == "" {
		t.Columns = append(t.Columns, "issued by")
	}
	t.Columns = append(t.Columns, "state")
	hs = slices.Clone(hs)
	slices.SortStableFunc(hs, func(a, b seenHost) int { return b.Verdict().Rank() - a.Verdict().Rank() })
	for i, h := range hs {
		if i == max {
			return t, fmt.Sprintf("And %d more: see the page.", len(hs)-max)
		}
		var cells []string
		if named {
			cells = append(cells, h.name)
		}
		cells = append(cells, h.Address, h.servesWord(), minute(h.Leaf.NotAfter))
		if issuer == "" {
			cells = append(cells, clip(commonName(h.Leaf.Issuer), 30))
		}
		t.Rows = append(t.Rows, Row{State: hostState(h), Cells: append(cells, h.cellWord())})
	}
	return t, ""
}

// oneIssuer is who issued every certificate seen, "" when there are several;
// "-" when none was seen.
func oneIssuer(hs []seenHost) string {
	one := "-"
	for _, h := range hs {
		switch cn := clip(commonName(h.Leaf.Issuer), 60); {
		case h.Leaf.NotAfter.IsZero() || cn == one:
		case one == "-" && cn != "":
			one = cn
		default:
			return ""
		}
	}
	return one
}

// servesWord is the certificate of a host in a cell: its serial, and its name
// when that is the fault.
func (h seenHost) servesWord() string {
	if h.Leaf.NotAfter.IsZero() {
		return "nothing"
	}
	if h.has("name_mismatch") || h.has("declared_mismatch") {
		return strings.TrimSpace(clip(commonName(h.Leaf.Subject), 30) + " " + short8(h.Leaf.Serial))
	}
	return short8(h.Leaf.Serial)
}

// cellWord is the worst fault of a host in a cell, and how many more there are.
func (h seenHost) cellWord() string {
	var ids []string
	for _, f := range h.Findings {
		if f.Severity.Rank() > renew.Info.Rank() && !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return "good"
	}
	word := shortFault(h.worst().ID)
	if h.has("expired") { // explains the others
		word = "expired"
	}
	if n := len(ids) - 1; n > 0 {
		word += fmt.Sprintf(" +%d", n)
	}
	return word
}

// shortFault is a fault's name in a cell.
func shortFault(id string) string {
	switch id {
	case "declared_mismatch":
		return "wrong cert"
	case "name_mismatch":
		return "wrong name"
	case "connect_timeout", "handshake_timeout":
		return "timeout"
	case "missing_intermediate", "wrong_intermediate", "expired_intermediate", "wrong_order":
		return "bad chain"
	case "renewal_overdue":
		return "overdue"
	case "node_divergence":
		return "divergence"
	}
	return faultWord(id)
}

// commonName is the CN of a distinguished name as Go writes it, else all of it.
func commonName(dn string) string {
	_, cn, ok := strings.Cut(dn, "CN=")
	if !ok {
		return dn
	}
	for i := 0; i < len(cn); i++ { // commas inside the value are escaped
		if cn[i] == '\\' {
			i++
		} else if cn[i] == ',' || cn[i] == '+' {
			return cn[:i]
		}
	}
	return cn
}

// unreached are findings of an address that nothing could be learned from.
var unreached = []string{"refused", "unreachable", "connect_timeout", "timeout", "reset", "eof", "handshake_timeout"}

func hostState(h seenHost) string {
	if h.Verdict() == renew.Critical && h.Leaf.NotAfter.IsZero() && slices.Contains(unreached, h.worst().ID) {
		return StateUnknown
	}
	return stateOf(h.Verdict())
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
	for _, h := range hostsOf(s.Certificate, s.Reports) {
		hc := incident.HostCheck{Host: h.name, Address: h.Address, State: hostState(h), Cause: oneLine(h.worst().Cause),
			Serial: h.Leaf.Serial, SHA256: h.Leaf.SHA256, Issuer: clip(oneLine(h.Leaf.Issuer), 200), NotAfter: h.Leaf.NotAfter, Findings: []string{}}
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
