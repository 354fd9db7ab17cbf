package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds the estate: a row a certificate, worst first, and a page for
// each.

// shownRows is how many rows a long table shows at first.
const shownRows = 50

// estateRow is a certificate as a row.
type estateRow struct {
	Name      string
	State     string // class
	Word      string // "expired", "good", "renewal overdue"
	Domains   []string
	NotAfter  time.Time
	NotBefore time.Time
	Bar       bar
	Good, Of  int
	Issuer    string
	Owner     string
	Checked   time.Time
	Since     time.Time
	Rehearsed time.Time
	Rehearsal string // "good", "failed", ""
	Renewal   string
	Overdue   bool
	Window    string
}

// bar is a lifetime drawn as a thin bar: parts of 100.
type bar struct {
	Known      bool
	Now        float64 // how much of the lifetime has passed
	From, Wide float64 // the renewal window; Wide 0: not known
	Text       string
}

func barOf(notBefore, notAfter, from, to, now time.Time) bar {
	life := notAfter.Sub(notBefore)
	if notAfter.IsZero() || notBefore.IsZero() || life <= 0 {
		return bar{}
	}
	part := func(t time.Time) float64 {
		p := float64(t.Sub(notBefore)) / float64(life) * 100
		return float64(int(max(0, min(100, p))*10)) / 10
	}
	b := bar{Known: true, Now: part(now)}
	b.Text = fmt.Sprintf("%.0f %% of its lifetime has passed", b.Now)
	if !from.IsZero() && to.After(from) {
		b.From = part(from)
		b.Wide = max(1, part(to)-b.From)
		b.Text += fmt.Sprintf("; renewal window %s to %s", stamp(from), stamp(to))
	}
	return b
}

func (r estateRow) has(words []string) bool {
	all := strings.ToLower(strings.Join(append([]string{r.Name, r.State, r.Word, r.Issuer, r.Owner, r.Renewal}, r.Domains...), " "))
	for _, w := range words {
		if !strings.Contains(all, w) {
			return false
		}
	}
	return true
}

// estateRows are the rows of an estate.
func estateRows(p commands.EstatePage) []estateRow {
	var rows []estateRow
	for _, s := range p.Standings {
		r := estateRow{
			Name: s.Certificate.Name, Domains: s.Certificate.Domains, Owner: s.Certificate.Owner, Issuer: s.Certificate.Issuer,
			State: class(string(s.Verdict)), NotAfter: s.NotAfter, NotBefore: s.NotBefore, Good: s.HostsGood, Of: s.Hosts,
			Checked: s.Checked, Since: s.Since, Rehearsed: s.Rehearsed, Renewal: s.Renewal, Overdue: s.Overdue,
			Bar: barOf(s.NotBefore, s.NotAfter, s.Window.Start, s.Window.End, p.At),
		}
		r.Word = string(s.Verdict)
		for _, report := range s.Reports {
			for _, f := range report.All() {
				if f.Severity == s.Verdict && r.Word == string(s.Verdict) {
					r.Word = strings.ReplaceAll(f.ID, "_", " ")
				}
			}
		}
		if s.Checked.IsZero() {
			r.State, r.Word = commands.StateUnknown, "not checked"
		}
		switch {
		case s.Rehearsed.IsZero():
		case s.RehearsedOK.Equal(s.Rehearsed):
			r.Rehearsal = commands.StateGood
		default:
			r.Rehearsal = commands.StateCritical
		}
		rows = append(rows, r)
	}
	return rows
}

var rank = map[string]int{commands.StateCritical: 0, commands.StateWarning: 1, commands.StateUnknown: 2}

// worstFirst sorts rows; among the same, the one that ends first.
func worstFirst(rows []estateRow) {
	of := func(r estateRow) int {
		if n, ok := rank[r.State]; ok {
			return n
		}
		return 3
	}
	slices.SortStableFunc(rows, func(a, b estateRow) int {
		if n := of(a) - of(b); n != 0 {
			return n
		}
		return a.NotAfter.Compare(b.NotAfter)
	})
}

// estateState says in a few words how the estate stands, for a title.
func estateState(p commands.EstatePage) string {
	n := map[string]int{}
	for _, r := range estateRows(p) {
		n[r.State]++
	}
	var parts []string
	for _, state := range []string{commands.StateCritical, commands.StateWarning, commands.StateUnknown} {
		if n[state] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d %s", symbols[state], n[state], state))
		}
	}
	if len(parts) == 0 {
		if n[commands.StateGood] == 1 {
			return "✓ good"
		}
		return fmt.Sprintf("✓ all %d good", n[commands.StateGood])
	}
	return strings.Join(parts, ", ")
}

type estatePage struct {
	page
	At     time.Time
	State  string
	Words  string
	Rows   []estateRow
	Total  int
	Hidden int
	Open   []incidentRow
}

