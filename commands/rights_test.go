package commands_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// readingLines change nothing, so that who may look may say them. A verb that
// has none only writes.
var readingLines = map[string][]string{
	"help": {"/help"}, "certcheck": {"/certcheck", "/certcheck media"}, "certcheck who": {"/certcheck who media"}, "certcheck rehearse": {"/certcheck rehearse media"},
	"renew": {"/renew", "/renew media"}, "renew status": {"/renew status"},
	"incident": {"/incident"}, "incident timeline": {"/incident timeline INC-1"}, "incident show": {"/incident show INC-1"}, "incident stats": {"/incident stats"},
	"incident list":       {"/incident list", "/incident list all", "/incident list search media"},
	"incident postmortem": {"/incident postmortem INC-1", "/incident postmortem INC-1 md"}, "incident export": {"/incident export INC-1"},
	"incident temp":   {"/incident temp INC-1", "/incident temp list INC-1", "/incident temp INC-1 list", "/incident temp LIST INC-1"},
	"incident task":   {"/incident task", "/incident task list", "/incident task list all", "/incident task INC-1", "/incident task INC-1 list"},
	"incident update": {"/incident update list INC-1", "/incident update INC-1 list"},
}

// writingLines change the record, or what is outside.
var writingLines = map[string][]string{
	"renew": {"/renew media --yes"}, "renew stop": {"/renew stop R-1"}, "renew resume": {"/renew resume R-1"}, "renew rollback": {"/renew rollback R-1"},
	"incident declare": {"/incident declare x --cert api"}, "incident status": {"/incident status INC-1 identified", "/incident status INC-1 resolved"}, "incident sev": {"/incident sev INC-1 1"},
	"incident lead": {"/incident lead INC-1 me"}, "incident impact": {"/incident impact INC-1 none"}, "incident note": {"/incident note INC-1 list"},
	"incident update": {"/incident update INC-1 hello", "/incident update INC-1 list of what fails", "/incident update INC-1 \"list\"", "/incident update approve INC-1 U-1"},
	"incident edit":   {"/incident edit INC-1 E-1 x"}, "incident drop": {"/incident drop INC-1 E-1"}, "incident move": {"/incident move INC-1 E-1 01:49Z"},
	"incident temp": {"/incident temp INC-1 add x", "/incident temp undo INC-1 1"}, "incident task": {"/incident task INC-1 add x", "/incident task done T-1", "/incident task export T-1"},
	"incident role": {"/incident role INC-1 scribe me"}, "incident invite": {"/incident invite INC-1 me"}, "incident handoff": {"/incident handoff INC-1 me"},
	"incident rename": {"/incident rename INC-1 x"}, "incident started": {"/incident started INC-1 01:49Z"}, "incident detected": {"/incident detected INC-1 01:49Z"},
	"incident reopen": {"/incident reopen INC-1 --reason x"}, "incident cancel": {"/incident cancel INC-1 --reason x"}, "incident duplicate": {"/incident duplicate INC-1 INC-2"},
	"incident merge": {"/incident merge INC-1 INC-2"}, "incident snooze": {"/incident snooze INC-1 update"}, "incident quiet": {"/incident quiet INC-1 update"},
	"incident resolve": {"/incident resolve INC-1"}, "incident close": {"/incident close INC-1"},
	"incident postmortem": {"/incident postmortem INC-1 set lucky x", "/incident postmortem INC-1 publish", "/incident postmortem INC-1 finished"},
}

// ownRule are verbs that the approval policy of a certificate decides.
var ownRule = []string{"renew approve", "renew deny"}

// Who may only look may say every line that changes nothing, and none else.
func TestReadingNeedsLook(t *testing.T) {
	t.Parallel()
	leads := []string{"leads"}
	r := linkedRoom(t, func(o *commands.Options) {
		o.Policy = commands.Policy{Declare: leads, Renew: leads, Close: leads}
	})
	if _, err := r.book.Declare(context.Background(), incident.Declaration{Title: "media is down", Certificates: []string{"media"}, Owner: "web", By: incident.Person{ID: "web:ben", Name: "ben"}}, false); err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, v := range commands.Verbs() {
		known = append(known, v.Name)
		if len(readingLines[v.Name])+len(writingLines[v.Name]) == 0 && !slices.Contains(ownRule, v.Name) {
			t.Errorf("nobody says what /%s takes", v.Name)
		}
		before, _ := r.book.History(context.Background(), "INC-1")
		for _, line := range readingLines[v.Name] {
			if p := r.as(person("zoe"), "main", line); p.Problem.Code == "not_allowed" || strings.HasPrefix(p.Problem.Code, "unknown") || strings.HasPrefix(p.Problem.Code, "bad") {
				t.Errorf("%s, by who may look: %+v", line, p.Problem)
			}
		}
		if after, _ := r.book.History(context.Background(), "INC-1"); len(after) != len(before) {
			t.Errorf("/%s wrote %d lines for who may only look", v.Name, len(after)-len(before))
		}
		for _, line := range writingLines[v.Name] {
			if p := r.as(person("zoe"), "main", line); p.Problem.Code != "not_allowed" {
				t.Errorf("%s, by who may look: %s %+v", line, p.Headline, p.Problem)
			}
		}
	}
	for _, lines := range []map[string][]string{readingLines, writingLines} {
		for name := range lines {
			if !slices.Contains(known, name) {
				t.Errorf("there is no verb %s", name)
			}
		}
	}
	// And who may not look may not read them either.
	r = linkedRoom(t, func(o *commands.Options) { o.Policy = commands.Policy{Look: leads} })
	for name, lines := range readingLines {
		for _, line := range lines {
			if p := r.as(person("zoe"), "main", line); name != "help" && p.Problem.Code != "not_allowed" {
				t.Errorf("%s, by who may not look: %s %+v", line, p.Headline, p.Problem)
			}
		}
	}
}
