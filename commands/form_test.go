package commands_test

import (
	"context"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

func (r *room) form(who, verb, subject string) commands.Form {
	r.t.Helper()
	f, err := r.desk.Form(context.Background(), commands.FormAsk{Verb: verb, Subject: subject, Room: "main", By: person(who)})
	if err != nil {
		r.t.Fatalf("form of %s %s: %v", verb, subject, err)
	}
	return f
}

// filled checks a filled form; every line it makes is then said.
func (r *room) filled(who, verb, subject string, values map[string]string) (lines []string, wrong map[string]string) {
	r.t.Helper()
	before, _ := r.book.List(context.Background(), incident.Filter{})
	lines, wrong, err := r.desk.FormLines(context.Background(), commands.FormAsk{Verb: verb, Subject: subject, Room: "main", By: person(who)}, values)
	if err != nil {
		r.t.Fatalf("%s %v: %v", verb, values, err)
	}
	after, _ := r.book.List(context.Background(), incident.Filter{})
	if len(before) != len(after) || len(after) > 0 && !after[0].Updated.Equal(before[0].Updated) {
		r.t.Errorf("checking %v did something", values)
	}
	return lines, wrong
}

func field(t testing.TB, f commands.Form, name string) commands.FormField {
	t.Helper()
	for _, one := range f.Fields {
		if one.Name == name {
			return one
		}
	}
	t.Fatalf("no field %s in %+v", name, f)
	return commands.FormField{}
}

func TestDeclareForm(t *testing.T) {
	r := newRoom(t)
	f := r.form("ana", "incident declare", "")
	if got := field(t, f, "title").Value; got != "media expired on 4 of 4 hosts" {
		t.Errorf("title %q", got)
	}
	if field(t, f, "cert").Value != "media" || field(t, f, "severity").Value != "1" || len(field(t, f, "severity").Options) != 4 {
		t.Errorf("%+v", f)
	}
	if o := field(t, f, "cert").Options; o[0].Value != "media" || o[0].Note != "critical" {
		t.Errorf("the worst is not first: %+v", o)
	}
	for _, c := range []struct {
		values map[string]string
		field  string
		words  string
	}{
		{map[string]string{"severity": "2"}, "title", "needed"},
		{map[string]string{"title": "x", "severity": "7"}, "severity", "none of the choices"},
		{map[string]string{"title": strings.Repeat("x", 201), "severity": "2"}, "title", "at most 200"},
		{map[string]string{"title": "x", "severity": "2", "cert": "medium"}, "cert", "none of the choices"},
		{map[string]string{"title": "x", "severity": "2", "start": "half past never"}, "start", "is not a time"},
		{map[string]string{"title": "x", "severity": "2", "start": "2030-01-01 10:00Z"}, "start", "is in the future"},
	} {
		lines, wrong := r.filled("ana", "incident declare", "", c.values)
		if len(lines) > 0 || !strings.Contains(wrong[c.field], c.words) {
			t.Errorf("%v: %q %v", c.values, lines, wrong)
		}
	}
	lines, wrong := r.filled("ana", "incident declare", "", map[string]string{"title": "images -- do not load --drill", "severity": "2", "cert": "media", "start": "-5m", "options": "private,nonsense"})
	if len(lines) != 1 || len(wrong) > 0 {
		t.Fatalf("%q %v", lines, wrong)
	}
	r.must("ana", "main", lines[0])
	i, err := r.book.Incident(context.Background(), "INC-1")
	if err != nil || i.Title != "images -- do not load --drill" || i.Severity != 2 || i.Drill || !i.Private || i.Certificates[0] != "media" || len(i.Conflicts) != 1 || i.Conflicts[0].Other.Source != "said" {
		t.Errorf("%v %+v", err, i)
	}
	// The second one for media: ana sees the first, for ben there is none.
	if _, wrong := r.filled("ana", "incident declare", "", map[string]string{"title": "again", "severity": "2", "cert": "media"}); !strings.Contains(wrong["cert"], "INC-1 is open") {
		t.Errorf("%v", wrong)
	}
	if _, wrong := r.filled("ben", "incident declare", "", map[string]string{"title": "again", "severity": "2", "cert": "media"}); len(wrong) != 0 {
		t.Errorf("%v", wrong)
	}
	lines, _ = r.filled("ben", "incident declare", "", map[string]string{"title": "again", "severity": "2", "cert": "media", "options": "anyway"})
	r.must("ben", "main", lines[0])
}

func TestCloseForm(t *testing.T) {
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare sev2 the docs are slow --cert api")
	r.must("ana", "main", "/incident temp add INC-1 the old host serves --undo switch it off")
	wants := func(line string) bool {
		ask, ok := r.desk.FormFor(ctx, line, "main", person("ana"))
		return ok && ask.Verb == "incident close"
	}
	if wants("/incident close INC-1") {
		t.Error("an incident that is not resolved is asked about, not refused")
	}
	r.must("ana", "main", "/incident resolve INC-1")
	if !wants("/incident close INC-1") || !wants("inc close") || wants("/incident close INC-1 --anyway no matter") {
		t.Error("the form is not asked for where the impact is missing")
	}
	if _, wrong := r.filled("ana", "incident close", "INC-1", nil); wrong["impact"] == "" || wrong["undone"] == "" {
		t.Errorf("%v", wrong)
	}
	lines, wrong := r.filled("ana", "incident close", "INC-1", map[string]string{"impact": "pages took\n--anyway 10 s", "undone": "1,9", "text": "thanks all"})
	if len(wrong) > 0 || len(lines) != 3 {
		t.Fatalf("%q %v", lines, wrong)
	}
	for _, l := range lines {
		r.must("ana", "main", l)
	}
	i, _ := r.book.Incident(ctx, "INC-1")
	if i.Status != incident.Closed || i.Impact != "pages took\n--anyway 10 s" || len(i.OpenTemps()) != 0 {
		t.Errorf("%+v", i)
	}
	if _, err := r.desk.Form(ctx, commands.FormAsk{Verb: "incident close", Subject: "INC-1", Room: "main", By: person("ana")}); err == nil {
		t.Error("a closed incident has a form to close it")
	}
	if wants("/incident close INC-1") {
		t.Error("a closed incident is asked about")
	}
	// With a reason everything may stand.
	r.must("ana", "main", "/incident declare sev2 again slow --anyway --cert api")
	lines, wrong = r.filled("ana", "incident close", "INC-2", map[string]string{"anyway": "declared by mistake"})
	if len(wrong) > 0 || len(lines) != 1 {
		t.Fatalf("%q %v", lines, wrong)
	}
	r.must("ana", "main", lines[0])
}

func TestStatusForm(t *testing.T) {
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare sev2 the docs are slow --cert api")
	for _, line := range []string{"/incident status", "/incident update", "/inc update INC-1"} {
		if ask, ok := r.desk.FormFor(ctx, line, "main", person("ana")); !ok || ask.Verb != "incident status" {
			t.Errorf("%s opens no form", line)
		}
	}
	if _, ok := r.desk.FormFor(ctx, "/incident status identified", "main", person("ana")); ok {
		t.Error("a whole line opens a form")
	}
	ask, label, ok := r.desk.FormBeside("/incident status INC-1 identified", "main", person("ana"))
	if !ok || label == "" || ask.Subject != "INC-1" || ask.Given["status"] != "identified" {
		t.Errorf("%+v %q", ask, label)
	}
	if f, err := r.desk.Form(ctx, ask); err != nil || field(t, f, "status").Value != "identified" {
		t.Errorf("%v %+v", err, f)
	}
	say := func(v map[string]string) {
		t.Helper()
		lines, wrong := r.filled("ana", "incident status", "INC-1", v)
		if len(wrong) > 0 || len(lines) != 1 {
			t.Fatalf("%q %v", lines, wrong)
		}
		r.must("ana", "main", lines[0])
	}
	if _, wrong := r.filled("ana", "incident status", "INC-1", map[string]string{"status": "investigating"}); wrong["text"] == "" {
		t.Errorf("%v", wrong)
	}
	say(map[string]string{"status": "investigating", "text": "still looking"})
	say(map[string]string{"status": "monitoring", "text": "--reason is a word"})
	if _, wrong := r.filled("ana", "incident status", "INC-1", map[string]string{"status": "identified"}); wrong["reason"] == "" {
		t.Errorf("%v", wrong)
	}
	say(map[string]string{"status": "identified", "reason": "one host fails again"})
	entries, _ := r.book.Timeline(ctx, "INC-1")
	var all []string
	for _, e := range entries {
		all = append(all, e.Text)
	}
	for _, want := range []string{"still looking", "--reason is a word", "one host fails again"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q is not on the timeline: %q", want, all)
		}
	}
}

