package discord

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// place waits for an incident's place with a pinned card.
func (st *stand) place(t testing.TB, id string) bottest.DiscordChannel {
	t.Helper()
	var c bottest.DiscordChannel
	until(t, "a place of "+id, func() bool {
		at, ok := st.channelOf(id)
		if !ok || at.Main {
			return false
		}
		c, ok = st.f.Channel(at.ID)
		return ok && len(c.Pins) == 1
	})
	return c
}

func who(name string) commands.Person {
	return commands.Person{ID: "discord:" + bottest.DiscordUser(name), Name: name, Platform: "discord"}
}

var kinds = []string{Channel, Thread}

// TestPlace: an incident gets its channel or thread, with topic, pinned card
// and forms; its room is heard there; it is locked at the end, and opened again.
func TestPlace(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := bottest.NewDiscord(t)
			b := bottest.NewBook()
			f.Fail(map[string]string{Channel: "create_guild_channel", Thread: "create_thread"}[kind], "500", "lost")
			st := start(t, f, nil, Options{Incidents: b, Place: kind, Category: bottest.DiscordCategory, Archive: true, ArchiveAfter: 50 * time.Millisecond}).up(t)
			i := bot.Incident{ID: "INC-7", Title: "images @everyone", Topic: "INC-7 SEV2 investigating: @everyone <@&1> [images](https://evil.example)", Open: true, Updated: time.Now(), Commander: who("ana")}
			b.Set(i)
			c := st.place(t, "INC-7")
			if n := len(f.Channels()); n != 3 {
				t.Errorf("%d channels: the one whose answer was lost is not found again", n)
			}
			if kind == Channel && (c.Name != "inc-7" || c.Parent != bottest.DiscordCategory) || kind == Thread && c.Parent != main {
				t.Errorf("%+v", c)
			}
			if kind == Channel {
				until(t, "the topic", func() bool {
					c, _ := f.Channel(c.ID)
					return c.Topic == topic(i.Topic) && !strings.Contains(c.Topic, "@everyone") && !strings.Contains(c.Topic, "<@") && !strings.Contains(c.Topic, "](")
				})
			}
			if kind == Thread {
				until(t, "the commander", func() bool { c, _ := f.Channel(c.ID); return c.Members[bottest.DiscordUser("ana")] })
			}
			st.post(t, "INC-7", "declared.")
			st.sees(t, "ben", c.ID, "declared.")
			st.types(t, "ana", c.ID, "/public in its room")
			st.sees(t, "ben", c.ID, "public: in its room")
			if q := st.desk.Asked("/public in its room"); len(q) != 1 || q[0].Room != "INC-7" || q[0].By.Name != "ana" {
				t.Errorf("asked %+v", q)
			}
			// The card is edited while it is young, and pinned anew when it is old.
			i.Topic = "INC-7 SEV1 identified"
			b.Set(i)
			st.sees(t, "ben", c.ID, "INC-7 SEV1 identified")
			first := c.Pins[0]
			if c, _ := f.Channel(c.ID); !slices.Equal(c.Pins, []string{first}) {
				t.Errorf("pins %v", c.Pins)
			}
			f.Advance(2 * time.Hour)
			i.Topic = "INC-7 SEV1 monitoring"
			b.Set(i)
			st.sees(t, "ben", c.ID, "INC-7 SEV1 monitoring")
			until(t, "one card", func() bool {
				c, _ := f.Channel(c.ID)
				return len(c.Pins) == 1 && c.Pins[0] != first && strings.Count(f.Seen("ben", c.ID), "INC-7 SEV1") == 1
			})
			i.Open, i.Updated = false, time.Now()
			b.Set(i)
			locked := func() bool {
				c, _ := f.Channel(c.ID)
				if kind == Thread {
					return c.Archived && c.Locked
				}
				for _, o := range c.Overwrites {
					if o.ID == bottest.DiscordGuild {
						return o.Deny&(1<<11) != 0
					}
				}
				return false
			}
			until(t, "locked", locked)
			if a := f.Line("ana", c.ID, "/public too late"); kind == Channel && a.Refused == "" {
				t.Log("the client offers commands in a locked channel: the permission to send is asked")
			}
			i.Open = true
			b.Set(i)
			until(t, "opened again", func() bool { return !locked() })
			st.post(t, "INC-7", "once more.")
			st.sees(t, "ben", c.ID, "once more.")
			if p := f.Pings(); len(p) > 0 {
				t.Errorf("notified: %+v", p)
			}
		})
	}
}

// TestMilestones: main is told where an incident is worked on, and of its
// severity and status, once each, and not of what was said there anyhow,
// through a restart; of a private incident it is told nothing.
func TestMilestones(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	b := bottest.NewBook()
	o := Options{Incidents: b, Settle: 60 * time.Millisecond}
	st := start(t, f, nil, o).up(t)
	b.Set(bot.Incident{ID: "INC-3", Title: "a leak", Topic: "x", Severity: 1, Status: "identified", Open: true, Private: true, Updated: time.Now()})
	i := bot.Incident{ID: "INC-4", Title: "images", Topic: "x", Severity: 2, Status: "investigating", Open: true, Updated: time.Now()}
	b.Set(i)
	c := st.place(t, "INC-4")
	st.sees(t, "ben", main, "INC-4 is worked on in a channel of its own: images\n#"+c.Name)
	i.Severity = 1
	b.Set(i)
	st.sees(t, "ben", main, "INC-4 is SEV1 now, was SEV2; it is investigating: images")
	notes := st.notes.Cut()
	st.stop()
	o.Notes, o.Settle = notes, 2*time.Second // it is said within that time before
	st = start(t, f, st.rooms, o).up(t)
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{Key: "update/INC-4/U-1", Headline: "INC-4 is monitoring, ana says.", Public: true, Incident: "INC-4"}}); err != nil {
		t.Fatal(err)
	}
	i.Status = "monitoring"
	b.Set(i)
	until(t, "it is known", func() bool { c, _ := st.channelOf("INC-4"); return c.Told == "SEV1 monitoring" })
	seen := f.Seen("ben", main)
	for _, w := range []string{"channel of its own", "SEV1 now"} {
		if strings.Count(seen, w) != 1 {
			t.Errorf("%q stands %d times:\n%s", w, strings.Count(seen, w), seen)
		}
	}
	if strings.Contains(seen, "INC-4 is monitoring now") || strings.Contains(f.Seen("ana", main), "leak") {
		t.Errorf("main is told:\n%s", seen)
	}
}

