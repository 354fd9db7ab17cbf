package postmortem

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// Drafts of random records: twice the same bytes, every gap counted, every
// entry in the timeline once, and a picture within its frame.
func TestRandomDrafts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := randomRecord(rand.New(rand.NewPCG(seed, 2)))
		d := New(r)
		md := d.Markdown()
		if !bytes.Equal(md, New(r).Markdown()) || !bytes.Equal(page(t, d), page(t, New(r))) {
			t.Errorf("seed %d: the same record, other bytes", seed)
		}
		if n := bytes.Count(md, []byte("**TO FILL: ")); n < len(d.Gaps) {
			t.Errorf("seed %d: %d gaps counted, %d marked", seed, len(d.Gaps), n)
		}
		for _, s := range d.Sections {
			if s.Name != "timeline" {
				continue
			}
			if got := strings.Count(s.Body, "\n"); len(r.Timeline) > 0 && got != len(r.Timeline)+1 {
				t.Errorf("seed %d: %d entries, %d rows", seed, len(r.Timeline), got-1)
			}
		}
		v := gather(r.Incident, r.Timeline)
		inFrame(t, seed, v.layout("", "").svg())
	}
}

var number = regexp.MustCompile(` (x|x1|width)="([-0-9.]+)"`)

func inFrame(t *testing.T, seed uint64, svg string) {
	t.Helper()
	for _, m := range number.FindAllStringSubmatch(svg, -1) {
		var f float64
		if _, err := fmt.Sscan(m[2], &f); err != nil || f < 0 || f > wide {
			t.Errorf("seed %d: %s", seed, m[0])
		}
	}
}

func randomRecord(r *rand.Rand) Record {
	at := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	some := func() time.Time { return at.Add(time.Duration(r.Int64N(int64(200 * time.Hour)))) }
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	i := incident.Incident{ID: "INC-1", Title: pick("x", "", "a|b"), Severity: 1, Status: incident.Status(pick("investigating", "resolved", "closed")), Declared: at, DeclaredBy: ana, Updated: at.Add(300 * time.Hour)}
	for _, k := range []string{incident.Started, incident.Detected, incident.Declared, incident.Acknowledged, incident.IdentifiedAt, incident.Mitigated, incident.ResolvedAt, incident.ClosedAt} {
		if r.IntN(2) == 0 {
			i.Milestones = append(i.Milestones, incident.Milestone{Kind: k, At: some(), Source: pick("said", "measured")})
		}
	}
	rec := Record{Incident: i}
	now := at
	for n := range r.IntN(60) {
		now = now.Add(time.Duration(r.Int64N(int64(3 * time.Hour))))
		e := incident.Entry{ID: fmt.Sprint("E-", n+1), At: now, By: ana, Version: 1, Kind: pick(incident.NoteKind, incident.Report, incident.Alert, "temp"), Text: pick("a", "b | c", "<i>")}
		h, sum := pick("a", "b", "c"), pick(oldSum, newSum, "")
		switch r.IntN(4) {
		case 0:
			e.Evidence.Check = incident.CheckEvidence{Verdict: pick("good", "critical"), Cause: pick("", "it expired"), Hosts: []incident.HostCheck{{Host: h, State: pick("good", "critical", "warning", "unknown"), SHA256: sum, Findings: []string{pick("expired", "eof")}, NotAfter: some()}}}
		case 1:
			e.Evidence.Step = incident.StepEvidence{Renewal: pick("R-1", "R-2"), Step: pick("deploy", "verify", "rollback", "order"), Outcome: pick("ok", "failed", "started"), Host: h, AfterSHA256: sum}
		case 2:
			e.Evidence.Approval = incident.ApprovalEvidence{Renewal: pick("R-1", "R-2"), Decision: pick("asked", "approved", "denied", "not needed")}
		}
		rec.Timeline = append(rec.Timeline, e)
	}
	rec.History = rec.Timeline
	return rec
}

func FuzzEscape(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean, _ := incident.Clean(s, 4000) // as the record holds it
		body := "| a | b |\n| --- | --- |\n| " + escape(clean) + " | " + code(clean) + " |\n\n" + quote(clean) + "\n\n- " + escape(clean) + "\n\n" + fence(clean) + "\n\nend " + link("x", clean) + "\n"
		out, err := toHTML(Section{Name: "x", Body: body})
		if err != nil {
			t.Fatal(err)
		}
		h := string(out)
		for _, tag := range []string{"<table>", "<blockquote>", "<ul>", "<pre>"} {
			if n := strings.Count(h, tag); n != 1 {
				t.Errorf("%q: %d %s in\n%s", clean, n, tag, h)
			}
		}
		if strings.Count(h, "<tr>") != 2 || strings.Count(h, "<td>") != 2 {
			t.Errorf("%q broke the table:\n%s", clean, h)
		}
		for _, no := range []string{"<script", "<img", "<svg", "<h1", "<h2", "<strong", "<em>", "<hr", "javascript:", "raw HTML omitted"} {
			if strings.Contains(h, no) && !strings.Contains(clean, no) {
				t.Errorf("%q made %s:\n%s", clean, no, h)
			}
		}
	})
}
