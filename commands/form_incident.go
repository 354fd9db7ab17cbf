package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// This file holds the forms about incidents: declare, status, close.

// mostOptions is how many options a choice has at most.
const mostOptions = 100

// maxFormText is how long a text in a form may be, in characters.
const maxFormText = 2000

var declareParams = []Param{
	{Name: "cert", Kind: ParamCertificate, Flag: true}, {Name: "start", Kind: ParamTime, Flag: true},
	{Name: "drill", Kind: ParamSwitch}, {Name: "private", Kind: ParamSwitch}, {Name: "anyway", Kind: ParamSwitch},
	{Name: "severity", Kind: ParamWord}, {Name: "title", Kind: ParamText},
}

// declareForm has the title, the certificate and the severity of what fails
// now filled in, when one certificate does.
func declareForm(ctx context.Context, c *call, ask FormAsk) (Form, error) {
	all, err := c.d.o.Renewer.Estate(ctx)
	if err != nil {
		return Form{}, fmt.Errorf("read the estate: %w", err)
	}
	slices.SortStableFunc(all, func(a, b renew.Standing) int { return b.Verdict.Rank() - a.Verdict.Rank() })
	cert := FormField{Param: Param{Name: "cert", Kind: ParamChoice, Summary: "Checks and renewals of it land on the timeline."}, Label: "Certificate"}
	var bad []renew.Standing
	for _, s := range all {
		if s.Verdict == renew.Critical {
			bad = append(bad, s)
		}
		if len(cert.Options) < mostOptions {
			cert.Options = append(cert.Options, FormOption{Value: s.Certificate.Name, Label: clip(s.Certificate.Name, 75), Note: clip(stateOf(s.Verdict), 75)})
		}
	}
	sevs := FormField{Param: Param{Name: "severity", Kind: ParamChoice, Required: true, Summary: "Unsure? Take the worse one."}, Label: "Severity", Value: "2"}
	for n := 1; n <= 4; n++ {
		sevs.Options = append(sevs.Options, FormOption{Value: strconv.Itoa(n), Label: sev(incident.Severity(n)), Note: clip(severities[incident.Severity(n)], 75)})
	}
	title := FormField{Param: Param{Name: "title", Kind: ParamText, Required: true, Summary: "What people see, in a few words."}, Label: "Title", Max: 200}
	if len(bad) == 1 && ask.Given["title"] == "" {
		if known, given := c.givenBy(declareButton(bad[0]).Command, declareGiven); known {
			cert.Value, title.Value, sevs.Value = given["cert"], given["title"], given["severity"]
		}
	}
	return Form{Title: "Declare an incident", Submit: "Declare", Intro: "Opens the incident: its room, its first evidence, its card. Everybody sees it.",
		Fields: []FormField{title, sevs, cert,
			{Param: Param{Name: "start", Kind: ParamTime, Summary: "As people say: 14:05, -20m, yesterday 14:05 CET. Empty: not known yet."}, Label: "When it started", Max: 60},
			{Param: Param{Name: "options", Kind: ParamSeveral}, Label: "Also", Options: []FormOption{
				{"drill", "It is an exercise", "kept out of the metrics"}, {"private", "It is private", "only in its own room"},
				{"anyway", "Another one", "although one is open for the certificate"}}}}}, nil
}

// givenBy reads a line of the call's verb.
func (c *call) givenBy(line string, read func(*call) (string, map[string]string)) (bool, map[string]string) {
	verb, words, err := route(line)
	if err != nil {
		return false, nil
	}
	o := *c
	if o.args, err = parse(verb, line, words); err != nil {
		return false, nil
	}
	_, given := read(&o)
	return true, given
}

func declareGiven(c *call) (string, map[string]string) {
	given := map[string]string{"cert": c.args.value("cert"), "start": c.args.value("start")}
	var also []string
	for _, o := range []string{"drill", "private", "anyway"} {
		if c.args.has(o) {
			also = append(also, o)
		}
	}
	given["options"] = strings.Join(also, ",")
	if s, ok := c.args.peek(); ok {
		if m := sevWord.FindStringSubmatch(s); m != nil {
			given["severity"] = m[1]
			_, _ = c.args.take()
		}
	}
	given["title"] = oneLine(c.args.rest())
	return "", given
}

func declareLacks(_ context.Context, c *call) bool {
	_, given := declareGiven(c)
	return given["title"] == ""
}

