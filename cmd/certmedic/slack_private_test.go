package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/commands"
)

// This file proves that nothing of a private incident is said in Slack where
// somebody reads who is not part of it, over random histories of the whole
// program.

// toldIncident is what the history's model knows of an incident.
type toldIncident struct {
	id, word string // word stands in all that is said of it
	private  bool
	by       string          // who declared it
	people   map[string]bool // who may read of it
}

// tale is a random history.
type tale struct {
	t    *testing.T
	r    *rand.Rand
	f    *bottest.Slack
	p    *program
	all  []*toldIncident
	seed uint64
}

// TestPrivateProperty: ana and ben lead public and private incidents in their
// channels, in main and by buttons; carl asks about everything; dora only reads.
// No channel that somebody can read who is not part of a private incident ever
// holds a word of it.
func TestPrivateProperty(t *testing.T) {
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			f := bottest.NewSlack(t)
			f.User("dora", nil)
			f.Group("S0ONCALL", "tls-oncall", "carl", "dora")
			e := startLoop(t, 1, 1)
			cfg := withSlack(t, f, e.cfg, slack.Socket)
			cfg.Slack.Oncall, cfg.Slack.Archive = "tls-oncall", true
			cfg.Listen = "127.0.0.1:0"
			w := &tale{t: t, r: rand.New(rand.NewPCG(seed, 0)), f: f, seed: seed}
			w.p = startProgram(t, cfg, programOptions{Name: "test", Listen: true, Watch: true, tuneSlack: func(o *slack.Options) {
				quick(o)
				o.ArchiveAfter, o.Settle, o.Site = 200*time.Millisecond, 50*time.Millisecond, "https://certmedic.example.org"
			}})
			w.declare(true)
			w.declare(false)
			for n := range 70 {
				w.step()
				if n%10 == 9 {
					w.check("in the middle")
				}
				if t.Failed() {
					return
				}
			}
			w.settle()
			w.check("in the end")
			w.reached()
		})
	}
}

func (w *tale) types(who, channel, line string) {
	w.t.Helper()
	if _, ok := w.f.Command(who, channel, line); !ok {
		w.t.Fatalf("seed %d: %q is not acknowledged", w.seed, line)
	}
}

// declare has ana or ben declare an incident and waits until it is known.
func (w *tale) declare(private bool) {
	i := &toldIncident{id: fmt.Sprintf("INC-%d", len(w.all)+1), word: fmt.Sprintf("open-%d-word", len(w.all)+1), private: private, people: map[string]bool{}}
	who := []string{"ana", "ben"}[w.r.IntN(2)]
	line := fmt.Sprintf("/incident declare sev%d %s does not load --anyway", 1+w.r.IntN(4), i.word)
	if private {
		i.word = fmt.Sprintf("whisper-%d-word", len(w.all)+1)
		line = fmt.Sprintf("/incident declare sev%d %s does not load --anyway --private", 1+w.r.IntN(4), i.word)
	}
	if w.r.IntN(2) == 0 {
		line += " --cert site0"
	}
	i.by, i.people[who] = who, true
	w.types(who, slackMain, line)
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if got, err := w.p.book.Incident(w.t.Context(), i.id); err == nil {
			if !strings.Contains(got.Title, i.word) || got.Private != private {
				w.t.Fatalf("seed %d: %s is %q, private %v", w.seed, i.id, got.Title, got.Private)
			}
			break
		} else if time.Now().After(end) {
			w.t.Fatalf("seed %d: %s is not declared: %s", w.seed, i.id, w.f.Seen(who, slackMain))
		}
	}
	w.all = append(w.all, i)
}

