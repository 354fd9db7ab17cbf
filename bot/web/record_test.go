package web

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
	"github.com/certmedic/certmedic/renew"
)

// record is a stand-in for the desk's pages: one outage in the middle of being
// handled.
type record struct {
	mu        sync.Mutex
	more      int    // further good certificates
	imageType string // of the pinned image; "": image/png
	entries   []incident.Entry
	status    incident.Status
	parts     bool // with temporary changes, action items and roles
}

var atNight = time.Date(2026, 11, 22, 2, 11, 0, 0, time.UTC)

func at(hms string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-11-22 "+hms)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	anaOnCall = incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	medic     = incident.Bot
)

func (d *record) media() renew.Standing {
	old := renew.Leaf{Subject: "media.example.com", SANs: []string{"media.example.com", "cdn.example.com"}, Issuer: "Example Public CA R3", Serial: "04d1e6a9b2c35f7788", NotBefore: at("01:52:00").AddDate(0, 0, -90), NotAfter: at("01:52:00"), SHA256: strings.Repeat("9f3c", 16)}
	fresh := old
	fresh.Serial, fresh.NotBefore, fresh.NotAfter, fresh.SHA256 = "05aa10c2d3e4f50617", at("02:05:00"), at("02:05:00").AddDate(0, 0, 90), strings.Repeat("17ab", 16)
	address := func(n int, leaf renew.Leaf, fs ...renew.Finding) renew.AddressReport {
		return renew.AddressReport{Address: fmt.Sprintf("192.0.2.%d:443", n), Leaf: leaf, Findings: fs, TLS: renew.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256"}}
	}
	expired := renew.Finding{ID: "expired", Severity: renew.Critical, Cause: "The certificate ended at 2026-11-22 01:52 UTC, 19 min ago.", Next: "Renew media.",
		Proof: map[string]string{"not_after": "2026-11-22T01:52:00Z", "serial": old.Serial, "sha256": old.SHA256}}
	return renew.Standing{
		Certificate: renew.Certificate{Name: "media", Domains: []string{"media.example.com", "cdn.example.com", "img.example.com"}, Owner: "web", Issuer: "letsencrypt",
			Waves: [][]renew.Target{{{Name: "cdn-1"}}, {{Name: "cdn-2"}, {Name: "cdn-3"}, {Name: "cdn-4"}}}},
		Reports: []renew.Report{{Endpoint: "media.example.com:443", Name: "media", Verdict: renew.Critical, At: at("02:10:30"),
			Addresses: []renew.AddressReport{address(11, fresh), address(12, old, expired), address(13, old, expired), address(14, old, expired)},
			Findings:  []renew.Finding{{ID: "node_divergence", Severity: renew.Warning, Cause: "4 addresses serve 2 certificates.", Next: "Finish the rollout."}}}},
		Verdict: renew.Critical, Checked: at("02:10:30"), Since: at("01:52:20"), LastGood: at("01:51:20"), NotAfter: old.NotAfter, NotBefore: old.NotBefore, HostsGood: 1, Hosts: 4,
		Window:  renew.Window{Start: old.NotAfter.AddDate(0, 0, -30), End: old.NotAfter.AddDate(0, 0, -28)},
		Overdue: true, Renewal: "R-12", Rehearsed: at("01:58:00"), RehearsedOK: at("01:58:00").AddDate(0, 0, -3),
		Rehearsal: []renew.Proof{{Level: "directory", Subject: "https://acme.example/directory", OK: true, Text: "The CA's directory answers in 40 ms."},
			{Level: "http-01", Subject: "media.example.com", Text: "192.0.2.13 answers 404 for the planted token."}},
	}
}

func good(name string, days int) renew.Standing {
	end := atNight.AddDate(0, 0, days)
	return renew.Standing{Certificate: renew.Certificate{Name: name, Domains: []string{name + ".example.com"}, Owner: "platform", Issuer: "letsencrypt"},
		Verdict: renew.Good, Checked: atNight.Add(-40 * time.Second), NotAfter: end, NotBefore: end.AddDate(0, 0, -90), HostsGood: 2, Hosts: 2,
		Window: renew.Window{Start: end.AddDate(0, 0, -30), End: end.AddDate(0, 0, -28)}, Rehearsed: atNight.Add(-5 * time.Hour), RehearsedOK: atNight.Add(-5 * time.Hour)}
}

func (d *record) EstatePage(context.Context, commands.Person) (commands.EstatePage, error) {
	api := good("api", 9)
	api.Verdict, api.Overdue = renew.Warning, true
	api.Reports = []renew.Report{{Endpoint: "api.example.com:443", Verdict: renew.Warning, Findings: []renew.Finding{{ID: "renewal_overdue", Severity: renew.Warning, Cause: "The renewal window ended 19 days ago."}}}}
	vpn := renew.Standing{Certificate: renew.Certificate{Name: "vpn", Domains: []string{"vpn.example.com"}, Owner: "network", Issuer: "corp-ca"}}
	p := commands.EstatePage{At: atNight, Standings: []renew.Standing{good("www", 61), d.media(), vpn, good("mail", 44), api}, Open: []incident.Incident{d.incident()}}
	for i := range d.more {
		p.Standings = append(p.Standings, good(fmt.Sprintf("svc-%03d", i), 40+i%40))
	}
	return p, nil
}

func (d *record) incident() incident.Incident {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := incident.Incident{ID: "INC-7", Title: "Images do not load: media expired on all four hosts", Severity: 1, Status: d.status, Certificates: []string{"media"}, Owner: "web",
		Commander: anaOnCall, DeclaredBy: anaOnCall, Declared: at("01:55:10"),
		Milestones: []incident.Milestone{
			{Kind: "started", At: at("01:52:00"), Recorded: at("01:52:20"), Source: "measured", Text: "notAfter of serial 04d1…, served by 4 of 4 addresses", By: medic},
			{Kind: "detected", At: at("01:52:20"), Recorded: at("01:52:20"), Source: "measured", Text: "first failing check", By: medic},
			{Kind: "declared", At: at("01:55:10"), Recorded: at("01:55:10"), Source: "said", By: anaOnCall},
			{Kind: "acknowledged", At: at("01:55:40"), Recorded: at("01:55:40"), Source: "said", By: anaOnCall},
		},
		Conflicts: []incident.Conflict{{Kind: "started", Text: "ben said 01:45 UTC; the certificate ended at 01:52 UTC."}},
	}
	if i.Status == "" {
		i.Status = incident.Investigating
	}
	if d.parts {
		i.Temps = []incident.Temp{{N: 1, Text: "the CDN points to the old hosts", Undo: "set the CNAME back", By: anaOnCall, At: at("02:00:00"), Entry: "E-3"},
			{N: 2, Text: "caching is off", By: anaOnCall, At: at("02:00:00"), Entry: "E-4", Undone: at("02:10:00"), UndoneBy: anaOnCall, How: "set back"}}
		i.Tasks = []incident.Task{{ID: "T-1", Text: "renew without a person", Kind: "prevent", Owner: anaOnCall, Due: atNight.AddDate(0, 0, -3), Entry: "E-5"}, {ID: "T-2", Text: "alert sooner", Kind: "detect", Entry: "E-6", Done: at("02:10:00"), DoneBy: anaOnCall}}
		i.Roles = []incident.Role{{Name: "scribe", Person: incident.Person{ID: "web:ben", Name: "ben"}}}
		i.Invited = []incident.Person{{ID: "web:cho", Name: "cho"}, {ID: "web:dan", Name: "dan"}}
	}
	return i
}

func (d *record) timeline() []incident.Entry {
	e := func(n int, when time.Time, by incident.Person, kind, text string) incident.Entry {
		return incident.Entry{ID: fmt.Sprintf("E-%d", n), At: when, Recorded: when, By: by, Kind: kind, Text: text, Version: 1}
	}
	overdue := e(1, at("00:00:00").Add(-time.Hour), medic, incident.Alert, "The renewal of media is overdue since 2026-10-25 01:52 UTC.")
	check := e(2, at("01:52:20"), medic, incident.Check, "media fails on 4 of 4 hosts: the certificate ended at 01:52 UTC.")
	check.Evidence.Check = incident.CheckEvidence{Certificate: "media", Verdict: "critical", Cause: "expired", Hosts: []incident.HostCheck{
		{Host: "cdn-1", Address: "192.0.2.11:443", State: "critical", Findings: []string{"expired"}, Serial: "04d1e6a9", NotAfter: at("01:52:00")},
		{Host: "cdn-2", Address: "192.0.2.12:443", State: "critical", Findings: []string{"expired"}, Serial: "04d1e6a9", NotAfter: at("01:52:00")}}}
	late := e(4, at("01:53:00"), anaOnCall, incident.NoteKind, "First report in support: images are grey boxes.")
	late.Recorded, late.Version = at("02:01:00"), 2
	step := e(6, at("02:05:01"), medic, incident.RenewalStep, "R-12: certificate issued by Example Public CA R3, good until 2027-02-20 02:05 UTC.")
	step.Evidence.Step = incident.StepEvidence{Renewal: "R-12", Step: "finalize", Outcome: "ok", Order: "https://acme.example/order/88", Challenge: "dns-01", Issuer: "Example Public CA R3", AfterSerial: "05aa10c2d3e4f50617", AfterSHA256: strings.Repeat("17ab", 16), Took: 840 * time.Millisecond}
	deploy := e(7, at("02:06:10"), medic, incident.Deploy, "R-12: cdn-1 (canary) serves the new certificate.")
	deploy.Evidence.Step = incident.StepEvidence{Renewal: "R-12", Step: "verify", Outcome: "ok", Host: "cdn-1", BeforeSerial: "04d1e6a9b2c35f7788", AfterSerial: "05aa10c2d3e4f50617", Took: 2 * time.Second, Output: "nginx: configuration file /etc/nginx/nginx.conf test is successful"}
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]incident.Entry{overdue, check, e(3, at("01:55:10"), anaOnCall, incident.StatusKind, "Declared INC-7, SEV1."), late,
		e(5, at("02:03:30"), anaOnCall, incident.Approval, "Renew media with DNS-01: HTTP-01 is broken at 192.0.2.13."), step, deploy}, d.entries...)
}

