package postmortem

import (
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: a record that has something of everything, on which templates
// are tried when they are read.

func sample() Record {
	ana := incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	old, fresh := strings.Repeat("0f", 32), strings.Repeat("a1", 32)
	i := incident.Incident{ID: "INC-1", Title: "Images do not load", Severity: 2, Status: incident.Closed, Certificates: []string{"media"}, Owner: "infra", Commander: ana,
		DeclaredBy: ana, Declared: at, Impact: "No images.", Updated: at.Add(time.Hour),
		Temps: []incident.Temp{{N: 1, Text: "CDN moved", Undo: "move it back", By: ana, At: at, Entry: "E-9", Undone: at, UndoneBy: ana, How: "moved back", UndoneIn: "E-9"}},
		Tasks: []incident.Task{{ID: "T-1", Text: "rehearse daily", Kind: "prevent", Owner: ana, Due: at, By: ana, At: at, Entry: "E-9"}}}
	for n, kind := range []string{incident.Started, incident.Detected, incident.Declared, incident.Acknowledged, incident.IdentifiedAt, incident.Mitigated, incident.ResolvedAt, incident.ClosedAt} {
		i.Milestones = append(i.Milestones, incident.Milestone{Kind: kind, At: at.Add(time.Duration(n) * time.Minute), Source: "measured", Text: "a check"})
	}
	i.Conflicts = []incident.Conflict{{Kind: incident.Started, Text: "Two times for started."}}
	r := Record{Incident: i, Zone: time.FixedZone("CET", 3600)}
	add := func(kind string, by incident.Person, ev incident.Evidence) {
		id := "E-" + string(rune('1'+len(r.Timeline)))
		r.Timeline = append(r.Timeline, incident.Entry{ID: id, Incident: i.ID, At: at.Add(time.Duration(len(r.Timeline)) * time.Minute), By: by, Kind: kind, Text: "What happened.", Version: 1, Evidence: ev, Link: "https://chat.example.com/1"})
	}
	host := incident.HostCheck{Host: "sally", Address: "sally:443", State: "critical", Findings: []string{"expired"}, Serial: "03c4", SHA256: old, Issuer: "CN=CA", NotAfter: at}
	add(incident.Check, incident.Bot, incident.Evidence{Check: incident.CheckEvidence{Certificate: "media", Verdict: "critical", Cause: "The certificate expired.", Hosts: []incident.HostCheck{host}}})
	add(incident.Alert, incident.Bot, incident.Evidence{Alert: incident.AlertEvidence{Certificate: "media", Room: "main"}})
	add(incident.Rehearsal, incident.Bot, incident.Evidence{Rehearsal: incident.RehearsalEvidence{Certificate: "media", Faults: []incident.RehearsalFault{{Level: "dns-01", Cause: "It may not write."}}}})
	add(incident.StatusKind, ana, incident.Evidence{Change: incident.ChangeEvidence{What: "status", From: "investigating", To: "identified"}})
	add(incident.Approval, ana, incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: "R-1", Decision: "approved", Asked: at, AskedBy: "ana", By: "ana"}})
	step := incident.StepEvidence{Renewal: "R-1", Certificate: "media", Step: "finalize", Outcome: "ok", Order: "https://ca.example.com/order/1", Challenge: "dns-01", Issuer: "CN=CA", AfterSerial: "03d5", AfterSHA256: fresh, AfterUntil: at}
	add(incident.RenewalStep, incident.Bot, incident.Evidence{Step: step})
	step.Step, step.Host, step.BeforeSerial, step.BeforeSHA256, step.Wave = "verify", "sally", "03c4", old, 1
	add(incident.RenewalStep, incident.Bot, incident.Evidence{Step: step})
	add(incident.NoteKind, ana, incident.Evidence{Change: incident.ChangeEvidence{What: incident.SectionChange, From: "lessons", To: "We learned."}})
	add(incident.RenewalStep, incident.Bot, incident.Evidence{Step: incident.StepEvidence{Renewal: "R-2", Certificate: "media", Step: "preflight", Outcome: "failed", Output: "403"}})
	r.History = r.Timeline
	return r
}
