package commands_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// TestAround: the first check of an incident has how many own the certificate
// and which others share something with it; later checks have not.
func TestAround(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare sev2 images do not load --cert media")
	es, err := r.book.Timeline(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	n := slices.IndexFunc(es, func(e incident.Entry) bool { return len(e.Evidence.Check.Hosts) > 0 })
	if n < 0 {
		t.Fatal("no check")
	}
	a := es[n].Evidence.Check.Around
	if got := fmt.Sprint(a.Kin); !a.Looked || a.OwnerPeople != 2 || got != "[{api [owner zone issuer]}]" {
		t.Errorf("%+v", a)
	}
	for _, e := range es[n+1:] {
		if e.Evidence.Check.Around.Looked {
			t.Errorf("%s has it again", e.ID)
		}
	}
}
