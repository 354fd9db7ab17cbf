package postmortem

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: what templates are given. docs/postmortem.md describes it, and
// a test keeps that page true. Every text in it is Markdown already: what
// people wrote reads as they wrote it and can neither be markup nor HTML.
// Fields are added; none is renamed or removed.

// Data is the whole of it.
type Data struct {
	ID, Title, Severity, Status, State string
	Owner, Commander, DeclaredBy       string
	Drill, Private, Over               bool
	Certificates, Authors              []string
	Impact                             string // a quotation; "": nobody said it
	Duration, DurationTo               string // "48 min 53 s", "mitigated"; "": not known
	Zone                               string // beside UTC; "": none
	Picture                            string // what the picture shows, in three sentences
	Gaps                               int

	Started, Detected, Declared, Acknowledged, Identified, Mitigated, Resolved, Closed Moment

	Spans, BySeverity, ByStatus  []DataSpan
	ApprovalWait, ApprovalToLast string // "": there was none
	Conflicts, Factors           []string
	Causes                       []string // Factors without who was alerted and who answered: for readers outside
	Alerts, Reports              int

	Hosts                         []DataHost
	HostsFailed, HostsVerified    int
	Before, After                 []DataLeaf
	Renewals                      []DataRenewal
	Timeline                      []DataEntry
	Updates                       []DataUpdate // newest first
	Told                          []DataTold   // status updates, in the order of writing
	ToldInShort                   string       // "2, the first at ...": of those sent outside the rooms; "": none
	Temps                         []DataTemp
	Tasks                         []DataTask
	WentWell, WentPoorly, WeLucky []string // proposals
	Sections                      map[string]DataSection
}

// Moment is a time.
type Moment struct {
	Known  bool
	UTC    string // "2023-02-28 01:52 UTC"
	Date   string // "2023-02-28"
	Clock  string // "01:52"
	Local  string // "02:52 CET", with its date where it is another; "" without a zone
	Long   string // "28 February 2023"
	Posted string // "Feb 28, 2023 - 01:52 UTC"
	Why    string // where a milestone's time is from
}

// DataSpan is a named length of time.
type DataSpan struct {
	Name, Took string
	Open       bool // it lasts
}

// DataHost is one host.
type DataHost struct {
	Name, SerialBefore, SerialAfter, State string
	Wave                                   int // of the rollout, from 1; 0: none on the record
	FailingFrom, Placed, Verified          Moment
}

// DataLeaf is a certificate that was served.
type DataLeaf struct {
	Serial, SHA256, Issuer string
	Until                  Moment
}

// DataRenewal is one renewal.
type DataRenewal struct {
	ID, Certificate, Order, Challenge, Issuer, Serial, AskedBy, ApprovedBy, Wait string
	Asked, Approved                                                              Moment
	Failed                                                                       []string // steps that failed
	RolledBack                                                                   bool
}

// DataEntry is a line of the timeline.
type DataEntry struct {
	ID, Who, Kind, Text, Proof, Link string
	Evidence                         string // the id, and what stands behind it where there is any; no link: for readers outside
	Line                             string // "ana: no images.", or the text alone where it begins with who
	At                               Moment
	NewDay, Major                    bool // Major: not one of the steps and checks in between
}

// DataUpdate is a status as a status page has it.
type DataUpdate struct {
	ID, Status, Text string // ID of its entry; "Investigating", "Identified", "Monitoring", "Resolved"; Text "": nobody said one
	At               Moment

	at time.Time
}

// DataTold is a status update and what became of it.
type DataTold struct {
	ID, Title, Text, Status, By, Approver string
	State                                 string // "sent", "said" (in the rooms alone), "waiting" or "denied"
	Reason                                string // why it was denied
	Outside                               bool   // meant for people outside
	Written, Sent                         Moment // Sent: when it was let out; not known while it waits
	To                                    []DataDelivery
}

// DataDelivery is an update at one target.
type DataDelivery struct {
	Name, Kind, Audience string // Kind and Audience "": not on the record
	State                string // "pending", "done" or "failed"
	Why                  string // it failed
	At                   Moment
}

// DataTemp is a temporary change.
type DataTemp struct {
	N                         int
	Text, Who, Undo, UndoneBy string
	How                       string
	Made, Undone              Moment
	Open                      bool
}

