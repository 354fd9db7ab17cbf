package postmortem

import (
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// beside is an outage of one certificate, with what stood beside it.
func beside(a incident.Around) Record {
	r := outage(4, time.Hour)
	r.Incident.Owner = "web"
	r.Timeline[0].Evidence.Check.Around = a
	return r
}

// TestAround: who owns it, and which other certificates may have the same
// fault, by what they have in common.
func TestAround(t *testing.T) {
	t.Parallel()
	md := string(New(beside(incident.Around{Looked: true, OwnerPeople: 1, Kin: []incident.Kin{{Certificate: "api", Same: []string{"flaw", "owner"}}, {Certificate: "www", Same: []string{"owner", "zone", "issuer"}}, {Certificate: "mail", Same: []string{"issuer"}}}})).Markdown())
	for _, want := range []string{
		"- The certificate's owner is web, a team of one person.",
		"| Proposal: Check the other certificates that may have the same fault; the same flaw: `api`; the same owner: `api`, `www`; the same zone: `www`; the same issuer: `www`, `mail`. | prevent | web | - |  | proposed |",
		"| Proposal: Give `media` an owner of more than one person. | prevent |",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft has no %q", want)
		}
	}
	md = string(New(beside(incident.Around{Looked: true, OwnerPeople: 3})).Markdown())
	if !strings.Contains(md, "owner is web, a team of 3.") || strings.Contains(md, "the other certificates") {
		t.Error("it proposes certificates that are not there, or does not count the team")
	}
	if md = string(New(beside(incident.Around{})).Markdown()); !strings.Contains(md, "Check the other certificates of web for the same flaw.") || !strings.Contains(md, "owner is web.") {
		t.Error("a record from before reads otherwise than it did")
	}
}

// TestWrongCertificate: which host had another certificate, since when it was
// seen, and between which moments it was deployed.
func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	md := string(New(beside(incident.Around{})).Markdown())
	if want := "- Another certificate than the right one was on `sally` (serial "; strings.Contains(md, want) {
		t.Error("its serial is not on the record")
	}
	for _, want := range []string{"- Another certificate than the right one was on `sally`, first seen at 2026-11-20 23:54:48 UTC (E-1); it was deployed after 2026-11-20 23:50 UTC, the last time when all was good.", "Check what is served after each deployment"} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft has no %q", want)
		}
	}
}

// TestDrillMessages: nobody takes the messages of a drill for real ones; and
// every mark of a gap is counted.
func TestDrillMessages(t *testing.T) {
	t.Parallel()
	r := beside(incident.Around{})
	r.Incident.Drill = true
	d := New(r)
	md := string(d.Markdown())
	if n := strings.Count(md, "> DRILL. "); n != 2 {
		t.Errorf("%d of 2 messages say that it is a drill", n)
	}
	if all, marked := strings.Count(md, "TO FILL")-1, strings.Count(md, "**TO FILL: "); all != marked || marked != len(d.Gaps) { // one says how they are marked
		t.Errorf("%d gaps stand there, %d are marked, %d are counted", all, marked, len(d.Gaps))
	}
}

// TestTracker: an action item that is kept elsewhere has its link.
func TestTracker(t *testing.T) {
	t.Parallel()
	r := beside(incident.Around{})
	r.Incident.Tasks = []incident.Task{{ID: "T-1", Text: "alert sooner", Kind: "detect", Owner: ana, Due: r.Incident.Declared, By: ana, At: r.Incident.Declared, Entry: "E-3", Export: incident.Export{State: "done", Tracker: "github", Ref: "example/certs#7", URL: "https://github.example/7"}}}
	if md := string(New(r).Markdown()); !strings.Contains(md, "| E-3, [example/certs#7](<https://github.example/7>) | open |") {
		t.Error("the link is not there")
	}
}
