package postmortem

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// TestShortOutage: seven seconds fill a good part of the picture, and its
// axis tells the seconds apart.
func TestShortOutage(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 3, 0, time.UTC)
	r := Record{Incident: incident.Incident{ID: "INC-1", Title: "x", Severity: 2, Status: incident.Resolved, DeclaredBy: ana, Declared: at, Updated: at.Add(7 * time.Second), Certificates: []string{"media"}}}
	for n, state := range []string{"critical", "good"} {
		e := incident.Entry{ID: fmt.Sprint("E-", n+1), Incident: "INC-1", At: at.Add(time.Duration(n*7) * time.Second), By: incident.Bot, Kind: incident.Check, Version: 1}
		e.Evidence.Check = incident.CheckEvidence{Certificate: "media", Verdict: state, Hosts: []incident.HostCheck{{Host: "sally", Address: "127.0.0.1:1", State: state, Serial: "01", SHA256: oldSum, Findings: []string{}}}}
		r.Timeline = append(r.Timeline, e)
	}
	r.History = r.Timeline
	v := gather(r.Incident, r.Timeline)
	svg := v.layout("", "").svg()
	m := regexp.MustCompile(`<rect x="[0-9.]+" y="[0-9.]+" width="([0-9.]+)" height="18" fill="#a3201a">`).FindStringSubmatch(svg)
	if m == nil {
		t.Fatal("no failing stretch in", svg)
	}
	if w, _ := strconv.ParseFloat(m[1], 64); w < 0.4*(rightEdge-150) {
		t.Errorf("the outage is %.0f wide of %d", w, rightEdge-150)
	}
	for _, tick := range []string{">02:00:05<", ">02:00:10<", ">02:00:15<"} {
		if !strings.Contains(svg, tick) {
			t.Errorf("no tick %s", tick)
		}
	}
}