func (d *record) CertificatePage(_ context.Context, name string, _ commands.Person) (commands.CertificatePage, error) {
	p := commands.CertificatePage{At: atNight, Incidents: []incident.Incident{d.incident()}}
	switch name {
	case "media":
		p.Standing = d.media()
		p.Renewals = []renew.Renewal{d.renewal()}
	case "www":
		p.Standing = good("www", 61)
		p.Incidents = nil
	default:
		return p, commands.Problem{Code: "unknown_certificate", Message: "There is no certificate " + name + ".", Hint: "The estate is at /estate."}
	}
	return p, nil
}

func (d *record) renewal() renew.Renewal {
	return renew.Renewal{ID: "R-12", Ask: renew.Ask{Certificate: "media", By: renew.Person{Name: "ana"}}, State: renew.Running, Asked: at("02:03:30")}
}

func (d *record) IncidentPage(_ context.Context, id string, _ commands.Person) (commands.IncidentPage, error) {
	if id != "INC-7" {
		return commands.IncidentPage{}, commands.Problem{Code: "unknown_incident", Message: "There is no incident " + id + ".", Hint: "Look at /incidents."}
	}
	return commands.IncidentPage{At: atNight, Incident: d.incident(), Timeline: d.timeline(), Standings: []renew.Standing{d.media()}, Renewals: []renew.Renewal{d.renewal()},
		Metrics: incident.Metrics{Spans: []incident.Span{{Name: "detect", Took: 20 * time.Second}, {Name: "declare", Took: 3*time.Minute + 10*time.Second}, {Name: "acknowledge", Took: 3*time.Minute + 40*time.Second}},
			BySeverity: []incident.Span{{Name: "SEV1", Took: 15*time.Minute + 50*time.Second}}, ByStatus: []incident.Span{{Name: "investigating", Took: 15*time.Minute + 50*time.Second}}},
		Updates: d.updates(), Draft: []byte(draft)}, nil
}

