package postmortem

import (
	"fmt"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// long is a record of n entries on 20 hosts, as New is given it.
func long(n int) Record {
	at := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	r := Record{Incident: incident.Incident{ID: "INC-1", Title: "x", Severity: 1, Status: incident.Investigating, DeclaredBy: ana, Declared: at, Certificates: []string{"media"}}}
	for k := range n {
		e := incident.Entry{ID: fmt.Sprint("E-", k+1), Incident: "INC-1", At: at.Add(time.Duration(k) * time.Second), By: ana, Kind: incident.NoteKind, Version: 1, Text: "What was seen and what was tried, in a line of the usual length."}
		if k%10 == 0 {
			e.By, e.Kind = incident.Bot, incident.RenewalStep
			e.Evidence.Step = incident.StepEvidence{Renewal: fmt.Sprint("R-", k/1000), Step: []string{"deploy", "verify"}[k/10%2], Outcome: "ok", Host: fmt.Sprint("host-", k/10%20), AfterSHA256: newSum, AfterSerial: "03d5", BeforeSHA256: oldSum}
		}
		r.Timeline = append(r.Timeline, e)
	}
	r.History, r.Incident.Updated, r.Incident.Entries = r.Timeline, at.Add(time.Duration(n)*time.Second), n
	return r
}

// BenchmarkDraft makes the draft of 10,000 entries with its page and its picture, in both forms.
func BenchmarkDraft(b *testing.B) {
	r := long(10000)
	b.ReportAllocs()
	for b.Loop() {
		d := New(r)
		if _, err := d.HTML(); err != nil {
			b.Fatal(err)
		}
		if _, err := d.PNG(); err != nil {
			b.Fatal(err)
		}
	}
}