// DataTask is an action item; of a proposal ID is "".
type DataTask struct {
	ID, Text, Kind, Owner, Due, Status string
	Done                               bool
}

// DataSection is a section as the standard template has it.
type DataSection struct {
	Title, Body string
	Words       string // what people wrote for it; "": nobody did
}

// moment makes a Moment.
func (w *writer) moment(t time.Time) Moment {
	if t.IsZero() {
		return Moment{}
	}
	u := t.UTC()
	m := Moment{Known: true, UTC: incident.When(t), Date: u.Format(time.DateOnly), Clock: u.Format(clockForm(t)), Long: u.Format("2 January 2006"), Posted: u.Format("Jan 02, 2006 - 15:04") + " UTC"}
	if w.zone != nil {
		m.Local = local(t, w.zone)
	}
	return m
}

// dataOf makes the data of a record, d being its standard draft.
func dataOf(r Record, d Draft) Data {
	w, i := newWriter(r, &d), r.Incident
	x := Data{
		ID: escape(i.ID), Title: escape(i.Title), Severity: severity(i), Status: escape(w.d.statuses.Of(i.Status)), State: w.state(),
		Owner: escape(i.Owner), Commander: escape(i.Commander.Name), DeclaredBy: escape(i.DeclaredBy.Name),
		Drill: i.Drill, Private: i.Private, Over: !i.Status.Open(), Zone: escape(d.Zone), Gaps: len(d.Gaps), Picture: escape(w.v.inWords()),
		Alerts: len(w.v.alerts), Reports: len(w.v.reports), HostsFailed: len(w.v.failed()), Sections: map[string]DataSection{},
	}
	for _, c := range i.Certificates {
		x.Certificates = append(x.Certificates, code(c))
	}
	if i.Impact != "" {
		x.Impact = quote(i.Impact)
	}
	for _, a := range w.authors() {
		x.Authors = append(x.Authors, escape(a))
	}
	x.Duration, x.DurationTo, _ = w.duration()
	for _, m := range i.Milestones {
		to := map[string]*Moment{incident.Started: &x.Started, incident.Detected: &x.Detected, incident.Declared: &x.Declared, incident.Acknowledged: &x.Acknowledged,
			incident.IdentifiedAt: &x.Identified, incident.Mitigated: &x.Mitigated, incident.ResolvedAt: &x.Resolved, incident.ClosedAt: &x.Closed}[m.Kind]
		if to != nil {
			*to = w.moment(m.At)
			to.Why = escape(how(m))
		}
	}
	w.dataSpans(&x)
	for _, c := range i.Conflicts {
		x.Conflicts = append(x.Conflicts, escape(c.Text))
	}
	w.dataHosts(&x)
	w.dataRenewals(&x)
	x.Timeline, x.Updates = w.dataTimeline(), w.dataUpdates()
	x.Told, x.ToldInShort = w.dataTold(), w.toldInShort()
	w.dataWork(&x)
	for _, s := range d.Sections {
		if s.Name == "header" {
			w.known = &x.Gaps
			s.Body = w.section("header", (*writer).header)
		}
		x.Sections[s.Name] = DataSection{Title: escape(s.Title), Body: s.Body, Words: w.onlyWords(s.Name)}
	}
	return x
}

func (w *writer) dataSpans(x *Data) {
	spans := func(list []incident.Span) (all []DataSpan) {
		for _, s := range list {
			all = append(all, DataSpan{Name: escape(s.Name), Took: incident.Took(s.Took), Open: s.Open})
		}
		return all
	}
	m := w.d.Metrics
	x.Spans, x.BySeverity, x.ByStatus = spans(m.Spans), spans(m.BySeverity), spans(m.ByStatus)
	if m.ApprovalWait > 0 {
		x.ApprovalWait = incident.Took(m.ApprovalWait)
	}
	if m.ApprovalToLast > 0 {
		x.ApprovalToLast = incident.Took(m.ApprovalToLast)
	}
}