func TestApproveForm(t *testing.T) {
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/renew api --yes --force")
	if _, ok := r.desk.FormFor(ctx, "/renew approve R-1", "main", person("Cleo")); ok {
		t.Error("an approval without a reason is not said at once")
	}
	if _, err := r.desk.Form(ctx, commands.FormAsk{Verb: "renew approve", Subject: "R-1", By: person("ben")}); err == nil {
		t.Error("ben may not approve and gets the form")
	}
	f := r.form("Cleo", "renew approve", "R-1")
	if !strings.Contains(f.Intro, "api") || !strings.Contains(f.Intro, "ana asked") {
		t.Errorf("%q", f.Intro)
	}
	lines, wrong := r.filled("Cleo", "renew approve", "R-1", map[string]string{"reason": "names unchanged"})
	if len(wrong) > 0 || len(lines) != 1 {
		t.Fatalf("%q %v", lines, wrong)
	}
	r.must("Cleo", "main", lines[0])
	if ren, _ := r.engine.Renewal(ctx, "R-1"); ren.Approver.Name != "Cleo" {
		t.Errorf("%+v", ren)
	}
	if _, _, err := r.desk.FormLines(ctx, commands.FormAsk{Verb: "renew approve", Subject: "R-1", By: person("dan")}, nil); err == nil {
		t.Error("an approved renewal is approved again")
	}
}

