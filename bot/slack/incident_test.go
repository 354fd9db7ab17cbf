package slack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file tests what stands in an incident's channel and who is in it.

func slackPerson(name string) commands.Person {
	return commands.Person{ID: "slack:" + bottest.SlackUser(name), Name: name, Platform: "slack"}
}

// outage is an incident that has all that a channel shows.
func outage(id string) bot.Incident {
	return bot.Incident{ID: id, Title: "images do not load", Status: "investigating", Severity: 2, Topic: id + " SEV2 investigating: images do not load", Open: true, Updated: time.Now(),
		Runbook: "https://wiki.example.org/tls", Teams: []string{"edge"}, People: []commands.Person{slackPerson("ana"), slackPerson("gus"), {ID: "web:dora", Name: "dora", Platform: "web"}}}
}

func (st *stand) channel(t *testing.T, name string) bottest.SlackChannel {
	t.Helper()
	until(t, "the channel "+name, func() bool { c, ok := st.f.Channel(name); return ok && len(c.Pins) > 0 })
	c, _ := st.f.Channel(name)
	return c
}

// TestFurniture: bookmarks, those on call, the owner's team and the people of
// the incident in its channel, a welcome with four commands; a changed runbook
// is corrected; guests are not invited.
func TestFurniture(t *testing.T) {
	f := bottest.NewSlack(t)
	for _, u := range []string{"dan", "eve", "fay", "hal", "ivy"} {
		f.User(u, nil)
	}
	f.Group("S0ONCALL", "tls-oncall", "dan", "eve", "fay", "hal") // more than usergroups.list tells
	f.Group("S0EDGE", "edge-team", "ivy")
	f.Fail("bookmarks.add", "lost")
	b := bottest.NewBook()
	st := start(t, f, nil, Options{Incidents: b, Site: "https://certmedic.example.org", Oncall: "S0ONCALL",
		TeamGroups: func(team string) []string { return map[string][]string{"edge": {"@edge-team"}}[team] }})
	i := outage("INC-7")
	b.Set(i)
	var c bottest.SlackChannel
	until(t, "people and bookmarks", func() bool {
		c, _ = f.Channel("inc-7")
		return len(c.Members) == 7 && len(c.Marks) == 3
	})
	for _, u := range []string{"ana", "dan", "eve", "fay", "hal", "ivy"} {
		if !c.Members[bottest.SlackUser(u)] {
			t.Errorf("%s is not invited", u)
		}
	}
	if c.Members[bottest.SlackUser("gus")] {
		t.Error("a guest is invited")
	}
	want := []string{"https://certmedic.example.org/incident/INC-7", "https://certmedic.example.org/incident/INC-7/draft", "https://wiki.example.org/tls"}
	for n, m := range c.Marks {
		if m.Link != want[n] || m.Title == "" {
			t.Errorf("bookmark %d: %+v", n, m)
		}
	}
	st.sees(t, "ben", c.ID, "/incident lead me")
	st.sees(t, "ben", main, "INC-7 is worked on in a channel of its own: images do not load")
	if raw := f.Raw("ben", main); !strings.Contains(raw, "<#"+c.ID+">") {
		t.Errorf("main does not lead there:\n%s", raw)
	}
	if n := strings.Count(f.Seen("ben", c.ID), "This is the channel of INC-7."); n != 1 {
		t.Errorf("welcomed %d times", n)
	}
	i.Runbook = "https://wiki.example.org/moved"
	b.Set(i)
	until(t, "the runbook is corrected", func() bool { c, _ = f.Channel("inc-7"); return c.Marks[2].Link == i.Runbook })
	if len(c.Marks) != 3 {
		t.Errorf("bookmarks %+v", c.Marks)
	}
	i.Commander = slackPerson("ben")
	b.Set(i)
	until(t, "the new commander", func() bool { c, _ = f.Channel("inc-7"); return c.Members[bottest.SlackUser("ben")] })
}