func (w *writer) dataHosts(x *Data) {
	leafOf := func(l leaf) DataLeaf {
		return DataLeaf{Serial: code(l.serial), SHA256: code(l.sha256), Issuer: escape(l.issuer), Until: w.moment(l.until)}
	}
	seen := map[string]bool{"": true}
	for _, h := range w.v.inOrder() {
		if !seen[h.before.sha256] {
			seen[h.before.sha256] = true
			x.Before = append(x.Before, leafOf(h.before))
		}
		one := DataHost{Name: code(h.name), SerialBefore: code(h.before.serial), SerialAfter: code(h.after.serial), State: h.stateAt(w.v.to), Wave: h.wave,
			Placed: w.moment(h.placed.At), Verified: w.moment(h.proven.At)}
		if h.proven.ID != "" {
			x.HostsVerified++
		}
		for _, s := range h.states {
			if s.state == failing {
				one.FailingFrom = w.moment(s.at)
				break
			}
		}
		x.Hosts = append(x.Hosts, one)
	}
	for _, r := range w.v.renewals {
		if !seen[r.issued.sha256] {
			seen[r.issued.sha256] = true
			x.After = append(x.After, leafOf(r.issued))
		}
	}
}

func (w *writer) dataRenewals(x *Data) {
	for _, r := range w.v.renewals {
		one := DataRenewal{ID: escape(r.id), Certificate: code(r.certificate), Order: code(r.order), Challenge: code(r.challenge), Issuer: escape(r.issuer),
			Serial: code(r.issued.serial), AskedBy: escape(r.askedBy), Asked: w.moment(r.asked.At), Approved: w.moment(r.approved.At), RolledBack: r.rolledBack}
		if r.approved.ID != "" {
			one.ApprovedBy = escape(or(r.approved.Evidence.Approval.By, r.approved.By.Name))
		}
		if r.wait > 0 {
			one.Wait = incident.Took(r.wait)
		}
		for _, e := range r.steps {
			if e.Evidence.Step.Outcome == "failed" {
				one.Failed = append(one.Failed, escape(e.Text))
			}
		}
		x.Renewals = append(x.Renewals, one)
	}
}

// dataTimeline has a line for each entry that is about what happened.
func (w *writer) dataTimeline() (all []DataEntry) {
	day := ""
	for _, e := range w.v.entries {
		if aboutDraft(e) {
			continue
		}
		one := DataEntry{ID: escape(e.ID), Who: who(e), Kind: escape(e.Kind), Text: escape(e.Text), Proof: evidence(e), Evidence: proof(e), Link: link("where it was said", e.Link),
			At: w.moment(e.At), Major: w.v.major(e)}
		one.Line = one.Who + ": " + one.Text
		if strings.HasPrefix(one.Text, one.Who+" ") {
			one.Line = one.Text
		}
		one.Evidence = strings.TrimSuffix(one.Evidence, ", "+one.Kind)
		if one.At.Date != day {
			day, one.NewDay = one.At.Date, true
		}
		all = append(all, one)
	}
	return all
}

// major leaves out what a reader of a short text does not need: the steps of a
// renewal that went well but for the issuing, each repeated check, how the
// record came to its milestones.
func (v *view) major(e incident.Entry) bool {
	s := e.Evidence.Step
	switch {
	case s.Step != "":
		return s.Outcome == "failed" || s.Step == "rollback" || s.Step == "finalize"
	case len(e.Evidence.Check.Hosts) > 0 || e.Evidence.Check.Verdict != "":
		return e.ID == v.firstGood.ID || len(v.bad) > 0 && e.ID == v.bad[0].ID || !e.Evidence.Check.Overdue.IsZero()
	case e.Kind == incident.CommsKind: // what was told is an update's own line
		return false
	case e.Kind == incident.MilestoneKind:
		return e.Evidence.Change.What == incident.Started || e.Evidence.Change.What == incident.Mitigated
	}
	return true
}

// pages is what a status page calls a status.
var pages = map[incident.Status]string{incident.Investigating: "Investigating", incident.Identified: "Identified", incident.Monitoring: "Monitoring", incident.Resolved: "Resolved"}

