package postmortem

import (
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: five real outages, replayed as records: what people and the
// bot would have written, each at its time, in our words. The draft in the
// form closest to what was published then holds every fact that a bot could
// know. Why somebody did something is not among them.

// do runs changes of INC-1 at a time.
func (p *tape) do(clock string, fn func(c incident.Change) (incident.Incident, error), by incident.Person, text string) {
	p.t.Helper()
	p.at(clock)
	p.must(fn(incident.Change{By: by, Text: text}))
}

func who1(name string) incident.Person {
	return incident.Person{ID: "slack:" + name, Name: name, Platform: "slack"}
}

// late writes a line now of what happened at another day and time.
func (p *tape) late(day, clock string, e incident.Entry) {
	p.t.Helper()
	now := p.now
	e.At = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	at, err := time.Parse("2006-01-02 15:04", day+" "+clock)
	if err != nil {
		p.t.Fatal(err)
	}
	e.At = at
	if _, added, _, err := p.b.Append(p.t.Context(), "INC-1", e); err != nil || !added {
		p.t.Fatal(added, err)
	}
}

func (p *tape) declare(clock string, d incident.Declaration) {
	p.t.Helper()
	p.at(clock)
	p.must(p.b.Declare(p.t.Context(), d, false))
}

func (p *tape) status(clock string, to incident.Status, by incident.Person, text string) {
	p.t.Helper()
	p.do(clock, func(c incident.Change) (incident.Incident, error) {
		if to == incident.Resolved {
			return p.b.Resolve(p.t.Context(), "INC-1", nil, c)
		}
		return p.b.SetStatus(p.t.Context(), "INC-1", to, c)
	}, by, text)
}

func (p *tape) lead(clock string, to incident.Person) {
	p.t.Helper()
	p.do(clock, func(c incident.Change) (incident.Incident, error) {
		return p.b.SetCommander(p.t.Context(), "INC-1", to, c)
	}, to, "")
}

func (p *tape) milestone(kind string, at time.Time, source, text string, by incident.Person) {
	p.t.Helper()
	p.must(p.b.SetMilestone(p.t.Context(), "INC-1", incident.Milestone{Kind: kind, At: at, Source: source, Text: text, By: by}))
}

func (p *tape) impact(by incident.Person, text string) {
	p.t.Helper()
	p.must(p.b.SetImpact(p.t.Context(), "INC-1", text, incident.Change{By: by}))
}

func (p *tape) words(by incident.Person, section, text string) {
	p.t.Helper()
	p.must(p.b.SetSection(p.t.Context(), "INC-1", section, text, incident.Change{By: by}))
}

func (p *tape) tasks(by incident.Person, all ...string) {
	p.t.Helper()
	for _, t := range all {
		kind, text, _ := strings.Cut(t, ": ")
		if _, _, err := p.b.AddTask(p.t.Context(), "INC-1", incident.Task{Text: text, Kind: kind}, incident.Change{By: by}); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *tape) temp(clock string, by incident.Person, text, undo string) {
	p.t.Helper()
	p.at(clock)
	if _, _, err := p.b.AddTemp(p.t.Context(), "INC-1", undo, incident.Change{By: by, Text: text}); err != nil {
		p.t.Fatal(err)
	}
}

// look is a check of hosts: "name=state finding serial".
func (p *tape) look(clock, certificate, cause string, until time.Time, all ...string) {
	p.t.Helper()
	c := incident.CheckEvidence{Certificate: certificate, Verdict: "good", Cause: cause}
	good := 0
	for _, one := range all {
		f := strings.Fields(one)
		h := incident.HostCheck{Host: f[0], Address: f[0] + ":443", State: "good", Serial: f[2], SHA256: strings.Repeat(f[2], 64/len(f[2])), Issuer: "CN=CA", NotAfter: until.AddDate(0, 0, 90)}
		if f[1] != "good" {
			h.State, h.Findings, h.NotAfter, c.Verdict = "critical", []string{f[1]}, until, "critical"
		} else {
			good++
		}
		c.Hosts = append(c.Hosts, h)
	}
	p.entry(clock, incident.Entry{By: incident.Bot, Kind: incident.Check, Text: certificate + ": " + count(good, "host") + " of " + count(len(all), "host") + " good.", Evidence: incident.Evidence{Check: c}})
}

// place places and verifies the certificate of a renewal on a host.
func (p *tape) place(renewal, certificate, host, before, after string, until time.Time, placed, verified string) {
	p.t.Helper()
	s := incident.StepEvidence{Renewal: renewal, Certificate: certificate, Host: host, Outcome: "ok", Step: "deploy", Wave: p.wave, BeforeSerial: before, BeforeSHA256: strings.Repeat(before, 64/len(before)), BeforeUntil: until,
		AfterSerial: after, AfterSHA256: strings.Repeat(after, 64/len(after)), AfterUntil: until.AddDate(0, 0, 90), Issuer: "CN=CA"}
	p.step(placed, s, "Placed on "+host+".")
	s.Step = "verify"
	p.step(verified, s, host+" serves the new certificate.")
}

func (p *tape) issued(clock, renewal, certificate, challenge, after string, until time.Time, text string) {
	p.t.Helper()
	p.step(clock, incident.StepEvidence{Renewal: renewal, Certificate: certificate, Step: "finalize", Outcome: "ok", Challenge: challenge, Issuer: "CN=CA", AfterSerial: after, AfterSHA256: strings.Repeat(after, 64/len(after)), AfterUntil: until.AddDate(0, 0, 90)}, text)
}

// seedHachyderm: 28 February 2023. One name behind four hosts; the certificate
// expired, the alert went unseen, DNS was re-pointed to renew and put back.
func seedHachyderm(t testing.TB) *tape {
	p := newTape(t, "2023-02-28")
	nova, quint := who1("nova"), who1("quintessence")
	const cert = "media.hachyderm.io"
	expiry := p.at("01:51:30")
	p.declare("01:54", incident.Declaration{Title: "Images fail to load", Severity: 1, Certificates: []string{cert}, Owner: "infra", By: nova, Start: p.at("01:55").Add(-time.Minute)})
	p.late("2023-02-28", "01:52", incident.Entry{By: quint, Kind: incident.Report, Text: "Media is out: first report."})
	p.note("01:54:10", nova, incident.NoteKind, "Media is broken from a remote proxy in the EU as well.")
	p.lead("01:56", quint)
	p.look("01:57", cert, "The certificate expired at 2023-02-28 01:51:30 UTC.", expiry, "cdn-frankfurt-1 expired 02", "cdn-fremont-1 expired 02", "sally expired 02", "esme expired 02")
	p.milestone(incident.Started, expiry, "measured", "notAfter of serial 02", incident.Bot)
	p.status("01:57:30", incident.Identified, nova, "TLS has expired on media.hachyderm.io.")
	p.note("02:30", nova, incident.NoteKind, "Mending it live on a stream.")
	p.step("02:33", incident.StepEvidence{Renewal: "R-1", Certificate: cert, Step: "preflight", Outcome: "failed", Challenge: "http-01"}, "HTTP-01 fails: media.hachyderm.io is a CNAME to hachyderm.io, and the proxy does not answer for the challenge.")
	p.temp("02:36", nova, "media.hachyderm.io points to the address of fritz (A record)", "CNAME to hachyderm.io")
	p.issued("02:38", "R-2", cert, "http-01", "03", expiry, "The renewal worked, run again on fritz.")
	p.at("02:40")
	if _, _, err := p.b.UndoTemp(t.Context(), "INC-1", 1, incident.Change{By: nova, Text: "CNAME to hachyderm.io again"}); err != nil {
		t.Fatal(err)
	}
	for n, h := range hosts {
		at := []string{"02:43", "02:45", "02:47", "02:49"}[n]
		p.place("R-2", cert, h, "02", "03", expiry, at, at+":20")
	}
	p.look("02:50", cert, "", expiry, "cdn-frankfurt-1 good 03", "cdn-fremont-1 good 03", "sally good 03", "esme good 03")
	p.milestone(incident.Mitigated, p.at("02:50"), "measured", "every endpoint checked good", incident.Bot)
	p.status("02:51", incident.Resolved, quint, "")
	p.impact(nova, "No images across the site, in all regions. A dinner interrupted.")
	p.words(nova, "lessons", "Certificate material is managed by hand and spread over many servers.\n\nIt was reported quickly and over within 60 minutes.\n\nNothing alerted that the images broke.\n\nLuck: the one who knew still had access.")
	p.tasks(nova, "prevent: Remove most of the nginx configurations and domains in production", "prevent: Remove all certificates and make them anew by one strategy", "prevent: An ACME challenge that needs no DNS change around the globe", "prevent: nova sends the list of domains to be removed")
	p.do("03:00", func(c incident.Change) (incident.Incident, error) { return p.b.Close(t.Context(), "INC-1", c) }, quint, "")
	return p
}

// seedMender: the role that may write DNS went on 22 September 2023, the
// certificate expired on 8 October, it was found the morning after.
func seedMender(t testing.TB) *tape {
	p := newTape(t, "2023-10-09")
	oncall, const1 := who1("oncall"), "hosted-mender-eu"
	expiry := time.Date(2023, 10, 8, 14, 30, 0, 0, time.UTC)
	p.declare("08:11", incident.Declaration{Title: "Certificate issue on Hosted Mender EU", Severity: 1, Certificates: []string{const1}, Owner: "sre", By: oncall})
	p.late("2023-10-09", "08:00", incident.Entry{By: oncall, Kind: incident.Report, Text: "Found in the morning: the certificate is expired."})
	p.late("2023-09-12", "09:00", incident.Entry{By: incident.Bot, Kind: incident.Check, Text: "Monthly look at every endpoint: good. The next is on 10 October.", Evidence: incident.Evidence{Check: incident.CheckEvidence{Certificate: const1, Verdict: "good"}}})
	p.late("2023-09-22", "10:00", incident.Entry{By: incident.Bot, Kind: incident.Deploy, Text: "A planned infrastructure change was applied to the cluster; it removed the role that may write DNS."})
	p.late("2023-09-23", "03:00", incident.Entry{By: incident.Bot, Kind: incident.Rehearsal, Text: "The rehearsal failed.", Evidence: incident.Evidence{Rehearsal: incident.RehearsalEvidence{Certificate: const1, LastGood: time.Date(2023, 9, 22, 3, 0, 0, 0, time.UTC),
		Faults: []incident.RehearsalFault{{Level: "dns-01", Finding: "dns_permission", Cause: "The agent may not write TXT records: permission denied."}}}}})
	p.look("08:12", const1, "The certificate expired at 2023-10-08 14:30 UTC.", expiry, "gateway expired 0a")
	p.milestone(incident.Started, expiry, "measured", "notAfter of serial 0a", incident.Bot)
	p.tell("08:11:30", oncall, "We look into a certificate problem of Hosted Mender EU.", statuspage("page"))
	p.lead("08:13", oncall)
	p.step("08:15", incident.StepEvidence{Renewal: "R-1", Certificate: const1, Step: "authorize", Outcome: "failed", Challenge: "dns-01"}, "The renewal failed with a permission error at the DNS provider.")
	p.note("08:22", oncall, incident.NoteKind, "The role assignment is missing; it was restored from code.")
	p.issued("08:28", "R-2", const1, "dns-01", "0b", expiry, "A new renewal was forced and worked.")
	p.place("R-2", const1, "gateway", "0a", "0b", expiry, "08:29", "08:30")
	p.look("08:31", const1, "", expiry, "gateway good 0b")
	p.milestone(incident.Mitigated, p.at("08:31"), "measured", "every endpoint checked good", incident.Bot)
	p.status("08:53", incident.Monitoring, oncall, "Watching it; the role is back.")
	p.tell("08:53:10", oncall, "A remedy is in place, and we watch it.", statuspage("page"))
	p.status("09:00", incident.Resolved, oncall, "")
	p.tell("09:00:05", oncall, "This is resolved.", statuspage("page"))
	p.impact(oncall, "Hosted Mender EU could not be used.")
	p.words(oncall, "factors", "The uptime check ignores TLS, so nobody was alerted.")
	p.tasks(oncall, "detect: An external monitor that looks at TLS", "detect: More alerts of our own for the renewal agent")
	p.do("09:30", func(c incident.Change) (incident.Incident, error) { return p.b.Close(t.Context(), "INC-1", c) }, oncall, "")
	return p
}

// seedThreescale: 16 August 2020, times published as EST, which was not in use
// in August. Severity counted from 12:21 to 16:04, a timeline from 14:43 to 16:05.
func seedThreescale(t testing.TB) *tape {
	p := newTape(t, "2020-08-16")
	ben, stephen := who1("Ben"), who1("Stephen")
	const cert = "3scale"
	expiry := p.at("16:14")
	p.declare("18:43", incident.Declaration{Title: "Insights uploads and inventory are down", Severity: 1, Certificates: []string{cert}, Owner: "", By: stephen, Start: p.at("16:21").Add(0)})
	return p.threescale(t, ben, stephen, cert, expiry)
}

func (p *tape) threescale(t testing.TB, ben, stephen incident.Person, cert string, expiry time.Time) *tape {
	p.entry("18:43", incident.Entry{By: incident.Bot, Kind: incident.Alert, Text: "PagerDuty: insights is down.", Evidence: incident.Evidence{Alert: incident.AlertEvidence{Certificate: cert, Key: "pd/1"}}})
	p.lead("18:43:30", stephen)
	p.note("18:45", stephen, incident.NoteKind, "EST was not in use on 2020-08-16: the times of the report are read as EDT, UTC-4.")
	p.note("18:48", stephen, incident.NoteKind, "No payload comes through; 3scale logs TLS errors.")
	p.look("18:50", cert, "The certificate expired at 2020-08-16 16:14 UTC.", expiry, "3scale-prod expired 0c")
	p.milestone(incident.Started, expiry, "measured", "notAfter of serial 0c", incident.Bot)
	p.status("18:53", incident.Identified, stephen, "The secret in 3scale that holds the expired certificate is found.")
	p.note("19:04", ben, incident.NoteKind, "Found the CA where the certificate can be asked for.")
	p.entry("19:19", incident.Entry{By: ben, Kind: incident.Approval, Text: "Ben asked the internal CA, request 9981414.", Evidence: incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: "R-1", Decision: "asked", AskedBy: "Ben"}}})
	p.note("19:34", ben, incident.NoteKind, "The manager of the certificate team was called and logs in to approve; there was no escalation list.")
	p.entry("19:42", incident.Entry{By: who1("ca-manager"), Kind: incident.Approval, Text: "The certificate is approved.", Evidence: incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: "R-1", Decision: "approved", Asked: p.at("19:19"), AskedBy: "Ben", By: "ca-manager"}}})
	p.issued("19:43", "R-1", cert, "", "0d", expiry, "The internal CA issued it.")
	p.note("19:48", ben, incident.Deploy, "The secret in Vault has the new certificate.")
	p.place("R-1", cert, "3scale-prod", "0c", "0d", expiry, "19:52", "20:05")
	p.look("20:05", cert, "", expiry, "3scale-prod good 0d")
	p.milestone(incident.Mitigated, p.at("20:05"), "measured", "every endpoint checked good", incident.Bot)
	p.status("20:05", incident.Resolved, stephen, "An upload worked.")
	p.impact(stephen, "SEV1 from 12:21 to 16:04 by the report. Every upload and inventory query failed, for all accounts and all users.")
	p.words(ben, "factors", "Notices of the expiry went to one person's mailbox, not to a team.\nNobody knew where to renew it, and no runbook said so.")
	p.words(ben, "lessons", "Two people worked on it together. The mail to everybody was not sent.")
	p.tasks(ben, "prevent: Notices to the team's list (RHCLOUD-8613)", "prevent: Look into ACME for this certificate (RHCLOUD-8669)", "mitigate: Update docs and runbooks (RHCLOUD-8666)", "detect: Put the upload and certificate tests into a container (RHIOPS-761)", "prevent: Look for other certificates registered to one person (RHCLOUD-8668)")
	p.do("20:30", func(c incident.Change) (incident.Incident, error) { return p.b.Close(t.Context(), "INC-1", c) }, stephen, "")
	return p
}