// TestMilestones: main is told of severity and status, once each, and not of
// what was said there anyhow, through restarts.
func TestMilestones(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	o := Options{Incidents: b, Settle: 60 * time.Millisecond}
	st := start(t, f, nil, o)
	i := outage("INC-4")
	b.Set(i)
	st.sees(t, "ben", main, "INC-4 is worked on in a channel of its own")
	i.Severity = 1
	b.Set(i)
	st.sees(t, "ben", main, "INC-4 is SEV1 now, was SEV2; it is investigating: images do not load")
	i.Status = "monitoring"
	b.Set(i)
	st.sees(t, "ben", main, "INC-4 is monitoring now: images do not load")
	notes := st.notes.Cut()
	st.stop()
	st = start(t, f, nil, Options{Incidents: b, Settle: 2 * time.Second, Notes: notes})
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{Key: "update/INC-4/U-1", Headline: "INC-4 is resolved, ana says.", Public: true, Incident: "INC-4"}}); err != nil {
		t.Fatal(err)
	}
	i.Status = "resolved"
	b.Set(i)
	until(t, "it is known", func() bool { c, _ := st.channelOf("INC-4"); return c.Told == "SEV1 resolved" })
	i.Status, i.Open = "closed", false
	time.Sleep(20 * time.Millisecond)
	b.Set(i)
	seen := f.Seen("ben", main)
	for _, w := range []string{"channel of its own", "SEV1 now", "monitoring now"} {
		if strings.Count(seen, w) != 1 {
			t.Errorf("%q stands %d times:\n%s", w, strings.Count(seen, w), seen)
		}
	}
	if strings.Contains(seen, "INC-4 is resolved now") {
		t.Errorf("main is told twice:\n%s", seen)
	}
}

const draftHead = "# Postmortem of INC-7: x\n\n#### Deep\n\n![no](@U0ANA)\n\n"

// draftOf is a draft with a table too large for a canvas.
func draftOf(word string) commands.Reply {
	rows := "| UTC | What | Who |\n| --- | --- | --- |\n"
	for n := range 250 {
		rows += fmt.Sprintf("| %d | row-%d | a |\n", n, n)
	}
	return commands.Reply{Headline: "INC-7 is closed. The draft is ready.", Public: true, Files: []commands.File{{Name: "INC-7-postmortem.md", Type: "text/markdown; charset=utf-8", Data: []byte(draftHead + rows + "\n" + word + "\n")}}}
}

// TestCanvas: the draft comes as a file and as the channel's canvas; the next
// draft is written into the same one, also when somebody had made it.
func TestCanvas(t *testing.T) {
	for _, somebodys := range []bool{false, true} {
		f := bottest.NewSlack(t)
		b := bottest.NewBook()
		st := start(t, f, nil, Options{Incidents: b})
		b.Set(outage("INC-7"))
		c := st.channel(t, "inc-7")
		if somebodys {
			f.Clutter(c.ID)
		} else {
			f.Fail("conversations.canvases.create", "lost", "500")
		}
		for _, word := range []string{"first draft", "second draft"} {
			if err := st.rooms.Post(t.Context(), commands.Post{Room: "INC-7", Reply: draftOf(word)}); err != nil {
				t.Fatal(err)
			}
			until(t, word, func() bool {
				c, _ = f.Channel("inc-7")
				return strings.Contains(c.Canvas, word) && slices.ContainsFunc(c.Messages, func(m *bottest.SlackMessage) bool {
					return m.File == "INC-7-postmortem.md" && strings.Contains(string(m.Data), word)
				})
			})
		}
		if !strings.Contains(c.Canvas, "**Deep**") || !strings.Contains(c.Canvas, "row-249") {
			t.Errorf("canvas %q", c.Canvas[:min(len(c.Canvas), 300)])
		}
		for n := range 250 {
			if strings.Count(c.Canvas, fmt.Sprintf("| row-%d |", n)) != 1 {
				t.Fatalf("row %d stands %d times", n, strings.Count(c.Canvas, fmt.Sprintf("| row-%d |", n)))
			}
		}
	}
}

// TestFreePlan: what scopes or plan do not allow falls away one by one, each
// said once; the rest works, the draft is there as a file.
func TestFreePlan(t *testing.T) {
	for _, how := range []string{"scope", "plan"} {
		t.Run(how, func(t *testing.T) {
			f := bottest.NewSlack(t)
			f.Group("S0ONCALL", "tls-oncall", "ben")
			if how == "scope" {
				for _, m := range []string{"bookmarks.list", "bookmarks.add", "usergroups.list", "conversations.canvases.create", "pins.add", "conversations.setTopic", "conversations.invite"} {
					f.Lack(m)
				}
			} else {
				f.Fail("usergroups.list", slices.Repeat([]string{"plan_upgrade_required"}, 100)...)
				f.Fail("conversations.canvases.create", slices.Repeat([]string{"team_tier_cannot_create_channel_canvases"}, 100)...)
				f.Fail("bookmarks.add", slices.Repeat([]string{"too_many_bookmarks"}, 100)...)
			}
			b := bottest.NewBook()
			st := start(t, f, nil, Options{Incidents: b, Oncall: "tls-oncall", Site: "https://c.example.org"})
			b.Set(outage("INC-7"))
			b.Set(outage("INC-8"))
			until(t, "two channels", func() bool {
				_, ok := f.Channel("inc-8")
				c, ok7 := f.Channel("inc-7")
				return ok && ok7 && len(c.Messages) > 1
			})
			for _, room := range []string{"INC-7", "INC-8"} {
				if err := st.rooms.Post(t.Context(), commands.Post{Room: room, Reply: draftOf("the draft")}); err != nil {
					t.Fatal(err)
				}
			}
			until(t, "files, and nothing waits", func() bool {
				n := 0
				for _, name := range []string{"inc-7", "inc-8"} {
					c, _ := f.Channel(name)
					for _, m := range c.Messages {
						if m.File != "" {
							n++
						}
					}
				}
				return n == 2 && st.Status().Waiting == 0
			})
			want := []string{"bookmark", "user groups", "canvas"}
			if how == "scope" {
				want = append(want, "pinned", "topic", "invited")
			}
			notes := st.Status().Notes
			for _, w := range want {
				if n := len(slices.DeleteFunc(slices.Clone(notes), func(s string) bool { return !strings.Contains(s, w) })); n == 0 || n > 2 {
					t.Errorf("%q is said %d times: %q", w, n, notes)
				}
			}
		})
	}
}