func (s *Site) estate(w http.ResponseWriter, r *http.Request) {
	e, err := s.o.Pages.EstatePage(r.Context(), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := estatePage{page: s.page(w, r, ""), At: e.At, State: estateState(e), Words: clip(strings.TrimSpace(r.URL.Query().Get("q")), 200), Total: len(e.Standings)}
	p.Title, p.Here = "Estate: "+p.State, "estate"
	p.Open = s.incidentRows(commands.IncidentsPage{At: e.At, Incidents: e.Open})
	words := strings.Fields(strings.ToLower(p.Words))
	for _, row := range estateRows(e) {
		if row.has(words) {
			p.Rows = append(p.Rows, row)
		}
	}
	worstFirst(p.Rows)
	if n := len(p.Rows); n > shownRows && r.URL.Query().Get("all") != "1" {
		p.Rows, p.Hidden = p.Rows[:shownRows], n-shownRows
	}
	s.show(w, r, http.StatusOK, "estate", p)
}

type certificatePage struct {
	page
	Row       estateRow
	C         commands.CertificatePage
	Addresses []addressRow
	Incidents []incidentRow
	Say       []quick
}

// addressRow is what one address served.
type addressRow struct {
	Host, Endpoint, Address, State, Word, Cause, Next string // Host "": not in the inventory
	Subject, Issuer, Serial, SHA256, TLS              string
	NotBefore, NotAfter                               time.Time
	Proof                                             []commands.Fact
	More                                              []string // further findings
	All                                               bool     // concerns all addresses
}

func (s *Site) certificate(w http.ResponseWriter, r *http.Request) {
	c, err := s.o.Pages.CertificatePage(r.Context(), r.PathValue("name"), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	e := commands.EstatePage{At: c.At}
	e.Standings = append(e.Standings, c.Standing)
	row := estateRows(e)[0]
	p := certificatePage{page: s.page(w, r, ""), Row: row, C: c, Addresses: addressRows(e)}
	p.Title = row.Name + " " + symbols[row.State] + " " + row.Word
	p.Here = "estate"
	p.Incidents = s.incidentRows(commands.IncidentsPage{At: c.At, Incidents: c.Incidents})
	p.Say = []quick{{"Check again", "/certcheck " + row.Name}, {"Renew", "/renew " + row.Name}, {"Rehearse", "/certcheck rehearse " + row.Name}}
	if row.State == commands.StateCritical {
		p.Say = append(p.Say, quick{"Declare", "/incident declare " + row.Name + " " + row.Word + " --cert " + row.Name})
	}
	s.show(w, r, http.StatusOK, "certificate", p)
}

// addressRows are what every address of every certificate of a page served.
func addressRows(p commands.EstatePage) []addressRow {
	var rows []addressRow
	for _, s := range p.Standings {
		names := map[string]string{}
		for _, t := range s.Certificate.Hosts() {
			for _, a := range t.Verify {
				names[a] = t.Name
			}
		}
		for _, report := range s.Reports {
			for _, a := range report.Addresses {
				row := addressRow{
					Host:     names[a.Address],
					Endpoint: report.Endpoint, Address: a.Address, State: class(string(a.Verdict())), Word: string(a.Verdict()),
					Subject: a.Leaf.Subject, Issuer: a.Leaf.Issuer, Serial: a.Leaf.Serial, SHA256: a.Leaf.SHA256,
					NotBefore: a.Leaf.NotBefore, NotAfter: a.Leaf.NotAfter, TLS: a.TLS.Version,
				}
				first := true
				for _, f := range a.Findings {
					if first && f.Severity == a.Verdict() {
						row.Word, row.Cause, row.Next, row.Proof = strings.ReplaceAll(f.ID, "_", " "), f.Cause, f.Next, facts(f.Proof)
						first = false
						continue
					}
					row.More = append(row.More, strings.ReplaceAll(f.ID, "_", " ")+": "+f.Cause)
				}
				rows = append(rows, row)
			}
			for _, f := range report.Findings {
				rows = append(rows, addressRow{Endpoint: report.Endpoint, Address: "all addresses", All: true, State: class(string(f.Severity)),
					Word: strings.ReplaceAll(f.ID, "_", " "), Cause: f.Cause, Next: f.Next, Proof: facts(f.Proof)})
			}
		}
	}
	return rows
}

// facts are a proof's entries by name.
func facts(proof map[string]string) []commands.Fact {
	var all []commands.Fact
	for k, v := range proof {
		all = append(all, commands.Fact{Name: strings.ReplaceAll(k, "_", " "), Value: v})
	}
	slices.SortFunc(all, func(a, b commands.Fact) int { return strings.Compare(a.Name, b.Name) })
	return all
}