// declareLines reads the line as the verb would.
func declareLines(ctx context.Context, c *call, f Form, v map[string]string) ([]string, map[string]string, error) {
	values := map[string]string{"severity": "sev" + v["severity"], "title": oneLine(v["title"]), "cert": v["cert"], "start": v["start"]}
	for _, o := range strings.Split(v["options"], ",") {
		values[o] = "true"
	}
	line := Compose("incident declare", declareParams, values)
	verb, words, err := route(line)
	if err != nil {
		return nil, nil, err
	}
	fields := map[string]string{"bad_severity": "severity", "unknown_certificate": "cert", "bad_time": "start", "future": "start"}
	if c.args, err = parse(verb, line, words); err != nil {
		wrong, err := fieldProblem(err, fields, "title")
		return nil, wrong, err
	}
	_, certs, _, err := c.declaration(ctx)
	if err != nil {
		if c.args.has("start") && isTimeProblem(err) {
			fields[problemCode(err)] = "start"
		}
		wrong, err := fieldProblem(err, fields, "title")
		return nil, wrong, err
	}
	if c.args.has("anyway") {
		return []string{line}, nil, nil
	}
	for _, cert := range certs {
		open, err := c.d.openFor(ctx, cert.Name)
		if err != nil {
			return nil, nil, err
		}
		for _, i := range open {
			switch {
			case !i.Status.Open():
			case c.d.visible(i, c.r.By):
				return nil, map[string]string{"cert": fmt.Sprintf("%s is open for %s: join it, or choose \"Another one\" below.", i.ID, cert.Name)}, nil
			}
		}
	}
	return []string{line}, nil, nil
}

