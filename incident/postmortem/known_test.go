package postmortem

import (
	"strings"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// TestKnownBefore: what was known before it failed stands under contributing
// factors, with who answered the alert first.
func TestKnownBefore(t *testing.T) {
	t.Parallel()
	p := newTape(t, "2023-02-28")
	ctx := t.Context()
	p.at("01:57")
	p.must(p.b.Declare(ctx, incident.Declaration{Title: "images do not load.", Severity: 2, Certificates: []string{"media"}, By: ana, Start: p.at("01:57").AddDate(0, 0, 0)}, false))
	p.checked("01:58", 0)
	entry := func(e incident.Entry) {
		t.Helper()
		if _, _, _, err := p.b.Append(ctx, "INC-1", e); err != nil {
			t.Fatal(err)
		}
	}
	overdue, worked, failed, posted := p.at("01:51").AddDate(0, 0, -30), p.at("01:30").AddDate(0, 0, -2), p.at("01:30"), p.at("01:52")
	entry(incident.Entry{At: overdue, Kind: incident.Check, Text: "Overdue from here on.", Evidence: incident.Evidence{Check: incident.CheckEvidence{Certificate: "media", Verdict: "warning", Overdue: overdue}}})
	entry(incident.Entry{At: failed, Kind: incident.Rehearsal, Text: "The rehearsal failed.", Evidence: incident.Evidence{Rehearsal: incident.RehearsalEvidence{Certificate: "media", LastGood: worked,
		Faults: []incident.RehearsalFault{{Level: "http-01", Subject: "media.example.com", Addresses: "192.0.2.1, 192.0.2.2", Finding: "http01_path", Cause: "It answers 404."}}}}})
	alert := incident.PostedAlert{Certificate: "media", Room: "main", Key: "alert/media/1", At: posted, Text: "media expired."}
	entry(alert.Entry())

	d := New(p.record(nil))
	md := string(d.Markdown())
	for _, want := range []string{
		"The renewal of `media` was overdue since 2023-01-29 01:51 UTC",
		"The last rehearsal that worked was at 2023-02-26 01:30 UTC.",
		"The rehearsal of 2023-02-28 01:30 UTC failed with `http-01` at `192.0.2.1, 192.0.2.2`: It answers 404 (E-",
		"The alert was sent to the room `main` at 2023-02-28 01:52 UTC (E-",
		"The first answer by a person on the record was ana's at 2023-02-28 01:57 UTC, 5 min later (E-",
		"Proposal: the renewal of `media` was overdue for 30 d before it began (E-", "Proposal: a rehearsal had failed 27 min before it began (E-",
		"| Alerts | 1 |",
		"\nImages do not load: `media` failed",
		"or name another challenge first",
		"| rehearsal: failed |"[2:],
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft does not say %q", want)
		}
	}
	if n := strings.Count(md, "to the room `main`"); n != 1 {
		t.Errorf("where the alert went is said %d times", n)
	}
	if strings.Contains(md, "who saw the alert") || strings.Contains(md, "No alert is on the record") || strings.Contains(md, "Checks found `renewal_overdue`") {
		t.Errorf("said twice, or asked although it is known:\n%s", md)
	}
	if strings.Contains(md, "Renewal  ") || len(gather(d.Incident, d.Timeline).renewals) != 0 {
		t.Error("a rehearsal became a renewal")
	}
}

// TestSentence: a title gets a capital unless it begins with a name.
func TestSentence(t *testing.T) {
	t.Parallel()
	w := &writer{d: &Draft{Incident: incident.Incident{Certificates: []string{"media"}}}}
	for title, want := range map[string]string{
		"images do not load": "Images do not load", "media expired": "media expired", "media: expired": "media: expired", "": "",
		"www.example.com is down": "www.example.com is down", "iOS fails": "iOS fails", "Images": "Images", "élan": "élan", "cdn-1 fails": "cdn-1 fails",
	} {
		if got := w.sentence(title); got != want {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}