// TestUpdateForm: where status updates are sent, the form can send one.
func TestUpdateForm(t *testing.T) {
	has := false
	for _, v := range commands.Verbs() {
		has = has || v.Name == "incident update"
	}
	if !has {
		t.Skip("there is no verb /incident update")
	}
	r := newRoom(t)
	r.must("ana", "main", "/incident declare sev2 the docs are slow --cert api")
	ask, ok := r.desk.FormFor(context.Background(), "/incident update", "main", person("ana"))
	f, err := r.desk.Form(context.Background(), ask)
	if !ok || err != nil || field(t, f, "tell").Value != "update" {
		t.Fatalf("%v %v %+v", ok, err, f)
	}
	if _, wrong := r.filled("ana", "incident status", "INC-1", map[string]string{"status": "identified", "tell": "update"}); wrong["text"] == "" {
		t.Errorf("%v", wrong)
	}
	lines, wrong := r.filled("ana", "incident status", "INC-1", map[string]string{"status": "identified", "tell": "update", "text": "pages load again --to nobody"})
	if len(wrong) > 0 || len(lines) != 2 {
		t.Fatalf("%q %v", lines, wrong)
	}
	for _, l := range lines {
		r.must("ana", "main", l)
	}
}

// TestFormPrivate: a form shows nothing of a private incident to others.
func TestFormPrivate(t *testing.T) {
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare sev2 the secret thing --private")
	for _, verb := range []string{"incident close", "incident status"} {
		for _, subject := range []string{"INC-1", ""} {
			f, err := r.desk.Form(ctx, commands.FormAsk{Verb: verb, Subject: subject, Room: "main", By: person("ben")})
			if err == nil || strings.Contains(err.Error()+f.Intro, "secret") {
				t.Errorf("%s %s: %v %+v", verb, subject, err, f)
			}
		}
	}
	r.form("ana", "incident close", "INC-1")
}

// FuzzForm: whatever stands in the fields, it stays what it is: no value
// becomes a flag, another verb or another word.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"images", "--drill", "x --cert api", `"`, "'a", "-- --private", "INC-9 sev1", "a\n/incident close", "—private", "<@U1|x> &amp;"} {
		f.Add(s, s)
	}
	r := newRoom(f)
	r.must("ana", "main", "/incident declare sev3 the first")
	f.Fuzz(func(t *testing.T, title, text string) {
		ctx := context.Background()
		lines, _, err := r.desk.FormLines(ctx, commands.FormAsk{Verb: "incident declare", Room: "main", By: person("ana")}, map[string]string{"title": title, "severity": "4", "cert": "api", "options": "anyway"})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			p := r.say("ana", "main", l)
			i, err := r.book.Incident(ctx, p.Incident)
			if err != nil || i.Drill || i.Private || i.Severity != 4 || len(i.Certificates) != 1 || i.Certificates[0] != "api" {
				t.Fatalf("%q became %q: %v %+v", title, l, err, p)
			}
			if p := r.say("ana", "main", "/incident cancel "+i.ID+" fuzz"); !p.Problem.IsZero() {
				t.Fatal(p.Problem)
			}
		}
		lines, _, err = r.desk.FormLines(ctx, commands.FormAsk{Verb: "incident status", Subject: "INC-1", Room: "main", By: person("ana")}, map[string]string{"status": "monitoring", "text": text, "reason": text})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, "/incident status ") && !strings.HasPrefix(l, "/incident note ") {
				t.Fatalf("%q", l)
			}
			p := r.say("ana", "main", l)
			if p.Problem.Code != "" && p.Problem.Code != "too_long" {
				if i, _ := r.book.Incident(ctx, "INC-1"); i.Status != incident.Monitoring {
					t.Fatalf("%q became %q: %+v", text, l, p.Problem)
				}
			}
		}
	})
}