// TestReopened: a channel that was archived is opened again and goes on; where
// Slack refuses that, the incident goes on in a new channel, and both lead to it.
func TestReopened(t *testing.T) {
	for _, refused := range []string{"", "not_in_channel"} {
		t.Run("refused "+refused, func(t *testing.T) {
			f := bottest.NewSlack(t)
			b := bottest.NewBook()
			st := start(t, f, nil, Options{Incidents: b, Archive: true, ArchiveAfter: 30 * time.Millisecond, Settle: 20 * time.Millisecond})
			i := outage("INC-5")
			b.Set(i)
			old := st.channel(t, "inc-5")
			i.Open, i.Status, i.Updated = false, "closed", time.Now()
			b.Set(i)
			until(t, "archived", func() bool { c, _ := f.Channel(old.ID); return c.Archived })
			st.post(t, "INC-5", "said while it was archived.")
			if refused != "" {
				f.Fail("conversations.unarchive", slices.Repeat([]string{refused}, 20)...)
			} else {
				f.Fail("conversations.unarchive", "500", "429")
			}
			i.Open, i.Status, i.Updated = true, "investigating", time.Now()
			b.Set(i)
			name := "inc-5"
			if refused != "" {
				name = "inc-5-2"
			}
			until(t, "it is open again", func() bool { c, ok := f.Channel(name); return ok && !c.Archived && c.Topic != "" })
			st.post(t, "INC-5", "it goes on.")
			c, _ := f.Channel(name)
			st.sees(t, "ben", c.ID, "it goes on.")
			if n := strings.Count(f.Seen("ben", c.ID), "said while it was archived."); n != 1 {
				t.Errorf("what was said while it was archived comes %d times", n)
			}
			if st.room(old.ID) != "INC-5" || st.room(c.ID) != "INC-5" {
				t.Error("a channel does not lead to the incident")
			}
			if _, more := f.Channel("inc-5-3"); more {
				t.Error("a third channel was made")
			}
			st.sees(t, "ben", main, "INC-5 is investigating now")
			i.Open, i.Status, i.Updated = false, "closed", time.Now()
			b.Set(i)
			until(t, "archived again", func() bool { c, _ := f.Channel(name); return c.Archived })
		})
	}
}

// TestLastWords: a channel is archived only when all that was to be said there is.
func TestLastWords(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	st := start(t, f, nil, Options{Incidents: b, Archive: true, ArchiveAfter: time.Millisecond, Every: 25 * time.Millisecond})
	i := outage("INC-6")
	b.Set(i)
	c := st.channel(t, "inc-6")
	for n := range 25 {
		st.post(t, "INC-6", fmt.Sprintf("word-%d.", n))
	}
	until(t, "all are to be said", func() bool {
		n, _ := st.out.Waiting()
		return n >= 5 && strings.Contains(f.Seen("ben", c.ID), "word-1.")
	})
	for end := time.Now().Add(bottest.Wait); ; time.Sleep(time.Millisecond) {
		ns, _ := st.notes.List(t.Context(), bot.CursorKey("INC-6"))
		if len(ns) == 1 && string(ns[0].Value) == "25" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the room is not followed to its end: %v", ns)
		}
	}
	i.Open, i.Status, i.Updated = false, "closed", time.Now().Add(-time.Second)
	b.Set(i)
	until(t, "archived", func() bool { c, _ = f.Channel(c.ID); return c.Archived })
	for n := range 25 {
		if w := fmt.Sprintf("word-%d.", n); strings.Count(f.Seen("ben", c.ID), w) != 1 {
			t.Errorf("%q stands %d times", w, strings.Count(f.Seen("ben", c.ID), w))
		}
	}
}
