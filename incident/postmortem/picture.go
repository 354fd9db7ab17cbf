package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: what the picture says, in words. Where things stand in it is in
// layout.go and labels.go, how it is drawn in svg.go and png.go.

// inWords says what the picture shows, in three sentences.
func (v *view) inWords() string {
	names, last := v.proven()
	var marks []string
	for _, m := range v.i.Milestones { // the close too: words have room
		marks = append(marks, m.Kind+" "+incident.When(m.At))
	}
	shown := count(len(v.hosts), "host")
	if n := v.waved(); n > 0 {
		shown += " in " + count(n, "wave")
	}
	first := fmt.Sprintf("The picture shows %s from %s to %s.", shown, incident.When(v.from), incident.When(v.to))
	failed := v.failed()
	second := "No host failed in a check."
	if len(failed) > 0 {
		second = fmt.Sprintf("%s failed (%s)", count(len(failed), "host"), strings.Join(some(failed), ", "))
		if len(names) > 0 {
			second += fmt.Sprintf(", and %d served the new certificate, the last from %s.", len(names), incident.When(last.At))
		} else {
			second += ", and none was verified with a new certificate."
		}
	}
	return first + " " + second + " Milestones: " + strings.Join(marks, ", ") + "."
}

// zoneWords says how far a zone was from UTC when the picture begins.
func zoneWords(zone string, at time.Time) string {
	loc, err := time.LoadLocation(zone)
	if zone == "" || err != nil {
		return ""
	}
	return zone + " was UTC" + at.In(loc).Format("-07:00")
}

// moments are the times at which a host's state changed, in order.
func (v *view) moments() (all []time.Time) {
	for _, h := range v.hosts {
		for _, s := range h.states {
			all = append(all, s.at)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}
