package commands

import (
	"context"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// EstatePage is what the estate's page shows, worst first.
type EstatePage struct {
	At        time.Time
	Standings []renew.Standing
	Open      []incident.Incident
}

// CertificatePage is what a certificate's page shows.
type CertificatePage struct {
	At        time.Time
	Standing  renew.Standing
	Renewals  []renew.Renewal
	Incidents []incident.Incident
}

// IncidentPage is what an incident's page shows.
type IncidentPage struct {
	At        time.Time
	Incident  incident.Incident
	Metrics   incident.Metrics
	Timeline  []incident.Entry
	Standings []renew.Standing // of its certificates
	Renewals  []renew.Renewal  // of its certificates since it started
	Draft     []byte           // HTML fragment
}

// IncidentsPage is the list of incidents.
type IncidentsPage struct {
	At        time.Time
	Words     string
	Incidents []incident.Incident
}

// EstatePage returns the estate.
func (d *Desk) EstatePage(ctx context.Context) (EstatePage, error) { panic("unwritten") }

// CertificatePage returns one certificate, or a Problem.
func (d *Desk) CertificatePage(ctx context.Context, name string) (CertificatePage, error) {
	panic("unwritten")
}

// IncidentPage returns one incident, or a Problem.
func (d *Desk) IncidentPage(ctx context.Context, id string) (IncidentPage, error) { panic("unwritten") }

// IncidentsPage returns incidents that hold all words.
func (d *Desk) IncidentsPage(ctx context.Context, words string) (IncidentsPage, error) {
	panic("unwritten")
}

// Draft returns an incident's postmortem draft in the form "md", "html" or "json".
func (d *Desk) Draft(ctx context.Context, id, form string) (File, error) { panic("unwritten") }