func problemCode(err error) string {
	var p Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// isTimeProblem: it is neither of the title nor of anything else in the line.
func isTimeProblem(err error) bool {
	switch problemCode(err) {
	case "missing_title", "long_title", "unknown_certificate", "bad_severity", "":
		return false
	}
	return true
}

// formIncident is the incident that a form is about, if its person may see it.
func (c *call) formIncident(ctx context.Context) (incident.Incident, error) {
	return c.incident(ctx)
}

// closeForm asks for what is missing: the impact, what becomes of temporary
// changes, why it is closed all the same.
func closeForm(ctx context.Context, c *call, ask FormAsk) (Form, error) {
	i, err := c.formIncident(ctx)
	if err != nil {
		return Form{}, err
	}
	if i.Status == incident.Closed || i.Status == incident.Cancelled || i.Status == incident.Duplicate {
		return Form{}, c.bookError(i, incident.ErrState)
	}
	f := Form{Subject: i.ID, Title: "Close " + i.ID, Submit: "Close", Intro: clip(i.Title, 120) + "\nCloses it and hands over the postmortem draft."}
	why := i.Status.Open()
	if i.Impact == "" {
		f.Fields, why = append(f.Fields, FormField{Param: Param{Name: "impact", Kind: ParamText, Summary: "What people felt, and for how long. It stands in the postmortem."},
			Label: "Impact", Long: true, Max: maxFormText, Value: measuredImpact(i)}), true
	}
	if temps := i.OpenTemps(); len(temps) > 0 {
		why = true
		undone := FormField{Param: Param{Name: "undone", Kind: ParamSeveral, Summary: "Choose what has been put back."}, Label: upper(tempsWord(i))}
		for _, t := range temps[:min(len(temps), 10)] {
			undone.Options = append(undone.Options, FormOption{Value: strconv.Itoa(t.N), Label: clip(fmt.Sprintf("%d: %s", t.N, oneLine(t.Text)), 75), Note: clip(oneLine(t.Undo), 75)})
		}
		f.Fields = append(f.Fields, undone)
	}
	if why {
		f.Fields = append(f.Fields, FormField{Param: Param{Name: "anyway", Kind: ParamText, Summary: "Only when something above stays as it is. It is on the record."}, Label: "Or why it is closed all the same", Max: 500})
	}
	if i.Status.Open() {
		f.Intro += "\nIt is " + c.d.status(i.Status) + ", not resolved."
		f.Fields[len(f.Fields)-1].Required = true
	}
	f.Fields = append(f.Fields, FormField{Param: Param{Name: "text", Kind: ParamText, Summary: "For the timeline."}, Label: "Last words", Long: true, Max: maxFormText})
	return f, nil
}

func closeLacks(ctx context.Context, c *call) bool {
	if c.args.has("anyway") {
		return false
	}
	i, err := c.formIncident(ctx)
	return err == nil && i.Status == incident.Resolved && (i.Impact == "" || len(i.OpenTemps()) > 0)
}

func closeLines(ctx context.Context, c *call, f Form, v map[string]string) ([]string, map[string]string, error) {
	i, err := c.formIncident(ctx)
	if err != nil {
		return nil, nil, err
	}
	var undone []string
	if v["undone"] != "" {
		undone = strings.Split(v["undone"], ",")
	}
	wrong := map[string]string{}
	if v["anyway"] == "" {
		if i.Impact == "" && v["impact"] == "" {
			wrong["impact"] = "Say what people felt, or below why it is closed without."
		}
		if len(undone) < len(i.OpenTemps()) {
			wrong["undone"] = "Choose what has been put back, or say below why it stays."
		}
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	var lines []string
	named := Param{Name: "incident", Kind: ParamIncident}
	if v["impact"] != "" {
		lines = append(lines, Compose("incident impact", []Param{named, {Name: "text", Kind: ParamText}}, map[string]string{"incident": i.ID, "text": v["impact"]}))
	}
	for _, n := range undone {
		lines = append(lines, Compose("incident temp", []Param{{Name: "do", Kind: ParamWord}, named, {Name: "n", Kind: ParamWord}}, map[string]string{"do": "undo", "incident": i.ID, "n": n}))
	}
	lines = append(lines, Compose("incident close", []Param{{Name: "anyway", Kind: ParamText, Flag: true}, named, {Name: "text", Kind: ParamText}},
		map[string]string{"anyway": v["anyway"], "incident": i.ID, "text": v["text"]}))
	return lines, nil, nil
}

// statuses in their order; going back asks for a reason.
var formStatuses = []incident.Status{incident.Investigating, incident.Identified, incident.Monitoring, incident.Resolved}

var statusMeans = map[incident.Status]string{
	incident.Investigating: "the cause is not known", incident.Identified: "the cause is known, the repair is under way",
	incident.Monitoring: "repaired; it is being watched", incident.Resolved: "over: the endpoints are checked first",
}

func statusForm(ctx context.Context, c *call, ask FormAsk) (Form, error) {
	i, err := c.formIncident(ctx)
	if err != nil {
		return Form{}, err
	}
	if !slices.Contains(formStatuses, i.Status) {
		return Form{}, c.bookError(i, incident.ErrState)
	}
	status := FormField{Param: Param{Name: "status", Kind: ParamChoice, Required: true}, Label: "Where it stands", Value: string(i.Status)}
	for _, s := range formStatuses {
		status.Options = append(status.Options, FormOption{Value: string(s), Label: upper(c.d.status(s)), Note: statusMeans[s]})
	}
	f := Form{Subject: i.ID, Title: "Update " + i.ID, Submit: "Record", Intro: fmt.Sprintf("%s\nIt is %s %s.", clip(i.Title, 120), sev(i.Severity), c.d.status(i.Status)),
		Fields: []FormField{status,
			{Param: Param{Name: "text", Kind: ParamText, Summary: "What was found or done. It stands on the timeline."}, Label: "In words", Long: true, Max: maxFormText},
			{Param: Param{Name: "reason", Kind: ParamText, Summary: "Only when it goes back a status."}, Label: "Why it goes back", Max: 500}}}
	if lookup("incident update") != nil {
		f.Fields = append(f.Fields, FormField{Param: Param{Name: "tell", Kind: ParamSeveral}, Label: "Also", Options: []FormOption{{"update", "Send the words as a status update", "to the rooms, and to whoever is configured to be told"}}})
	}
	return f, nil
}

func statusGiven(c *call) (string, map[string]string) {
	subject, _ := subjectGiven(isIncident)(c)
	if subject != "" {
		_, _ = c.args.take()
	}
	given := map[string]string{"reason": c.args.value("reason")}
	if w, ok := c.args.take(); ok {
		if to, err := c.d.statusOf(w, incident.Incident{}); err == nil {
			given["status"] = string(to)
		}
	}
	given["text"] = c.args.rest()
	return subject, given
}

func statusLacks(_ context.Context, c *call) bool {
	_, given := statusGiven(c)
	return given["status"] == "" && given["text"] == "" && len(c.args.words) == 0
}

// statusLines are the change of status, and the words: with it, or as a status
// update, or, where neither is, as a note.
func statusLines(ctx context.Context, c *call, f Form, v map[string]string) ([]string, map[string]string, error) {
	i, err := c.formIncident(ctx)
	if err != nil {
		return nil, nil, err
	}
	to, text, tell := incident.Status(v["status"]), v["text"], v["tell"] == "update"
	named, free := Param{Name: "incident", Kind: ParamIncident}, Param{Name: "text", Kind: ParamText}
	switch {
	case text == "" && tell:
		return nil, map[string]string{"text": "Say what the update is to say."}, nil
	case text == "" && to == i.Status:
		return nil, map[string]string{"text": fmt.Sprintf("%s is %s already. Say what is new, or choose another status.", i.ID, c.d.status(i.Status))}, nil
	case slices.Index(formStatuses, to) < slices.Index(formStatuses, i.Status) && v["reason"] == "":
		return nil, map[string]string{"reason": fmt.Sprintf("%s is %s; going back to %s needs a reason.", i.ID, i.Status, to)}, nil
	}
	values := map[string]string{"incident": i.ID, "status": string(to), "reason": v["reason"], "text": text}
	var lines []string
	if to != i.Status {
		params := []Param{{Name: "reason", Kind: ParamText, Flag: true}, named, {Name: "status", Kind: ParamWord}}
		if !tell {
			params = append(params, free)
		}
		lines = append(lines, Compose("incident status", params, values))
	}
	switch {
	case tell:
		lines = append(lines, Compose("incident update", []Param{named, free}, values))
	case to == i.Status:
		lines = append(lines, Compose("incident note", []Param{named, free}, values))
	}
	return lines, nil, nil
}
