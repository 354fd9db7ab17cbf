package commands_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

func TestStats(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	if p := r.must("ana", "main", "/incident stats"); p.Headline != "No incident since 2026-08-24." || p.Public {
		t.Errorf("%+v", p)
	}
	r.must("ana", "main", "/incident declare sev1 media fails --cert media")
	r.must("ana", "INC-1", "/incident lead me")
	r.must("ana", "INC-1", "/renew media --yes")
	r.must("ana", "INC-1", "/incident resolve")
	r.must("ana", "main", "/incident declare sev3 a drill --drill")
	r.must("ana", "main", "/incident declare sev4 secret-title --private")
	for _, where := range []string{"main", "INC-1"} {
		p := r.must("ben", where, "/inc stats")
		if !strings.HasPrefix(p.Headline, "2 incidents since 2026-08-24, 1 open.") || len(p.Table.Rows) != 6 || p.Links[0].Path != "/numbers?since=90d" {
			t.Errorf("%+v", p)
		}
		if text := fmt.Sprintf("%+v", p); strings.Contains(text, "secret") || strings.Contains(text, "INC-3") {
			t.Errorf("a private incident is named: %s", text)
		}
	}
	p := r.must("ben", "main", "/incident stats --since all --by cause")
	var got commands.NumbersPage
	if err := json.Unmarshal(p.Data, &got); err != nil || got.Private != 1 || len(got.Tallies) != 4 {
		t.Fatalf("%s %v", p.Data, err)
	}
	i, _ := r.book.Incident(context.Background(), "INC-1")
	es, _ := r.book.Timeline(context.Background(), "INC-1")
	for _, s := range incident.MetricsOf(i, es, r.clock.now()).Spans {
		for _, g := range got.Tallies[2].Groups {
			for _, m := range g.Measures {
				if g.Name == "expired" && m.Name == s.Name && (m.Count != 1 || time.Duration(m.Median) != s.Took || m.P90 != m.Median) {
					t.Errorf("%s: %+v, MetricsOf says %s", s.Name, m, s.Took)
				}
			}
		}
	}
	if text := fmt.Sprint(p.Table.Rows); !strings.Contains(text, "expired 1 ") || !strings.Contains(text, "private 1 ") || p.Links[0].Path != "/numbers?since=all&by=cause" {
		t.Errorf("%+v", p)
	}
	for by, want := range map[string]string{"month": "2026-11 2 ", "severity": "SEV1 1 ", "owner": "private 1 "} {
		if p := r.must("ben", "main", "/incident stats --by "+by); !strings.Contains(fmt.Sprint(p.Table.Rows), want) || tableWidth(p.Table) > 80 {
			t.Errorf("by %s: %d wide, %+v", by, tableWidth(p.Table), p.Table)
		}
	}
	for line, code := range map[string]string{"/incident stats --by host": "bad_by", "/incident stats --since soon": "bad_since", "/incident stats --since 2099-01-01": "bad_since", "/incident stats now": "extra_words"} {
		if p := r.say("ben", "main", line); p.Problem.Code != code || !strings.Contains(p.Problem.Hint, "/incident stats") {
			t.Errorf("%s: %+v", line, p.Problem)
		}
	}
	for since, want := range map[string]string{"30d": "2026-10-2", "2w": "2026-11-0", "6m": "2026-05-22", "1y": "2025-11-22", "2026-01-01": "2026-01-01"} {
		if p := r.must("ben", "main", "/incident stats --since "+since); !strings.Contains(p.Headline, "since "+want) {
			t.Errorf("%s: %s", since, p.Headline)
		}
	}
}

// TestStatsOfAllYears: however far back is asked for, there is an answer.
func TestStatsOfAllYears(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for _, since := range []string{"9999y", "9999m", "9999w", "9999d", "3000y", "0001-01-01"} {
		if p := r.say("ana", "main", "/incident stats --since "+since); !p.Problem.IsZero() {
			t.Errorf("%s: %+v", since, p.Problem)
		}
	}
}
