package notify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

var page = commands.Target{Name: "page", Kind: commands.StatuspageTarget, Whom: "everybody", Audience: commands.External, Components: map[string][]string{"media": {"comp1", "comp2"}}}

// showOn is a target that writes on a page.
func (x *stand) showOn(f *bottest.Statuspage) *notify.Statuspage {
	return &notify.Statuspage{API: f.URL, Page: f.Page, Token: f.Token, Notify: true, Pace: &notify.Pace{}}
}

func bodies(i bottest.PageIncident) (all []string) {
	for _, u := range slices.Backward(i.Updates) {
		all = append(all, u.Status+": "+u.Body)
	}
	return all
}

// One incident of ours is one of the page, from the first update to the end of
// the incident, which ends it there too.
func TestStatuspage(t *testing.T) {
	t.Parallel()
	f := bottest.NewStatuspage(t, "comp1", "comp2", "comp3")
	x := newStand(t, page)
	x.targets["page"] = x.showOn(f)
	x.run()
	x.say(`/incident update secure connections fail --title "Secure connections"`)
	x.settled()
	if i := f.Incidents()[0]; i.Name != "Secure connections" || i.Impact != "major" || i.Status != "investigating" || f.Component("comp1") != "partial_outage" || f.Component("comp3") != "operational" || !i.Updates[0].Told {
		t.Errorf("%+v", i)
	}
	x.say("/incident status identified")
	x.say(`/incident update the certificate expired --title "Secure connections"`)
	x.settled()
	x.say("/incident sev 1")
	x.say(`/incident update it is worse --title "Secure connections"`)
	us := x.settled()
	is := f.Incidents()
	if len(is) != 1 || !slices.Equal(bodies(is[0]), []string{"investigating: secure connections fail", "identified: the certificate expired", "identified: it is worse"}) || is[0].Impact != "critical" || f.Component("comp2") != "major_outage" {
		t.Errorf("%+v", is)
	}
	if d := us[2].Deliveries[0]; d.Ref != is[0].ID || !d.Open || !strings.HasPrefix(d.Text, "shown as identified on the page at ") {
		t.Errorf("on the record: %+v", d)
	}
	x.say("/incident resolve --anyway switched off")
	x.say("/incident close --anyway nobody was affected")
	for end := time.Now().Add(time.Minute); f.Incidents()[0].Status != "resolved" && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	x.settled()
	i := f.Incidents()[0]
	if bodies(i)[3] != "resolved: This incident is resolved." || len(i.Updates) != 4 || f.Component("comp1") != "operational" || i.Name != "Secure connections" {
		t.Errorf("after the close: %+v", i)
	}
	if is, _ := x.Book.UnderWay(t.Context()); len(is) != 0 {
		t.Error("it is still under way")
	}
	x.say("/incident reopen one host fails again")
	x.say("/incident update it fails again")
	x.settled()
	if is := f.Incidents(); len(is) != 1 || is[0].Status != "investigating" || len(is[0].Updates) != 5 {
		t.Errorf("reopened: %+v", is)
	}
}

// Whatever the page answers, each update is on it once in the end, in order,
// or the room is told that it is not.
func TestStatuspageFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails  []string
		says   []string
		fails1 bool
	}{
		"down":                {[]string{"500", "503", "502"}, []string{"has not reached statuspage page yet: 127.0.0.1", "answers 500"}, false},
		"create lost":         {[]string{"", "lost", "lost"}, []string{"the connection was lost"}, false},
		"look lost":           {[]string{"lost"}, []string{"the connection was lost"}, false},
		"lost after the next": {[]string{"", "", "", "lost"}, []string{"U-2 of INC-1 has not reached"}, false},
		"refused token":       {[]string{"401"}, []string{"did not reach statuspage page: 127.0.0.1", "answers 401", "Set STATUSPAGE_TOKEN", "</incident update retry INC-1 U-1>"}, true},
		"refused body":        {[]string{"", "422"}, []string{"Name can't be blank", "See that the components"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := bottest.NewStatuspage(t, "comp1", "comp2")
			f.Fail(c.fails...)
			x := newStand(t, page)
			x.targets["page"] = x.showOn(f)
			x.say("/incident update one")
			x.say("/incident update two")
			x.say("/incident update three")
			x.run()
			us := x.settled()
			if c.fails1 {
				if us[0].Deliveries[0].State != incident.DeliveryFailed || us[2].Deliveries[0].State != incident.DeliveryDone {
					t.Errorf("%+v", us)
				}
			} else if is := f.Incidents(); len(is) != 1 || !slices.Equal(bodies(is[0]), []string{"investigating: one", "investigating: two", "investigating: three"}) {
				t.Errorf("on the page: %+v", is)
			}
			if !x.said(c.says...) {
				t.Errorf("the room heard:\n%s", x.Heard())
			}
			if strings.Contains(x.Heard(), f.Token) {
				t.Error("the token is shown")
			}
		})
	}
}

// An incident that a person took off the page is made anew; one that stands
// there from before a lost record is found by its metadata.
func TestStatuspageFinds(t *testing.T) {
	t.Parallel()
	f := bottest.NewStatuspage(t, "comp1", "comp2")
	x := newStand(t, page)
	s := x.showOn(f)
	m := commands.Dispatch{Target: "page", Incident: "INC-1", Update: "U-1", Title: "x", Text: "one", Status: "investigating", Severity: 2, Declared: time.Unix(1e9, 0)}
	first, err := s.Deliver(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	other := m
	other.Declared = time.Unix(2e9, 0) // INC-1 of another record
	if second, err := s.Deliver(t.Context(), other); err != nil || second.Ref == first.Ref {
		t.Errorf("another record's incident: %+v %v", second, err)
	}
	m.Update, m.Text = "U-2", "two"
	if got, err := s.Deliver(t.Context(), m); err != nil || got.Ref != first.Ref {
		t.Errorf("without its id: %+v %v", got, err)
	}
	for range 2 {
		m.Ref = first.Ref
		if got, err := s.Deliver(t.Context(), m); err != nil || got.Ref != first.Ref {
			t.Errorf("%+v %v", got, err)
		}
	}
	if is := f.Incidents(); len(is) != 2 || len(is[0].Updates) != 2 {
		t.Errorf("%+v", is)
	}
	f.Delete(first.Ref)
	m.Update = "U-3"
	if got, err := s.Deliver(t.Context(), m); err != nil || got.Ref == first.Ref || len(f.Incidents()) != 2 {
		t.Errorf("after it was deleted: %+v %v", got, err)
	}
}

// A token's requests go out one in a while, also those of two targets; what is
// too much for the page waits a minute.
func TestStatuspagePace(t *testing.T) {
	t.Parallel()
	f := bottest.NewStatuspage(t)
	x := newStand(t, page)
	s := x.showOn(f)
	s.Pace.Every = 30 * time.Millisecond
	m := commands.Dispatch{Target: "page", Incident: "INC-1", Update: "U-1", Title: "x", Text: "one", Status: "investigating", Severity: 2}
	began := time.Now()
	for n := range 3 {
		m.Declared = time.Unix(int64(n), 0)
		if _, err := s.Deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(began); d < 5*30*time.Millisecond { // six requests; a slow machine only makes it longer
		t.Errorf("six requests in %s", d)
	}
	for _, how := range []string{"420", "429"} {
		f.Fail(how)
		_, err := s.Deliver(t.Context(), m)
		var trouble *notify.Trouble
		if !asTrouble(err, &trouble) || trouble.After != time.Minute || trouble.Final {
			t.Errorf("%s: %v", how, err)
		}
	}
}
