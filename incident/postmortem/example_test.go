package postmortem_test

import (
	"fmt"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
)

// A draft says what it knows and marks what a person must fill.
func Example() {
	ana := incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	at := time.Date(2023, 2, 28, 1, 54, 0, 0, time.UTC)
	d := postmortem.New(postmortem.Record{Incident: incident.Incident{
		ID: "INC-1", Title: "Images do not load", Severity: 1, Status: incident.Resolved, DeclaredBy: ana, Declared: at,
		Milestones: []incident.Milestone{
			{Kind: incident.Started, At: at.Add(-3 * time.Minute), Source: "measured", Text: "notAfter of serial 03c4"},
			{Kind: incident.ResolvedAt, At: at.Add(48 * time.Minute), Source: "derived", Text: "resolved by ana"},
		},
	}})
	fmt.Println(d.Sections[1].Body)
	fmt.Println(len(d.Gaps), "gaps, the first:", d.Gaps[0])
	// Output:
	// What stopped: Images do not load. It began at 2023-02-28 01:51 UTC: **TO FILL: the cause**. **TO FILL: what ended it**.
	// 21 gaps, the first: the cause
}