// step does something.
func (w *tale) step() {
	i := w.all[w.r.IntN(len(w.all))]
	var people []string
	for p := range i.people {
		people = append(people, p)
	}
	slices.Sort(people)
	who := people[w.r.IntN(len(people))]
	channel, name := slackMain, i.id+" "
	if c, ok := w.f.Channel(strings.ToLower(i.id)); ok && !c.Archived && w.f.CanRead(who, c.ID) && w.r.IntN(3) > 0 {
		channel, name = c.ID, ""
	}
	other := w.all[w.r.IntN(len(w.all))]
	lines := []string{
		"note %s%s again", "note %s%s again", "impact %sno %s", "rename %s%s renamed", "sev %s1 %s", "sev %s4 %s", "status %sidentified %s", "status %smonitoring %s",
		"task %sadd %s due tomorrow", "resolve %s%s", "reopen %s%s", "temp %sadd %s", "started %s5m %s",
	}
	switch k := w.r.IntN(28); {
	case k < 2:
		if len(w.all) < 8 {
			w.declare(w.r.IntN(2) == 0)
		}
	case k < 4:
		w.peek()
	case k == 4:
		w.f.Click(who, channel, []string{"Lead me", "Show", "Draft", "Check", "Renew", "Resolve " + i.id, "Start"}[w.r.IntN(7)])
	case k == 5:
		w.types(who, channel, "/incident close "+name+i.word+" --anyway "+i.word)
	case k == 6:
		to := []string{"ana", "ben"}[w.r.IntN(2)]
		i.people[to] = true
		w.types(who, channel, fmt.Sprintf("/incident lead %s<@%s|%s>", name, bottest.SlackUser(to), to))
	case k == 7 && other != i && other.people[who] && (i.private || !other.private): // else somebody names a private one in a public one's room
		w.types(who, slackMain, fmt.Sprintf("/incident %s %s %s %s", []string{"merge", "duplicate"}[w.r.IntN(2)], i.id, other.id, i.word))
	case k == 8:
		w.types(who, channel, "/incident postmortem "+name)
	case k == 9:
		w.types(who, channel, "/renew site0 --yes")
	case k < 13:
		w.chats(i, who, channel)
	default:
		w.types(who, channel, "/incident "+fmt.Sprintf(lines[w.r.IntN(len(lines))], name, i.word))
	}
}

// peek has carl, who is part of nothing, ask.
func (w *tale) peek() {
	i := w.all[w.r.IntN(len(w.all))]
	for _, line := range []string{"/incident list all", "/incident show " + i.id, "/incident timeline " + i.id, "/incident task list all", "/certcheck site0", "/incident postmortem " + i.id,
		"/incident export " + i.id + " json", "/incident note " + i.id + " carl was here", "/incident nothing " + i.id}[:1+w.r.IntN(9)] {
		w.types("carl", slackMain, line)
	}
	if _, ok := w.f.Mention("carl", slackMain); !ok {
		w.t.Errorf("seed %d: a mention is not acknowledged", w.seed)
	}
}

// chats has somebody write a message, which is put on a timeline by a reaction
// or a pin, and people open App Home.
func (w *tale) chats(i *toldIncident, who, channel string) {
	text := "said among people"
	if channel != slackMain {
		text = i.word + " said in its channel"
	}
	ts := w.f.Write(who, channel, "", text)
	switch w.r.IntN(3) {
	case 0:
		w.f.React(who, channel, ts, "pushpin", true)
	case 1:
		w.f.PinMessage(who, channel, ts, true)
	default:
		w.f.Deliver("interactive", w.f.Shortcut(who, channel, ts))
	}
	for _, user := range []string{"ana", "ben", "carl", "dora"} {
		w.f.OpenHome(user)
	}
}

// settle waits until nothing is said any more.
func (w *tale) settle() {
	for end, quiet := time.Now().Add(60*time.Second), 0; quiet < 20; time.Sleep(20 * time.Millisecond) {
		quiet++
		if w.p.slack.Status().Waiting > 0 {
			quiet = 0
		}
		if time.Now().After(end) {
			w.t.Fatalf("seed %d: it does not come to rest: %+v", w.seed, w.p.slack.Status())
		}
	}
}

