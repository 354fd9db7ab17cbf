package postmortem

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

func statuspage(name string) incident.Delivery {
	return incident.Delivery{Target: name, Kind: "statuspage", Audience: "external", State: incident.DeliveryDone, Text: "shown as investigating on the page", Ref: "kctbh9"}
}

// write writes a status update to targets; with wait it waits for approval.
func (p *tape) write(clock string, by incident.Person, text string, wait bool, to ...incident.Delivery) incident.Update {
	p.t.Helper()
	p.at(clock)
	_, u, err := p.b.AddUpdate(p.t.Context(), "INC-1", incident.Update{Text: text, Deliveries: to}, wait, incident.Change{By: by})
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

// settle records what became of it.
func (p *tape) settle(u incident.Update, to ...incident.Delivery) {
	p.t.Helper()
	for _, d := range to {
		if _, _, err := p.b.SettleDelivery(p.t.Context(), "INC-1", u.ID, d, incident.Change{By: incident.Bot}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// tell writes an update that arrives at once, or fails.
func (p *tape) tell(clock string, by incident.Person, text string, to ...incident.Delivery) {
	p.t.Helper()
	p.settle(p.write(clock, by, text, false, to...), to...)
}

func (p *tape) decide(clock string, u incident.Update, by incident.Person, approve bool, reason string) {
	p.t.Helper()
	p.at(clock)
	if _, _, err := p.b.DecideUpdate(p.t.Context(), "INC-1", u.ID, approve, incident.Change{By: by, Reason: reason}); err != nil {
		p.t.Fatal(err)
	}
}

// reported is an outage in which something was told by every way, well and badly.
func reported(t testing.TB) *tape {
	p := newTape(t, "2026-11-20")
	cho := incident.Person{ID: "web:cho", Name: "cho", Platform: "web"}
	p.declare("02:00", incident.Declaration{Title: "Images of media do not load", Severity: 2, Certificates: []string{"media"}, Owner: "infra", By: ana, Start: p.at("02:00").Add(-4 * time.Minute)})
	board := incident.Delivery{Target: "board", Kind: "mail", Audience: "internal", State: incident.DeliveryDone, Text: "taken by mx.example.com for 2 addresses at 02:05 UTC", Ref: "<x@mx.example.com>"}
	hook := incident.Delivery{Target: "hook", Kind: "webhook", Audience: "internal", State: incident.DeliveryFailed, Text: `Post "https://user:secret@hooks.example.com/T0/B0/token": 410 Gone`}
	mail := incident.Delivery{Target: "customers", Kind: "mail", Audience: "external", State: incident.DeliveryFailed, Text: "1 of 2 addresses were refused by mx.example.com: carol@customer.example: 550 no such user"}

	p.tell("02:03", ana, "Only the rooms hear this.")
	p.tell("02:05", ana, "For the board: the key of media is on sally.", board, hook)
	u := p.write("02:06", ben, "Images do not load. We look for the cause.", true, statuspage("public"), mail)
	p.decide("02:09", u, cho, true, "")
	p.settle(u, statuspage("public"), mail)
	p.status("02:10", incident.Identified, ben, "Somebody at ACME forgot it.")
	p.decide("02:14", p.write("02:12", ben, "It is the fault of ACME.", true, statuspage("public")), cho, false, "no blame.")
	p.write("02:20", ben, "Nearly there.", true, statuspage("public"))
	p.write("02:21", ana, "On its way.", false, statuspage("public"))
	p.at("02:30")
	return p
}

// TestTold: the draft says when what was told to whom, who approved it, and
// what did not arrive.
func TestTold(t *testing.T) {
	t.Parallel()
	d := New(reported(t).record(nil))
	md := string(d.Markdown())
	_, text, ok := strings.Cut(md, "## Messaging\n\n")
	account, rest, both := strings.Cut(text, "### Internal note")
	if !ok || !both || !strings.Contains(rest, "### External statement") {
		t.Fatalf("the account does not stand before the drafts:\n%s", text)
	}
	golden(t, "told.md", []byte(account))
	for _, want := range []string{
		"Updates sent outside the rooms: 3, of which 2 arrived, the first at 2026-11-20 02:05 UTC, 9 min after it began.",
		"**U-1**, status investigating, said in the rooms at 2026-11-20 02:03 UTC. Written by ana (E-3).",
		"- To mail board (internal): delivered at 2026-11-20 02:05 UTC (E-5).",
		"- To webhook hook (internal): failed at 2026-11-20 02:05 UTC (E-6): Post \"hooks.example.com\": 410 Gone.",
		"**U-3**, status investigating, sent at 2026-11-20 02:09 UTC. Written by ben (E-7) at 2026-11-20 02:06 UTC, approved by cho (E-8).",
		"- To Statuspage public (external): delivered at 2026-11-20 02:09 UTC (E-9).",
		"- To mail customers (external): failed at 2026-11-20 02:09 UTC (E-10): 1 of 2 addresses were refused by mx.example.com: (an address): 550 no such user.",
		"**U-4**, not sent: cho denied it at 2026-11-20 02:14 UTC (E-13), saying: no blame. Written by ben (E-12) at 2026-11-20 02:12 UTC.",
		"**U-5**, not sent: it waits for approval since 2026-11-20 02:20 UTC. Written by ben (E-14).",
		"- For Statuspage public (external).", "- To Statuspage public (external): on its way.", "> It is the fault of ACME.",
	} {
		if !strings.Contains(account, want) {
			t.Errorf("the account has no %q", want)
		}
	}
	for _, want := range []string{"| Updates sent outside | 3, of which 2 arrived", "| E-8, update U-3 approved |", "| E-13, update U-4 denied |", "| E-5, delivered |", "| E-10, not delivered |",
		"Proposal: the update U-3 did not reach mail customers (external)."} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft has no %q", want)
		}
	}
}

// TestToldNothing: no update is no gap and no invention.
func TestToldNothing(t *testing.T) {
	t.Parallel()
	p := newTape(t, "2026-11-20")
	p.declare("02:00", incident.Declaration{Title: "x", Severity: 2, By: ana})
	if md := string(New(p.record(nil)).Markdown()); !strings.Contains(md, "No status update is on the record.") || strings.Contains(md, "Updates sent outside") {
		t.Error(md)
	}
	p.tell("02:03", ana, "Only the rooms hear this.")
	if md := string(New(p.record(nil)).Markdown()); !strings.Contains(md, "No status update left the rooms.") || strings.Contains(md, "Updates sent outside") {
		t.Error(md)
	}
}

// TestToldLeaksNothing: no form and no template has an address or a secret of
// a target; those for outsiders have no word that was meant for those inside.
func TestToldLeaksNothing(t *testing.T) {
	t.Parallel()
	r := reported(t).record(nil)
	for _, name := range BuiltIn {
		r.Template = name
		d := New(r)
		html := string(page(t, d))
		for form, text := range map[string]string{"Markdown": string(d.Markdown()), "HTML": html, "JSON": string(data(t, d))} {
			for _, secret := range []string{"carol", "customer.example", "secret", "token", "x@mx", "kctbh9"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %s has %q", form, name, secret)
				}
			}
		}
		if name == "blog" && strings.Contains(html, "fault of ACME") {
			t.Error("the blog has an update that was denied")
		}
		if name != "status-page" {
			continue
		}
		text := strings.ReplaceAll(html, "\n", " ")
		for _, inner := range []string{"Only the rooms", "For the board", "ACME", "Nearly there", "written by"} {
			if strings.Contains(text, inner) {
				t.Errorf("the status page has %q", inner)
			}
		}
		for _, outer := range []string{"Images do not load. We look for the cause.", "On its way."} {
			if !strings.Contains(text, outer) {
				t.Errorf("the status page has no %q", outer)
			}
		}
	}
}

// TestOutsideAddresses: in the forms for people outside each entry has an
// address of its own, once, its evidence in words, and no link leaves the page.
func TestOutsideAddresses(t *testing.T) {
	t.Parallel()
	r := hachyderm(t).record(zone(t, "Europe/Berlin"))
	for name, want := range map[string][]string{
		"blog":        {`<li id="pm-E-3">`, `ana: First report: no images. (E-3) <a href="#pm-E-3"`, `<li id="pm-E-23">`, "(E-23, check: 4 of 4 hosts good)"},
		"status-page": {`<p id="pm-E-8">`, `Posted Feb 28, 2023 - 01:57 UTC (E-8) <a href="#pm-E-8"`, `<p id="pm-E-25">`},
	} {
		r.Template = name
		d := New(r)
		html := string(page(t, d))
		for _, w := range want {
			if !strings.Contains(html, w) {
				t.Errorf("%s has no %s", name, w)
			}
		}
		for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
			id, inside := strings.CutPrefix(m[1], "#")
			if !inside {
				t.Errorf("%s links to %s", name, m[1])
			} else if n := strings.Count(html, ` id="`+id+`"`); n != 1 {
				t.Errorf("%s: %d elements are called %s", name, n, id)
			}
		}
		if strings.Contains(string(d.Markdown()), "](") {
			t.Errorf("%s has a link in Markdown", name)
		}
	}
}
