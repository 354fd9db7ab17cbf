package commands_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// linkedRoom is a room where ana is one person on three platforms and is in
// the approvers' team by a group of Slack, and dan of leads is linked too.
func linkedRoom(t *testing.T, change func(*commands.Options)) *room {
	t.Helper()
	r := newRoom(t)
	o := commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now,
		People: []commands.Linked{{Name: "ana", IDs: []string{"slack:U0ANA", "discord:80351110224678912", "web:ana", "cli:ana"}}, {Name: "dan", IDs: []string{"slack:U0DAN", "web:daniel"}}},
		Teams:  []commands.Team{{Name: "web", People: []string{"ana", "ben"}, Escalate: []string{"leads"}}, {Name: "leads", People: []string{"cleo", "dan"}, Groups: []string{"slack:S0LEADS"}}},
		GroupsOf: func(_ context.Context, p commands.Person) []string {
			if p.ID == "slack:U0ANA" || p.ID == "slack:U0EVE" {
				return []string{"slack:s0leads", "slack:leads"}
			}
			return nil
		}}
	if change != nil {
		change(&o)
	}
	r.desk = commands.New(o)
	return r
}

// as says a line as any identity.
func (r *room) as(p commands.Person, where, text string) commands.Reply {
	r.t.Helper()
	r.clock.add(1e9)
	r.n++
	return r.desk.Do(context.Background(), commands.Request{Text: text, By: p, Room: where, At: r.clock.now()}, r.post)
}

var (
	slackAna  = commands.Person{ID: "slack:U0ANA", Name: "ana.smith", Platform: "slack"}
	webAna    = commands.Person{ID: "web:Ana", Name: "Ana", Platform: "web"}
	slackDan  = commands.Person{ID: "slack:U0DAN", Name: "dd", Platform: "slack"}
	falseDan  = commands.Person{ID: "slack:U0EVIL", Name: "dan", Platform: "slack"}
	discordJo = commands.Person{ID: "discord:7", Name: "jo", Platform: "discord"}
)

func TestOnePersonOnEveryPlatform(t *testing.T) {
	t.Parallel()
	r := linkedRoom(t, nil)
	ctx := context.Background()
	if p := r.as(slackAna, "main", "/incident declare --private images do not load"); !p.Problem.IsZero() {
		t.Fatal(p.Problem)
	}
	if p := r.as(webAna, "main", "/incident note seen on the web too"); !p.Problem.IsZero() {
		t.Fatal(p.Problem) // private, and the only open one: it was found because she declared it
	}
	es, _ := r.book.Timeline(ctx, "INC-1")
	if len(es) < 2 {
		t.Fatal(es)
	}
	for _, e := range es {
		if e.By.Platform != incident.Bot.Platform && (e.By.Name != "ana" || e.By.ID != "person:ana") {
			t.Errorf("%+v", e.By)
		}
	}
	r.posts = nil
	if p := r.as(webAna, "INC-1", "/incident role scribe ana"); !p.Problem.IsZero() {
		t.Fatal(p.Problem)
	}
	var told []string
	for _, p := range r.posts {
		if p.For != "" && strings.Contains(p.Reply.Headline, "You are the scribe") {
			told = append(told, p.For)
		}
	}
	if !slices.Equal(told, []string{"slack:U0ANA", "discord:80351110224678912", "web:ana", "cli:ana"}) {
		t.Errorf("told %v", told)
	}
	r.posts = nil
	r.as(slackAna, "INC-1", "/incident role scribe me")
	if len(r.posts) != 0 {
		t.Errorf("told again: %+v", r.posts)
	}
}

// Who asked on one platform cannot approve on another, and nobody becomes
// somebody by taking their name.
func TestApprovalAcrossPlatforms(t *testing.T) {
	t.Parallel()
	r := linkedRoom(t, nil)
	r.engine.hold = true
	if p := r.as(slackAna, "main", "/renew api --yes --force"); !p.Problem.IsZero() {
		t.Fatal(p.Problem)
	}
	for _, c := range []struct {
		by   commands.Person
		code string
	}{{webAna, "self_approval"}, {slackAna, "self_approval"}, {falseDan, "not_approver"}, {commands.Person{ID: "web:dan", Name: "dan", Platform: "web"}, "not_approver"}, {discordJo, "not_approver"},
		{commands.Person{ID: "slack:U0EVE", Name: "eve", Platform: "slack"}, ""}} {
		if p := r.as(c.by, "main", "/renew approve R-1"); p.Problem.Code != c.code {
			t.Errorf("%s: %+v, want %q", c.by.ID, p.Problem, c.code)
		}
	}
	if ren, _ := r.engine.Renewal(context.Background(), "R-1"); ren.Approver.Name != "eve" || ren.Ask.By.ID != "person:ana" {
		t.Errorf("%+v", ren)
	}
}