// seedEDGI: the text says in which order, not when; the times here keep that
// order and "many hours". A redeploy put other certificates in place.
func seedEDGI(t testing.TB) *tape {
	p := newTape(t, "2018-03-06")
	js, cert := who1("jsnshrmn"), "web-monitoring"
	until := p.at("23:00").AddDate(0, 6, 0)
	p.declare("23:40", incident.Declaration{Title: "TLS errors at the production API", Severity: 2, Certificates: []string{cert}, Owner: "infra", By: js})
	p.late("2018-03-06", "15:00", incident.Entry{By: js, Kind: incident.Deploy, Text: "Reorganized service templates were deployed to staging, with the wrong certificates."})
	p.late("2018-03-06", "15:30", incident.Entry{By: js, Kind: incident.Deploy, Text: "The same was deployed to production."})
	p.late("2018-03-06", "23:30", incident.Entry{By: incident.Bot, Kind: incident.Alert, Text: "Sentry: versionista-scraper has TLS errors at the production API.", Evidence: incident.Evidence{Alert: incident.AlertEvidence{Certificate: cert, Key: "sentry/1"}}})
	p.lead("23:41", js)
	p.milestone(incident.Started, p.at("23:41").Add(-8*time.Hour-41*time.Minute), "measured", "last good check", incident.Bot)
	p.look("23:45", cert, "staging and production serve another certificate than the declared one.", until, "staging declared_mismatch 0e", "production declared_mismatch 0e")
	p.note("23:47", js, incident.NoteKind, "The browser had a stored exception for the invalid certificate and showed nothing wrong; curl shows it. The exceptions are removed.")
	p.temp("23:50", js, "Load balancers of staging and production have the right certificates by hand", "the service templates say so")
	p.issued("23:51", "R-1", cert, "", "0f", until, "The certificate obtained in advance is used.")
	p.place("R-1", cert, "staging", "0e", "0f", until, "23:52", "23:53")
	p.place("R-1", cert, "production", "0e", "0f", until, "23:54", "23:55")
	p.look("23:56", cert, "", until, "staging good 0f", "production good 0f")
	p.milestone(incident.Mitigated, p.at("23:56"), "measured", "every endpoint checked good", incident.Bot)
	p.day = "2018-03-07"
	p.note("00:10", js, incident.Deploy, "The staging template has the right certificates, was deployed and verified.")
	p.note("00:20", js, incident.Deploy, "The production template too; the amended configuration is stored.")
	p.at("00:21")
	if _, _, err := p.b.UndoTemp(t.Context(), "INC-1", 1, incident.Change{By: js, Text: "the templates say it now"}); err != nil {
		t.Fatal(err)
	}
	p.status("00:25", incident.Resolved, js, "")
	p.impact(js, "Clients that verify TLS could not reach staging and production.")
	p.words(js, "factors", "Load balancers were changed outside of kubectl, and the templates were not.\nNo test ran after a deployment, and nothing watched the endpoints.")
	p.tasks(js, "prevent: A test procedure for service deployments", "detect: Monitoring and alerting for staging and production endpoints")
	p.do("00:40", func(c incident.Change) (incident.Incident, error) { return p.b.Close(t.Context(), "INC-1", c) }, js, "")
	return p
}