// check looks whether anybody can read of what they are not part of.
func (w *tale) check(when string) {
	w.t.Helper()
	for _, i := range w.all {
		if !i.private {
			continue
		}
		id := regexp.MustCompile(`(?i)\b` + i.id + `\b`)
		for _, user := range []string{"ana", "ben", "carl", "dora"} {
			if i.people[user] {
				continue
			}
			for _, v := range append(w.f.Views(user, "home"), w.f.Views(user, "modal")...) {
				if all := v.Texts() + fmt.Sprintf("%+v", v); strings.Contains(all, i.word) || user == "dora" && id.MatchString(all) {
					w.t.Errorf("seed %d, %s: %s reads of %s in a view:\n%s", w.seed, when, user, i.id, all)
				}
			}
			for _, c := range w.f.Channels() {
				all := w.f.Everything(user, c)
				if strings.Contains(all, i.word) {
					w.t.Errorf("seed %d, %s: %s reads of %s in %s:\n%s", w.seed, when, user, i.id, c, near(all, i.word))
				}
				if at := id.FindString(all); user == "dora" && at != "" {
					w.t.Errorf("seed %d, %s: dora reads the name of %s in %s:\n%s", w.seed, when, i.id, c, near(all, at))
				}
			}
		}
		for _, line := range append(w.p.slack.Status().Notes, w.p.slack.Status().Blocked...) {
			if strings.Contains(line, i.word) || id.MatchString(line) {
				w.t.Errorf("seed %d, %s: health says %q", w.seed, when, line)
			}
		}
	}
}

func near(text, word string) string {
	at := strings.Index(text, word)
	return "..." + text[max(0, at-300):min(len(text), at+300)] + "..."
}

// reached looks whether the people of private incidents did hear of them, so
// that the silence of others means something.
func (w *tale) reached() {
	for _, i := range w.all {
		c, ok := w.f.Channel(strings.ToLower(i.id))
		if !i.private || !ok {
			if i.private && !ok {
				w.t.Errorf("seed %d: %s has no channel", w.seed, i.id)
			}
			continue
		}
		if !c.Private || !strings.Contains(w.f.Everything(i.by, c.ID), i.word) {
			w.t.Errorf("seed %d: %s reads nothing of %s", w.seed, i.by, i.id)
		}
	}
}

// TestSlackBelongs: user groups of the configuration reach the program: those
// on call and the owner's team are invited, a group's people are in the team;
// what is said of an incident that ended long ago is known as public or private.
func TestSlackBelongs(t *testing.T) {
	f := bottest.NewSlack(t)
	for _, u := range []string{"dan", "eve"} {
		f.User(u, nil)
	}
	f.Group("S0ONCALL", "tls-oncall", "eve")
	f.Group("S0EDGE", "edge-team", "dan")
	e := startLoop(t, 1, 1)
	cfg := withSlack(t, f, e.cfg, slack.Socket)
	cfg.Slack.Oncall, cfg.Listen = "S0ONCALL", "127.0.0.1:0"
	for i := range cfg.Teams {
		cfg.Teams[i].Groups = []string{"slack:edge-team", "discord:80351110224678912"}
	}
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneSlack: quick})
	r := reader{t, f}
	r.types("ana", slackMain, "/incident declare sev2 images do not load --cert site0")
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, _ := f.Channel("inc-1")
		if c.Members[bottest.SlackUser("ana")] && c.Members[bottest.SlackUser("dan")] && c.Members[bottest.SlackUser("eve")] {
			break
		} else if time.Now().After(end) {
			t.Fatalf("in the channel are %v", c.Members)
		}
	}
	dan := commands.Person{ID: "slack:" + bottest.SlackUser("dan"), Name: "dan", Platform: "slack"}
	if got := p.groupsOf(t.Context(), dan); !slices.Equal(got, []string{"slack:edge-team", "slack:S0EDGE"}) {
		t.Errorf("dan is in %q", got)
	}
	r.types("ana", slackMain, "/incident declare sev2 another --private --anyway")
	for id, want := range map[string]bool{"INC-1": false, "INC-2": true, "INC-99": true} {
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			got, err := p.private(t.Context(), id)
			if err == nil && got == want {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%s is private: %v %v", id, got, err)
			}
		}
	}
	if err := p.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "of an incident that is not there.", Public: true, Incident: "INC-99"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "behind it.", Public: true, Incident: "INC-1"}}); err != nil {
		t.Fatal(err)
	}
	r.sees("ben", slackMain, "behind it.")
	if strings.Contains(f.Seen("ben", slackMain), "that is not there") {
		t.Error("what is not there is not treated as private")
	}
}
