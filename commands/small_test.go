package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// TestTemporaryChangeMadeJustNow: the record refuses a close because of a
// temporary change that was not there when the incident was read.
func TestTemporaryChangeMadeJustNow(t *testing.T) {
	t.Parallel()
	c, i := &call{v: lookup("incident close")}, incident.Incident{ID: "INC-1"}
	for _, err := range []error{c.bookError(i, incident.ErrTemps), c.leaveError(i, incident.ErrTemps)} {
		var p Problem
		if !errors.As(err, &p) || p.Code != "temps_open" || p.Hint == "" {
			t.Errorf("%+v", err)
		}
	}
}

// TestSeenAfterAFailure: an answer that came at the second try is kept as long
// as any other.
func TestSeenAfterAFailure(t *testing.T) {
	t.Parallel()
	var s seen
	ctx, asked := context.Background(), 0
	ask := func(id, code string) {
		s.once(ctx, id, func() Reply { asked++; return Reply{Problem: Problem{Code: code}} })
	}
	ask("a", "internal")
	ask("a", "")
	for n := range maxSeen - 1 {
		ask(fmt.Sprint("b", n), "")
	}
	before := asked
	if ask("a", ""); asked != before {
		t.Error("it was asked again")
	}
	if len(s.order) != len(s.byID) {
		t.Errorf("%d in order, %d kept", len(s.order), len(s.byID))
	}
}

// TestEarliest: a host that served nothing has no end.
func TestEarliest(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	at := func(n time.Time) seenHost {
		return seenHost{AddressReport: renew.AddressReport{Leaf: renew.Leaf{NotAfter: n}}}
	}
	for _, hs := range [][]seenHost{{at(time.Time{}), at(end.Add(time.Hour)), at(end)}, {at(end), at(end.Add(time.Hour)), at(time.Time{})}} {
		if got := earliest(hs); !got.Equal(end) {
			t.Errorf("%s", got)
		}
	}
	if got := earliest([]seenHost{at(time.Time{})}); !got.IsZero() {
		t.Errorf("of nothing: %s", got)
	}
}

// TestOneIssuer: one issuer is said once, above the table, and only where every
// certificate that was seen has it.
func TestOneIssuer(t *testing.T) {
	t.Parallel()
	host := func(issuer string) seenHost {
		h := seenHost{name: "h", AddressReport: renew.AddressReport{Address: "127.0.0.1:443", Leaf: renew.Leaf{Issuer: issuer, NotAfter: time.Unix(1e9, 0)}}}
		if issuer == "none" { // nothing was served
			h.Leaf = renew.Leaf{Issuer: "CN=left over"}
		}
		return h
	}
	long := strings.Repeat("x", 100)
	for _, row := range []struct{ issuers, want string }{
		{"", "-"},
		{"none", "-"},
		{"CN=R10,O=Let's Encrypt", "R10"},
		{"CN=R10|none|O=x,CN=R10", "R10"},
		{"none|CN=R10", "R10"},
		{"CN=R10|CN=R11", ""},
		{"CN=R10|CN=R11|CN=R10", ""},
		{"CN=R10|CN=", ""},
		{"CN=|CN=R10", ""},
		{"O=without a name", "O=without a name"},
		{"CN=a\\,b,O=c", "a\\,b"},
		{"CN=" + long, clip(long, 60)},
	} {
		var hs []seenHost
		for _, i := range strings.Split(row.issuers, "|") {
			if row.issuers != "" {
				hs = append(hs, host(i))
			}
		}
		if got := oneIssuer(hs); got != row.want {
			t.Errorf("%q: %q, want %q", row.issuers, got, row.want)
		}
		table, _ := hostTable(hs, 10)
		if named := slices.Contains(table.Columns, "issued by"); named != (row.want == "") {
			t.Errorf("%q: columns %v", row.issuers, table.Columns)
		}
		for _, r := range table.Rows {
			if len(r.Cells) != len(table.Columns) {
				t.Errorf("%q: %v under %v", row.issuers, r.Cells, table.Columns)
			}
		}
	}
}

// TestStartsLikeTime: what follows an @ is a time, right or wrong, or text.
func TestStartsLikeTime(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"-20x": true, "25:99": true, "2026-13-01": true, "yesterday": true, "today noon": true,
		"a1b2": false, "ana": false, "-": false, "-x1": false, "4 hosts": false, "": false} {
		if got := startsLikeTime(s); got != want {
			t.Errorf("%q: %t", s, got)
		}
	}
}