// What was written before somebody was linked is theirs too.
func TestLinkedLater(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.engine.hold = true
	r.as(slackAna, "main", "/incident declare --private a secret matter")
	old, err := r.engine.Start(context.Background(), renew.Ask{Certificate: "api", By: renew.Person{ID: "slack:U0ANA", Name: "ana.smith", Platform: "slack"}, Force: true})
	if err != nil {
		t.Fatal(err)
	}
	linked := linkedRoom(t, func(o *commands.Options) { o.Book, o.Renewer, o.Now = r.book, r.engine, r.clock.now })
	if p := linked.as(webAna, "main", "/renew approve "+old.ID); p.Problem.Code != "self_approval" {
		t.Errorf("%+v", p)
	}
	if p := linked.as(webAna, "main", "/incident note mine"); !p.Problem.IsZero() {
		t.Errorf("%+v", p)
	}
}

func TestNameOfALinkedPerson(t *testing.T) {
	t.Parallel()
	r := linkedRoom(t, nil)
	r.as(discordJo, "main", "/incident declare images do not load")
	r.as(falseDan, "INC-1", "/incident note it is me, dan")
	r.as(slackDan, "INC-1", "/incident note no, me")
	es, _ := r.book.Timeline(context.Background(), "INC-1")
	var names []string
	for _, e := range es {
		if e.Kind == incident.NoteKind && e.Evidence.Change.What == "" {
			names = append(names, e.By.Name)
		}
	}
	if !slices.Equal(names, []string{"dan (slack)", "dan"}) {
		t.Errorf("%v", names)
	}
	if p := r.as(slackAna, "INC-1", "/incident lead <@U0DAN>"); !p.Problem.IsZero() {
		t.Fatal(p.Problem)
	}
	if i, _ := r.book.Incident(context.Background(), "INC-1"); i.Commander.ID != "person:dan" {
		t.Errorf("%+v", i.Commander)
	}
	if ids := r.desk.Identities(slackDan); len(ids) != 2 || ids[1].ID != "web:daniel" || ids[1].Name != "dan" || ids[1].Platform != "web" {
		t.Errorf("%+v", ids)
	}
}