// seedGitter: no outage: the yearly renewal of one wildcard on four kinds of
// endpoint, by a runbook; the dates are ours.
func seedGitter(t testing.TB) *tape {
	p := newTape(t, "2017-11-15")
	andy, cert := who1("andy"), "star-gitter"
	until := p.at("23:59").AddDate(0, 0, 7)
	p.declare("09:00", incident.Declaration{Title: "Renewal of *.gitter.im", Severity: 4, Certificates: []string{cert}, Owner: "infra", By: andy, Start: p.at("09:00")})
	p.lead("09:01", andy)
	all := []string{"irc.gitter.im:6667", "apps-servers-elb-prod", "cloudfront", "gitter-beta", "ws-01.prod", "ws-02.prod"}
	look := func(clock, serial string) {
		var l []string
		for _, h := range all {
			l = append(l, h+" good "+serial)
		}
		p.look(clock, cert, "", until, l...)
	}
	look("09:05", "1a")
	p.temp("09:10", andy, "PagerDuty maintenance for monit-prod-critical", "end it")
	p.issued("09:20", "R-1", cert, "dns-01", "1b", until, "Issued; uploaded under the path /cloudfront/gitter-production/, where the CDN sees it too.")
	for n, h := range all {
		at := time.Date(0, 1, 1, 9, 30+5*n, 0, 0, time.UTC).Format("15:04")
		p.wave = min(n, 4) + 1 // each kind of endpoint in its own; the websocket nodes together
		p.place("R-1", cert, h, "1a", "1b", until, at, at+":30")
	}
	p.note("10:00", andy, incident.NoteKind, "The fingerprints in the monit checks are those of the new certificate.")
	look("10:05", "1b")
	p.note("10:10", andy, incident.NoteKind, "Certificate, key and chain are deleted from the working copy.")
	p.at("10:12")
	if _, _, err := p.b.UndoTemp(t.Context(), "INC-1", 1, incident.Change{By: andy, Text: "ended"}); err != nil {
		t.Fatal(err)
	}
	p.status("10:15", incident.Resolved, andy, "")
	p.tasks(andy, "prevent: One command in place of the runbook")
	return p
}