// TestPlaceTakenAway: the channel is deleted, the thread archived and locked
// under us: another one is made, or it is opened; nothing is lost.
func TestPlaceTakenAway(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := bottest.NewDiscord(t)
			b := bottest.NewBook()
			st := start(t, f, nil, Options{Incidents: b, Place: kind}).up(t)
			b.Set(bot.Incident{ID: "INC-7", Topic: "INC-7 SEV2 investigating: images", Open: true, Updated: time.Now()})
			c := st.place(t, "INC-7")
			for i := range 5 {
				st.post(t, "INC-7", fmt.Sprintf("line %d.", i))
			}
			st.sees(t, "ben", c.ID, "line 4.")
			if kind == Thread {
				f.Archive(c.ID, true, true)
				st.post(t, "INC-7", "line 5.")
				st.sees(t, "ben", c.ID, "line 5.")
			}
			f.DeleteChannel(c.ID)
			st.post(t, "INC-7", "line 6.")
			var next bottest.DiscordChannel
			until(t, "another place", func() bool {
				at, ok := st.channelOf("INC-7")
				next, _ = f.Channel(at.ID)
				return ok && at.ID != c.ID && len(next.Pins) == 1
			})
			st.sees(t, "ben", next.ID, "line 6.")
			if n := strings.Count(f.Seen("ben", next.ID), "line 6."); n != 1 {
				t.Errorf("said %d times", n)
			}
			st.types(t, "ana", next.ID, "/public here now")
			st.sees(t, "ben", next.ID, "public: here now")
			if q := st.desk.Asked("/public here now"); len(q) != 1 || q[0].Room != "INC-7" {
				t.Errorf("asked %+v", q)
			}
		})
	}
}

// TestNoPlace: where Discord allows no channel, the incident is spoken of in
// the main channel, once, and the operator is told.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Grant(bottest.DiscordBotRole, bottest.DiscordBotPermissions&^(1<<4)) // without Manage Channels
	b := bottest.NewBook()
	st := start(t, f, nil, Options{Incidents: b}).up(t)
	b.Set(bot.Incident{ID: "INC-7", Topic: "INC-7 SEV2 investigating: images", Open: true, Updated: time.Now()})
	until(t, "the stand-in", func() bool { c, ok := st.channelOf("INC-7"); return ok && c.Main })
	st.post(t, "INC-7", "only in the room.")
	st.sees(t, "ben", main, "only in the room.")
	st.post(t, "main", "in both.")
	st.post(t, "INC-7", "in both.")
	st.post(t, "INC-7", "afterwards.")
	st.sees(t, "ben", main, "afterwards.")
	if n := strings.Count(f.Seen("ben", main), "in both."); n != 1 {
		t.Errorf("said %d times:\n%s", n, f.Seen("ben", main))
	}
	if s := st.Status(); !strings.Contains(strings.Join(s.Notes, " "), "Missing Permissions") {
		t.Errorf("not told: %+v", s.Notes)
	}
}

// TestPrivate: a private incident's place is seen by its people alone; nothing
// of it is said elsewhere.
func TestPrivate(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := bottest.NewDiscord(t)
			b := bottest.NewBook()
			st := start(t, f, nil, Options{Incidents: b, Place: kind, Category: bottest.DiscordCategory}).up(t)
			i := bot.Incident{ID: "INC-9", Title: "leaked key", Topic: "INC-9 SEV1 investigating: leaked key", Open: true, Private: true, Updated: time.Now(), Commander: who("ana"), People: []commands.Person{who("ana"), {ID: "slack:U1", Name: "x", Platform: "slack"}}}
			b.Set(i)
			c := st.place(t, "INC-9")
			st.post(t, "INC-9", "the key is out.")
			st.sees(t, "ana", c.ID, "the key is out.")
			if s := f.Seen("ben", c.ID) + f.Seen("gus", c.ID); s != "" {
				t.Errorf("ben or gus see %q", s)
			}
			if err := st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "secret step", Incident: "INC-9", Public: true}}); err != nil {
				t.Fatal(err)
			}
			st.post(t, "main", "something else.")
			st.sees(t, "ben", main, "something else.")
			for _, who := range []string{"ana", "ben"} {
				if s := f.Seen(who, main); strings.Contains(s, "secret step") || strings.Contains(s, "leaked") {
					t.Errorf("main shows it:\n%s", s)
				}
			}
			i.People = append(i.People, who("ben"))
			b.Set(i)
			st.sees(t, "ben", c.ID, "the key is out.")
			if kind == Channel {
				i.People = i.People[:2]
				b.Set(i)
				until(t, "ben is out again", func() bool { return f.Seen("ben", c.ID) == "" })
			}
			if strings.Contains(c.Name, "leaked") && kind == Thread {
				t.Errorf("its title stands in the thread's name: %s", c.Name)
			}
			// A command that names it elsewhere is not answered in the open.
			if a := st.types(t, "ana", main, "/public words"); a.Ephemeral() {
				t.Error("an ordinary one is private")
			}
		})
	}
}