// updates are one of each kind, with words that somebody hostile wrote.
func (d *record) updates() commands.PageUpdates {
	if !d.parts {
		return commands.PageUpdates{}
	}
	said := func(id string, decided incident.Person, reason string) incident.Update {
		return incident.Update{ID: id, Text: "Images do not load. <b>Sorry</b>", By: anaOnCall, At: at("02:01:00"), Entry: "E-5", Decided: decided, Reason: reason}
	}
	return commands.PageUpdates{Earlier: 3, Word: commands.Button{Label: "Word an update", Command: "/incident update INC-7 --draft external"}, Updates: []commands.PageUpdate{
		{Update: said("U-7", incident.Person{}, ""), State: "warning", Word: "waits for approval", Where: []commands.PageDelivery{{State: "info", Target: "mail board", Word: "not sent"}},
			Buttons: []commands.Button{{Label: "Approve", Command: "/incident update approve INC-7 U-7", Style: "primary"}, {Label: "Deny", Command: "/incident update deny INC-7 U-7"}}},
		{Update: said("U-6", anaOnCall, ""), State: "critical", Word: "failed at 1 of 2", Where: []commands.PageDelivery{{State: "good", Target: "statuspage page", Word: "delivered", Text: "shown"}, {State: "critical", Target: "mail board", Word: "failed", Text: "550 <i>no</i>"}},
			Buttons: []commands.Button{{Label: "Try again", Command: "/incident update retry INC-7 U-6"}}},
		{Update: said("U-5", anaOnCall, "no blame"), State: "info", Word: "denied"},
		{Update: said("U-4", incident.Person{}, ""), State: "good", Word: "said in the rooms"}}}
}