// dataUpdates are the changes of the status and the updates that people wrote,
// newest first. Of a change only the words that a person gave with it are told,
// and not even those where something was sent to people outside: then they
// were for those inside.
func (w *writer) dataUpdates() (all []DataUpdate) {
	status, outside := "Investigating", w.spokeOutside()
	sent := map[string]told{}
	for _, t := range w.told {
		sent[t.ID] = t
	}
	for _, e := range w.v.entries {
		c := e.Evidence.Change
		text, t := e.Text, sent[c.To]
		switch {
		case c.What == "status" && pages[incident.Status(c.To)] != "":
			status, text = pages[incident.Status(c.To)], ""
			if rest, ok := incident.StatusRest(e.Text); ok && !outside {
				text = rest
			}
		case e.Kind != incident.UpdateKind || strings.TrimSpace(e.Text) == "" || t.ID != "" && !w.toOutsiders(t) || t.ID == "" && outside:
			continue
		default:
			text = or(t.Text, text)
			if n := len(all) - 1; n >= 0 && all[n].Text == "" && e.At.Sub(all[n].at) < time.Minute {
				all = all[:n] // the words for the change just made
			}
		}
		all = append(all, DataUpdate{ID: escape(e.ID), Status: status, Text: escape(text), At: w.moment(e.At), at: e.At})
	}
	slices.Reverse(all)
	return all
}

// dataTold are the status updates and what became of each.
func (w *writer) dataTold() (all []DataTold) {
	for _, t := range w.told {
		one := DataTold{ID: escape(t.ID), Title: escape(t.Title), Text: quote(t.Text), Status: escape(string(t.Status)), By: escape(t.By.Name), Approver: escape(t.Decided.Name), Reason: escape(t.Reason),
			State: "said", Outside: w.toOutsiders(t), Written: w.moment(t.At), Sent: w.moment(t.Out)}
		switch {
		case t.State == incident.UpdateWaiting || t.State == incident.UpdateDenied:
			one.State = t.State
		case t.left():
			one.State = "sent"
		}
		if t.State == incident.UpdateDenied {
			one.Approver = ""
		}
		for _, d := range t.Deliveries {
			to := DataDelivery{Name: escape(oneLine(d.Target)), Kind: escape(d.Kind), Audience: escape(d.Audience), State: d.State, At: w.moment(d.At)}
			if d.State == incident.DeliveryFailed {
				to.Why = escape(d.Text)
			}
			one.To = append(one.To, to)
		}
		all = append(all, one)
	}
	return all
}

// dataWork is what is to be done, what was changed for the moment, and the
// proposals.
func (w *writer) dataWork(x *Data) {
	for _, t := range w.d.Incident.Temps {
		x.Temps = append(x.Temps, DataTemp{N: t.N, Text: escape(t.Text), Who: escape(t.By.Name), Undo: escape(t.Undo), Made: w.moment(t.At), Undone: w.moment(t.Undone),
			UndoneBy: escape(t.UndoneBy.Name), How: escape(t.How), Open: t.Open()})
	}
	for _, t := range w.d.Incident.Tasks {
		one := DataTask{ID: escape(t.ID), Text: escape(t.Text), Kind: escape(t.Kind), Owner: escape(t.Owner.Name), Status: "open", Done: !t.Open()}
		if !t.Due.IsZero() {
			one.Due = t.Due.Format(time.DateOnly)
		}
		if one.Done {
			one.Status = "done"
		}
		x.Tasks = append(x.Tasks, one)
	}
	for _, p := range w.proposedActions() {
		x.Tasks = append(x.Tasks, DataTask{Text: p.text, Kind: p.kind, Owner: escape(w.d.Incident.Owner), Status: "proposed"})
	}
	x.WentWell, x.WentPoorly, x.WeLucky = w.proposedLessons()
	w.before(func(_, _, text string) { x.Factors = append(x.Factors, text) })
	x.Causes = slices.Clone(x.Factors)
	for _, e := range w.v.alerts {
		x.Factors = append(x.Factors, w.alert(e))
	}
}

// aboutDraft reports an entry about the draft and its reminders, not about
// what happened.
func aboutDraft(e incident.Entry) bool {
	switch e.Evidence.Change.What {
	case incident.SectionChange, "reminder", "draft":
		return true
	}
	return false
}

// dataTypes are the types of Data by name.
var dataTypes = []reflect.Type{reflect.TypeFor[Data](), reflect.TypeFor[Moment](), reflect.TypeFor[DataSpan](), reflect.TypeFor[DataHost](), reflect.TypeFor[DataLeaf](), reflect.TypeFor[DataRenewal](),
	reflect.TypeFor[DataEntry](), reflect.TypeFor[DataUpdate](), reflect.TypeFor[DataTold](), reflect.TypeFor[DataDelivery](), reflect.TypeFor[DataTemp](), reflect.TypeFor[DataTask](), reflect.TypeFor[DataSection]()}