// TestSeeds: the draft of each record holds each fact.
func TestSeeds(t *testing.T) {
	t.Parallel()
	own, err := LoadTemplates("testdata/templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, form, zone string
		tape             func(testing.TB) *tape
		facts            []string
	}{
		{"hachyderm-blog", "blog", "", seedHachyderm, []string{
			"28 February 2023", "**01:52** quintessence", "**01:54:10** nova: Media is broken from a remote proxy in the EU", "**01:56** quintessence: Commander: quintessence",
			"**01:57:30** nova", "TLS has expired on media.hachyderm.io", "**02:30** nova: Mending it live", "is a CNAME to hachyderm.io, and the proxy does not answer",
			"points to the address of fritz (A record) (nova, 2023-02-28 02:36 UTC); undone at 2023-02-28 02:40 UTC by nova: CNAME to hachyderm.io again",
			"cdn-frankfurt-1`, 2023-02-28 02:43:20 UTC", "cdn-fremont-1`, 2023", "sally`, 2023", "esme`, 2023-02-28 02:49:20 UTC", "4 of 4 hosts failed", "in all regions",
			"within 60 minutes", "Nothing alerted that the images broke", "still had access", "mitigated after 58 min 30 s", "spread over many servers",
			"nginx configurations and domains", "by one strategy", "no DNS change around the globe", "list of domains",
		}},
		{"mender-status", "status-page", "", seedMender, []string{
			"Posted Oct 09, 2023 - 08:11 UTC", "We look into a certificate problem of Hosted Mender EU.", "A remedy is in place, and we watch it.", "This is resolved.", "Posted Oct 09, 2023 - 08:53 UTC", "Posted Oct 09, 2023 - 09:00 UTC", "### Investigating", "### Monitoring", "### Resolved",
			"8 October 2023 at 14:30 UTC", "noticed on 9 October 2023 at 08:00 UTC", "last rehearsal that worked was at 2023-09-22", "rehearsal of 2023-09-23 03:00 UTC failed with `dns-01`", "permission denied",
			"hosted-mender-eu", "uptime check ignores TLS", "1 of 1 host was verified", "An external monitor that looks at TLS", "alerts of our own for the renewal agent", "Hosted Mender EU could not be used",
		}},
		{"threescale", "standard", "America/New_York", seedThreescale, []string{
			"16:14 UTC (12:14 EDT)", "| 18:43 | 14:43 EDT | PagerDuty: insights is down.", "| 18:48 | 14:48 EDT | No payload", "| 18:53 | 14:53 EDT |", "| 19:04 | 15:04 EDT | Found the CA", "| 19:19 | 15:19 EDT | Ben asked the internal CA, request 9981414.",
			"| 19:34 | 15:34 EDT | The manager", "| 19:42 | 15:42 EDT | The certificate is approved.", "| 19:48 | 15:48 EDT | The secret in Vault", "| 19:52 | 15:52 EDT | Placed on 3scale-prod.", "| 20:05 | 16:05 EDT |",
			"| Started to detected | 2 h 29 min |", "| Approval asked to decided | 23 min |", "| Started to resolved | 3 h 51 min |", "| Approval to the last host verified | 23 min |",
			"Two times for started, 7 min apart: 2020-08-16 16:14 UTC, measured (notAfter of serial 0c), and 2020-08-16 16:21 UTC, said by Stephen", "SEV1 from 12:21 to 16:04 by the report", "| Time in SEV1 | 1 h 22 min |",
			"EST was not in use on 2020-08-16", "one person's mailbox", "no runbook said so", "no escalation list", "all accounts and all users", "Two people worked on it together", "mail to everybody was not sent",
			"RHCLOUD-8613", "RHCLOUD-8669", "RHCLOUD-8666", "RHIOPS-761", "RHCLOUD-8668", "it was noticed only 2 h 29 min after it began", "The certificate has no owner on the record",
		}},
		{"edgi", "standard", "America/Chicago", seedEDGI, []string{
			"deployed to staging, with the wrong certificates", "The same was deployed to production", "versionista-scraper has TLS errors", "measured (last good check)", "`declared_mismatch` on 2 hosts: `staging`, `production`",
			"| Started to detected | 8 h 30 min |", "stored exception", "curl shows it", "by hand", "the templates say it now", "outside of kubectl", "No test ran after a deployment", "nothing watched the endpoints",
			"The staging template has the right certificates", "The production template too", "A test procedure for service deployments", "Monitoring and alerting", "CST",
		}},
		{"gitter-rollout", "rollout", "", seedGitter, []string{
			"6 endpoints, 6 verified", "irc.gitter.im:6667` | `1a` | `1b` | 09:30 | 09:30:30 |", "| `cloudfront` |", "| `gitter-beta` |", "| `ws-01.prod` |", "| `ws-02.prod` |", "apps-servers-elb-prod",
			"Before: serial `1a`", "After: serial `1b`", "monit-prod-critical", "undone 10:12: ended", "/cloudfront/gitter-production/", "fingerprints in the monit checks", "deleted from the working copy", "led by andy", "15 November 2017", "proved by `dns-01`",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var z *time.Location
			if c.zone != "" {
				z = zone(t, c.zone)
			}
			r := c.tape(t).record(z)
			r.Template = c.form
			d, err := own.Draft(r)
			if err != nil {
				t.Fatal(err)
			}
			md := string(d.Markdown())
			golden(t, "seed-"+c.name+".md", []byte(md))
			plain := strings.NewReplacer("\\", "").Replace(md)
			for _, f := range c.facts {
				if !strings.Contains(plain, f) {
					t.Errorf("the draft lacks %q", f)
				}
			}
			marked(t, d)
			again := c.tape(t).record(z)
			again.Template = c.form
			if e, err := own.Draft(again); err != nil || string(e.Markdown()) != md {
				t.Error("the same facts replayed, other bytes")
			}
			if _, err := d.HTML(); err != nil {
				t.Error(err)
			}
			if _, err := d.PNG(); err != nil {
				t.Error(err)
			}
		})
	}
}