const draft = `<h2 id="head">INC-7 Images do not load</h2><p>SEV1, 2026-11-22, commander ana. <mark>2 gaps to fill.</mark></p>
<h2 id="summary">Summary</h2><p>All four hosts of media served a certificate that had ended at 2026-11-22 01:52 UTC. Its renewal was overdue since 2026-10-25 01:52 UTC.</p>
<h2 id="impact">Impact</h2><table><thead><tr><th>What</th><th>How much</th></tr></thead><tbody><tr><td>Endpoints affected</td><td>4 of 4</td></tr><tr><td>Duration</td><td>19 min</td></tr></tbody></table><p><mark>TO FILL: customers affected</mark></p>
<h2 id="timeline">Timeline</h2><ul><li>01:52:00 UTC started</li><li>01:52:20 UTC detected</li></ul>`

func (d *record) IncidentsPage(_ context.Context, words string, _ commands.Person) (commands.IncidentsPage, error) {
	p := commands.IncidentsPage{At: atNight, Words: words}
	old := d.incident()
	old.ID, old.Status, old.Severity, old.Title, old.Drill, old.Commander = "INC-6", incident.Closed, 3, "mail answered with the wrong name", true, incident.Person{}
	old.Milestones = append(old.Milestones[:1:1], incident.Milestone{Kind: "resolved", At: at("01:59:00")})
	for _, i := range []incident.Incident{d.incident(), old} {
		if strings.Contains(strings.ToLower(i.ID+i.Title), strings.ToLower(words)) {
			p.Incidents = append(p.Incidents, i)
		}
	}
	return p, nil
}

func (d *record) DraftPage(_ context.Context, id, template string, _ commands.Person) (commands.DraftPage, error) {
	if id != "INC-7" {
		return commands.DraftPage{}, commands.Problem{Code: "unknown_incident", Message: "There is no incident " + id + ".", Hint: "Look at /incidents."}
	}
	r := postmortem.Record{Incident: d.incident(), Timeline: d.timeline(), Template: template}
	draft := postmortem.New(r)
	parts, marks, err := draft.Parts()
	return commands.DraftPage{At: atNight, Incident: r.Incident, Template: draft.Template, Templates: postmortem.BuiltIn, Parts: parts, Marks: marks, Gaps: len(draft.Gaps), Seen: "E-7"}, err
}

func (d *record) DraftAs(_ context.Context, id, form, template string, _ commands.Person) (commands.File, error) {
	if id != "INC-7" {
		return commands.File{}, commands.Problem{Code: "unknown_incident", Message: "There is no incident " + id + ".", Hint: "Look at /incidents."}
	}
	kind := map[string]string{"md": "text/markdown", "html": "text/html", "json": "application/json", "png": "image/png"}[form]
	return commands.File{Name: id + "." + form, Type: kind, Data: []byte("draft as " + form + template)}, nil
}

