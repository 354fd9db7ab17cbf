package commands_test

import (
	"context"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// TestOwnerOfWhatIsMeant: who may work on what their own team owns does not
// reach another team's incident by naming it behind another word, by its
// action item, or as the second of two, from a room of their own.
func TestOwnerOfWhatIsMeant(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"/incident update list INC-1", "/incident update retry INC-1 U-1", "/incident update deny INC-1 U-1 no",
		"/incident task add INC-1 look into it", "/incident task done T-1", "/incident task export T-1 --to github",
		"/incident temp add INC-1 the limit is up", "/incident temp undo INC-1 1",
		"/incident postmortem set INC-1 lessons nothing", "/incident postmortem finish INC-1 --anyway x",
		"/incident merge INC-2 INC-1", "/incident merge INC-1 INC-2", "/incident duplicate INC-1 INC-2",
	} {
		r := linkedRoom(t, func(o *commands.Options) {
			o.Policy = commands.Policy{Look: []string{commands.Owner}, Declare: []string{commands.Owner}, Close: []string{commands.Owner}}
			o.Teams = append(o.Teams, commands.Team{Name: "apis", People: []string{"zoe"}})
			o.Trackers = []commands.Tracker{{Name: "github", Where: "example/certs"}}
		})
		ctx := context.Background()
		r.engine.inv.Certificates = append(r.engine.inv.Certificates, renew.Certificate{Name: "theirs", Domains: []string{"theirs.example.com"}, Owner: "apis"})
		for _, d := range []incident.Declaration{{Title: "media is down", Certificates: []string{"media"}, Owner: "web"}, {Title: "theirs is down", Certificates: []string{"theirs"}, Owner: "apis"}} {
			d.By = incident.Person{ID: "web:ben", Name: "ben"}
			if _, err := r.book.Declare(ctx, d, false); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range []string{"/incident task add keep looking", "/incident update it is seen", "/incident temp add the limit is up"} {
			if p := r.as(person("ben"), "INC-1", l); !p.Problem.IsZero() {
				t.Fatalf("%s: %+v", l, p.Problem)
			}
		}
		if p := r.as(person("zoe"), "INC-2", line); p.Problem.Code != "not_allowed" {
			t.Errorf("%s: %+v %s", line, p.Problem, p.Headline)
		}
		if p := r.as(person("ben"), "INC-1", line); p.Problem.Code == "not_allowed" && !strings.HasPrefix(line, "/incident merge") {
			t.Errorf("the owner: %s: %+v", line, p.Problem)
		}
	}
}

// TestPostmortemIsChangedByWhoWorksOnIt: to look is not to write into the
// postmortem, nor to say that it is finished, reviewed or shared.
func TestPostmortemIsChangedByWhoWorksOnIt(t *testing.T) {
	t.Parallel()
	r := linkedRoom(t, func(o *commands.Options) { o.Policy = commands.Policy{Declare: []string{"leads"}} })
	if _, err := r.book.Declare(context.Background(), incident.Declaration{Title: "media is down", By: incident.Person{ID: "web:ben", Name: "ben"}}, false); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"/incident postmortem set INC-1 lessons nothing", "/incident postmortem INC-1 set lessons nothing", "/incident postmortem INC-1 finish --anyway x", "/incident postmortem review INC-1", "/incident postmortem Shared INC-1"} {
		if p := r.as(person("zoe"), "main", line); p.Problem.Code != "not_allowed" {
			t.Errorf("%s: %+v %s", line, p.Problem, p.Headline)
		}
		if p := r.as(person("cleo"), "main", line); p.Problem.Code == "not_allowed" {
			t.Errorf("who may: %s: %+v", line, p.Problem)
		}
	}
	for _, line := range []string{"/incident postmortem INC-1", "/incident postmortem INC-1 md", "/incident postmortem INC-1 --template brief"} {
		if p := r.as(person("zoe"), "main", line); !p.Problem.IsZero() {
			t.Errorf("%s: %+v", line, p.Problem)
		}
	}
}