// Every verb says which right it needs.
func TestEveryVerbHasARight(t *testing.T) {
	t.Parallel()
	for _, v := range commands.Verbs() {
		if v.Needs == "" && v.Name != "help" {
			t.Errorf("/%s needs no right", v.Name)
		}
		if v.Public && v.Needs == commands.NeedsLook && v.Name != "renew" && v.Name != "renew approve" && v.Name != "renew deny" && !strings.HasSuffix(v.Name, "postmortem") {
			t.Errorf("/%s changes the record and needs no more than to look", v.Name)
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	zoe, ben, cleo := person("zoe"), person("ben"), person("cleo")
	lines := []string{"/certcheck", "/incident list", "/incident declare something else --cert api", "/incident note INC-1 hello", "/renew media",
		"/renew media --yes", "/incident resolve INC-1 --anyway x", "/incident status INC-1 resolved --anyway x", "/incident cancel INC-1 --reason x", "/incident task done T-1", "/renew stop R-1", "/renew resume R-1"}
	for name, c := range map[string]struct {
		policy commands.Policy
		by     commands.Person
		not    []int // lines that are refused
	}{
		"default, a member":                     {commands.Policy{}, zoe, []int{5, 11}},
		"default, the owner":                    {commands.Policy{}, ben, nil},
		"default, who the owner escalates to":   {commands.Policy{}, cleo, nil},
		"everybody renews":                      {commands.Policy{Renew: []string{commands.Members}}, zoe, nil},
		"a team looks, a stranger":              {commands.Policy{Look: []string{"leads"}}, zoe, []int{0, 1, 4, 5, 11}},
		"a team looks, one of it":               {commands.Policy{Look: []string{"leads"}}, cleo, nil},
		"the owner closes, a stranger":          {commands.Policy{Close: []string{commands.Owner}}, zoe, []int{5, 6, 7, 8, 11}},
		"the owner or leads close, one of them": {commands.Policy{Close: []string{commands.Owner, "leads"}}, cleo, nil},
		"leads declare, the owner":              {commands.Policy{Declare: []string{"leads"}}, ben, []int{2, 3, 9, 10}},
		"the owner declares, a stranger":        {commands.Policy{Declare: []string{commands.Owner}}, zoe, []int{2, 3, 5, 9, 10, 11}},
	} {
		for n, line := range lines {
			r := linkedRoom(t, func(o *commands.Options) { o.Policy = c.policy })
			r.engine.hold = true
			if _, err := r.book.Declare(context.Background(), incident.Declaration{Title: "media is down", Certificates: []string{"media"}, Owner: "web", By: incident.Person{ID: "web:ben", Name: "ben"}}, false); err != nil {
				t.Fatal(err)
			}
			p := r.as(c.by, "main", line)
			if refused := p.Problem.Code == "not_allowed"; refused != slices.Contains(c.not, n) {
				t.Errorf("%s: %s: %+v", name, line, p.Problem)
			} else if refused && (!strings.Contains(p.Problem.Message, c.by.Name+" may not") || !strings.HasPrefix(p.Problem.Hint, "Ask ") || !strings.Contains(p.Problem.Hint, "to say: /")) {
				t.Errorf("%s: %s: no way on: %+v", name, line, p.Problem)
			}
		}
	}
}

// A certificate without an owner, and an owner with nobody in it, are renewed
// by members.
func TestPolicyWithoutOwners(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*commands.Options){
		"no teams":         func(o *commands.Options) { o.Teams = nil },
		"an empty team":    func(o *commands.Options) { o.Teams = []commands.Team{{Name: "web"}} },
		"another team":     func(o *commands.Options) { o.Teams = []commands.Team{{Name: "leads", People: []string{"cleo"}}} },
		"nobody, and more": func(o *commands.Options) { o.Teams, o.Policy.Renew = nil, []string{commands.Owner} },
	} {
		r := linkedRoom(t, change)
		if p := r.as(person("zoe"), "main", "/renew media --yes"); !p.Problem.IsZero() {
			t.Errorf("%s: %+v", name, p.Problem)
		}
	}
}

// Pins are under the policy like everything else.
func TestPolicyOfPins(t *testing.T) {
	t.Parallel()
	r := linkedRoom(t, func(o *commands.Options) { o.Policy.Declare = []string{"leads"} })
	r.as(person("cleo"), "main", "/incident declare images do not load")
	pin := commands.Pin{Key: "slack/C/1", Room: "INC-1", Author: discordJo, Text: "hello", By: discordJo}
	if p := r.pinned(pin); p.Problem.Code != "not_allowed" {
		t.Errorf("%+v", p)
	}
	pin.By = person("cleo")
	if p := r.pinned(pin); !p.Problem.IsZero() {
		t.Errorf("%+v", p)
	}
	if p := r.desk.Unpin(context.Background(), pin.Key, discordJo, r.clock.now(), r.post); p.Problem.Code != "not_allowed" {
		t.Errorf("%+v", p)
	}
}

// A form is not opened for who may not do it.
func TestPolicyOfForms(t *testing.T) {
	t.Parallel()
	r := linkedRoom(t, func(o *commands.Options) { o.Policy.Close = []string{"leads"} })
	r.as(person("ben"), "main", "/incident declare images do not load")
	for name, want := range map[string]string{"ben": "not_allowed", "cleo": ""} {
		_, err := r.desk.Form(context.Background(), commands.FormAsk{Verb: "incident close", Subject: "INC-1", Room: "main", By: person(name)})
		var p commands.Problem
		if errors.As(err, &p); p.Code != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// Where only owners look, a page of nothing in particular is every owner's.
func TestPolicyOfPages(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := linkedRoom(t, func(o *commands.Options) { o.Policy.Look = []string{commands.Owner} })
	for name, allowed := range map[string]bool{"ben": true, "cleo": true, "zoe": false, "": false} {
		by := commands.Person{ID: "web:" + name, Name: name, Platform: "web"}
		_, e1 := r.desk.EstatePage(ctx, by)
		_, e2 := r.desk.CertificatePage(ctx, "media", by)
		_, e3 := r.desk.IncidentsPage(ctx, "", by)
		_, e4 := r.desk.NumbersPage(ctx, "", by)
		for n, err := range []error{e1, e2, e3, e4} {
			var p commands.Problem
			if errors.As(err, &p); (p.Code == "not_allowed") == allowed || err != nil && p.Code != "not_allowed" {
				t.Errorf("%q, page %d: %v", name, n, err)
			}
		}
		if r.desk.MayRead(ctx, "main", by.ID) != allowed {
			t.Errorf("%q may read the main room: %t", name, !allowed)
		}
		if p := r.as(by, "main", "/incident list"); (p.Problem.Code == "not_allowed") == allowed {
			t.Errorf("%q: %+v", name, p.Problem)
		}
	}
}