func (d *record) Image(_ context.Context, id, sha string, _ commands.Person) (commands.File, error) {
	if id != "INC-7" || sha != pinnedImage {
		return commands.File{}, commands.Problem{Code: "unknown_image", Message: id + " has no such image.", Hint: "Look at its page."}
	}
	return commands.File{Name: "a.png", Type: cmp.Or(d.imageType, "image/png"), Data: []byte("\x89PNG")}, nil
}

const pinnedImage = "aa11"

// nightDesk answers like the real desk would that night, and like bottest's
// desk for the rest.
type nightDesk struct{ *bottest.Desk }

func (d nightDesk) Do(ctx context.Context, q commands.Request, post func(commands.Post)) commands.Reply {
	switch q.Text {
	case "/certcheck":
		return commands.Reply{State: commands.StateCritical, Headline: "1 of 5 certificates is critical: media expired 19 min ago on 3 of 4 hosts.",
			Table: commands.Table{Columns: []string{"Certificate", "Verdict", "Time left", "Hosts good", "Rehearsed"}, Rows: []commands.Row{
				{State: "critical", Cells: []string{"media", "expired", "ended 19 min ago", "1 of 4", "failed 13 min ago"}},
				{State: "warning", Cells: []string{"api", "renewal overdue", "9 d left", "2 of 2", "5 h ago"}},
				{State: "good", Cells: []string{"www", "good", "61 d left", "2 of 2", "5 h ago"}}}},
			Buttons: []commands.Button{{Label: "Declare", Command: "/incident declare media expired --cert media", Style: "primary"}, {Label: "Renew media", Command: "/renew media"}, {Label: "Check again", Command: "/certcheck"}},
			Links:   []commands.Link{{Label: "Estate", Path: "/estate"}}}
	case "/renew media":
		return commands.Reply{State: commands.StateCritical, Headline: "media cannot be renewed with http-01 now: 192.0.2.13 answers 404 for the planted token.",
			Body:  "DNS-01 is configured too and its rehearsal is good.\nwave 1: cdn-1 (canary)\nwave 2: cdn-2, cdn-3, cdn-4",
			Facts: []commands.Fact{{Name: "names", Value: "media.example.com, cdn.example.com, img.example.com"}, {Name: "CA", Value: "letsencrypt, challenge http-01, key ecdsa-p256"}, {Name: "hosts", Value: "4 hosts in 2 waves"}},
			Steps: []commands.Line{{State: "good", Text: "directory https://acme.example: answers in 40 ms"}, {State: "critical", Text: "http-01 media.example.com: 192.0.2.13 answers 404"}},
			Buttons: []commands.Button{{Label: "Renew with DNS-01", Command: "/renew media --yes", Style: "primary", Confirm: "Renew media from letsencrypt with dns-01 and roll it out to 4 hosts?"},
				{Label: "Rehearse again", Command: "/renew media"}}}
	case "/renew media --yes":
		post(commands.Post{Room: q.Room, Reply: renewing(1)})
		return renewing(1)
	}
	return d.Desk.Do(ctx, q, post)
}

// renewing is the card of a renewal with n hosts done.
func renewing(n int) commands.Reply {
	r := commands.Reply{State: commands.StateRunning, Headline: fmt.Sprintf("R-12: renewing media, deploy on cdn-%d; %d of 4 hosts verified.", n+1, n), Public: true, Key: "renewal/R-12", Done: n, Of: 4,
		Steps:   []commands.Line{{State: "good", Text: "certificate issued: done (840 ms)"}, {State: "running", Text: "rollout, canary first: running"}, {State: "info", Text: "every host verified: waiting"}},
		Buttons: []commands.Button{{Label: "Stop", Command: "/public stopped R-12", Style: "danger"}}, Links: []commands.Link{{Label: "media", Path: "/certificates/media"}}}
	if n == 4 {
		r.State, r.Headline = commands.StateGood, "R-12: media is renewed and verified on 4 of 4 hosts, good until 2027-02-20 02:05 UTC."
		r.Steps, r.Buttons = nil, []commands.Button{{Label: "Check", Command: "/certcheck"}}
	}
	return r
}
