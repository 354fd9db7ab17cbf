package postmortem

import (
	"strings"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// TestToldInside: what was sent to people inside alone, nobody outside reads,
// also where nothing was sent to outsiders.
func TestToldInside(t *testing.T) {
	t.Parallel()
	p := newTape(t, "2026-11-20")
	p.declare("02:00", incident.Declaration{Title: "x", Severity: 2, By: ana})
	p.tell("02:03", ana, "For the board alone.", incident.Delivery{Target: "board", Kind: "mail", Audience: "internal", State: incident.DeliveryDone})
	p.tell("02:04", ana, "For whoever is in the rooms.")
	r := p.record(nil)
	r.Template = "status-page"
	md := string(New(r).Markdown())
	if strings.Contains(md, "For the board alone.") || !strings.Contains(md, "For whoever is in the rooms.") {
		t.Errorf("the status page says\n%s", md)
	}
}

// TestToldAgain: an update with a title of its own, and one tried again by hand.
func TestToldAgain(t *testing.T) {
	t.Parallel()
	p := newTape(t, "2026-11-20")
	p.declare("02:00", incident.Declaration{Title: "Images do not load", Severity: 2, By: ana})
	page := statuspage("public")
	page.State, page.Text = incident.DeliveryFailed, "500"
	p.at("02:03")
	_, u, err := p.b.AddUpdate(t.Context(), "INC-1", incident.Update{Title: "Pictures are missing", Text: "We look.", Deliveries: []incident.Delivery{page}}, false, incident.Change{By: ana})
	if err != nil {
		t.Fatal(err)
	}
	p.settle(u, page)
	p.at("02:05")
	if _, u, err = p.b.RetryUpdate(t.Context(), "INC-1", u.ID, incident.Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	page.State, page.Try = incident.DeliveryDone, u.Deliveries[0].Try
	p.settle(u, page)
	md := string(New(p.record(nil)).Markdown())
	for _, want := range []string{"Title: Pictures are missing\n", "- To Statuspage public (external): delivered at 2026-11-20 02:05 UTC, tried again by hand (E-"} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft has no %q:\n%s", want, md)
		}
	}
	if strings.Contains(md, "Title: Images do not load") {
		t.Error("the incident's own title is said of an update")
	}
}
