package main

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

// soakKills is how many times TestKilledBetweenCommands kills the server; the
// environment's CERTMEDIC_SOAK says it for a long run.
var soakKills = flag.Int("soak-kills", 10, "how many times TestKilledBetweenCommands kills the server")

// soak is one person who says random lines, and what must come of them.
type soak struct {
	*killer
	r      *rand.Rand
	next   int
	once   map[string]bool // texts that must stand on the timeline once (true: acknowledged)
	gone   map[string]bool // texts that were dropped or corrected, acknowledged
	maybe  map[string]bool // of which that was asked and not acknowledged
	lines  map[string]string
	sev    []string // that it may be: the last acknowledged, and what was asked since
	tasks  []string // ids of action items
	export map[string]bool
	temps  int
	undone map[int]bool
}

// TestKilledBetweenCommands kills the real server with signal 9 between any two
// commands, and in the middle of them, while reminders are due, updates leave
// and action items are exported: what was acknowledged is on the record, once;
// each reminder was said once in each room; each update and each item is
// outside once.
func TestKilledBetweenCommands(t *testing.T) {
	n := *soakKills
	if s, err := strconv.Atoi(os.Getenv("CERTMEDIC_SOAK")); err == nil {
		n = s
	}
	if testing.Short() {
		n = min(n, 4)
	}
	w := newWorld(t, "")
	cfg, err := loadConfig(w.file)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := &soak{killer: &killer{t: t, e: &loopEstate{cfg: cfg, file: w.file}, acked: map[string]bool{}}, r: rand.New(rand.NewPCG(seed, 1)),
		once: map[string]bool{}, gone: map[string]bool{}, maybe: map[string]bool{}, lines: map[string]string{}, export: map[string]bool{}, undone: map[int]bool{}, sev: []string{"SEV3"}}
	s.declare()
	for k := range n {
		s.overdue(3)
		s.round(k%2 == 1)
		if t.Failed() {
			return
		}
	}
	p := startProgram(t, cfg, programOptions{Name: "test", Log: slog.New(slog.DiscardHandler), Watch: true})
	us, ts := w.settled(p)
	w.once(us, ts)
	s.record(p, us, ts)
	reminders := s.reminded(p, 3*n)
	t.Logf("%d kills, %d lines said, %d updates, %d action items, %d reminders", n, s.next, len(us), len(ts), reminders)
	if s.next < 2*n || len(us) == 0 || len(ts) == 0 {
		t.Errorf("nothing was put to the test: %d lines, %d updates, %d action items", s.next, len(us), len(ts))
	}
}

// overdue declares incidents of two hours ago that nobody leads, while no
// server runs: each has two reminders due at once.
func (s *soak) overdue(n int) {
	s.t.Helper()
	if _, err := renew.MasterKey(masterKeyPath(s.e.cfg.Data), false); err != nil {
		s.t.Fatal(err)
	}
	st, err := store.Open(s.t.Context(), s.e.cfg.Data, store.Options{Program: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	book := incident.NewBook(st, func() time.Time { return time.Now().Add(-2 * time.Hour) })
	for range n {
		if _, err := book.Declare(s.t.Context(), incident.Declaration{Title: "nobody leads", Severity: 3, By: incident.Person{ID: "web:ben", Name: "ben", Platform: "web"}}, true); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// round has some lines said and kills the server: right after an answer, or
// somewhere in the next line; when early, while it says the reminders that were
// due when it started.
func (s *soak) round(early bool) {
	c, address, log := s.start()
	killed := false
	kill := func() {
		if !killed {
			killed = true
			if err := c.Process.Kill(); err != nil {
				s.t.Errorf("kill: %v\n%s", err, log)
			}
		}
	}
	switch {
	case early:
		time.Sleep(time.Duration(s.r.IntN(30_000)) * time.Microsecond)
		kill()
	default:
		for range 4 + s.r.IntN(5) {
			s.line(address, nil)
		}
	}
	if !early && s.r.IntN(2) == 0 {
		s.line(address, func() {
			time.Sleep(time.Duration(s.r.IntN(8000)) * time.Microsecond)
			kill()
		})
	}
	kill()
	_ = c.Wait()
	if strings.Contains(log.String(), "panic") {
		s.t.Errorf("the server panicked:\n%s", log)
	}
}

// line says a random line; meanwhile, when it is not nil, is done at the same
// time. What must come of the line is noted: for sure once it is acknowledged.
func (s *soak) line(address string, meanwhile func()) {
	s.next++
	text := fmt.Sprintf("soak-%06d", s.next)
	line, done := s.pick(text)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if meanwhile != nil {
			meanwhile()
		}
	}()
	r, err := s.say(s.t.Context(), address, line, false)
	<-ended
	ok := err == nil && r.Problem.IsZero()
	if err != nil && meanwhile == nil {
		s.t.Errorf("%s: %v", line, err)
	}
	if err == nil && !ok && meanwhile == nil {
		s.t.Errorf("%s: %+v", line, r.Problem)
	}
	done(ok, r)
}

var (
	entryIn = regexp.MustCompile(`\bE-\d+\b`)
	taskIn  = regexp.MustCompile(`\bT-\d+\b`)
)

// pick chooses a line, and what is to be noted of it.
func (s *soak) pick(text string) (line string, done func(ok bool, r commands.Reply)) {
	add := func(ok bool) { s.once[text] = ok }
	switch k := s.r.IntN(10); {
	case k == 0 && len(s.lines) > 0: // correct or drop an earlier note
		for id, old := range s.lines {
			delete(s.lines, id)
			done := func(ok bool, _ commands.Reply) {
				delete(s.once, old)
				if s.maybe[old] = true; ok {
					s.gone[old] = true
				}
			}
			if s.r.IntN(2) == 0 {
				return "/incident drop INC-1 " + id + " wrong", done
			}
			return "/incident edit INC-1 " + id + " " + text, func(ok bool, r commands.Reply) { done(ok, r); add(ok) }
		}
	case k == 1:
		sev := "SEV" + strconv.Itoa(1+s.r.IntN(4))
		return "/incident sev INC-1 " + sev[3:], func(ok bool, _ commands.Reply) {
			if ok {
				s.sev = nil
			}
			s.sev = append(s.sev, sev)
		}
	case k == 2:
		return "/incident update INC-1 " + text, func(ok bool, _ commands.Reply) { add(ok) }
	case k == 3 || k == 4:
		return "/incident task INC-1 add " + text, func(ok bool, r commands.Reply) {
			if add(ok); ok {
				s.tasks = append(s.tasks, taskIn.FindString(r.Headline))
			}
		}
	case k == 5 && len(s.tasks) > 0:
		id := s.tasks[len(s.tasks)-1]
		s.tasks = s.tasks[:len(s.tasks)-1]
		return "/incident task export " + id + " --to " + []string{"github", "jira"}[s.r.IntN(2)], func(ok bool, _ commands.Reply) { s.export[id] = ok }
	case k == 6:
		return "/incident temp INC-1 add " + text, func(ok bool, _ commands.Reply) {
			if add(ok); ok {
				s.temps++
			}
		}
	case k == 7 && s.temps > len(s.undone):
		n := len(s.undone) + 1
		return "/incident temp INC-1 undo " + strconv.Itoa(n), func(ok bool, _ commands.Reply) { s.undone[n] = ok }
	}
	return "/incident note INC-1 " + text, func(ok bool, r commands.Reply) {
		if add(ok); ok {
			s.lines[entryIn.FindString(r.Headline)] = text
		}
	}
}

var soakText = regexp.MustCompile(`soak-\d{6}`)

// record looks at what is on the record.
func (s *soak) record(p *program, us []incident.Update, ts []incident.Task) {
	ctx := s.t.Context()
	i, err := p.book.Incident(ctx, "INC-1")
	if err != nil {
		s.t.Fatal(err)
	}
	tl, err := p.book.Timeline(ctx, "INC-1")
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range tl {
		if e.Kind != incident.CommsKind && e.Evidence.Change.What != "temp undone" && e.Evidence.Change.What != "export" && e.Evidence.Change.What != "exported" {
			for _, text := range soakText.FindAllString(e.Text, -1) {
				found[text]++
			}
		}
	}
	for text, acked := range s.once {
		if n := found[text]; n > 1 || acked && n != 1 {
			s.t.Errorf("%s stands %d times on the timeline (acknowledged: %v)", text, n, acked)
		}
	}
	for text, n := range found {
		if _, said := s.once[text]; s.gone[text] || !said && !s.maybe[text] || n > 1 {
			s.t.Errorf("%s stands there %d times (dropped: %v)", text, n, s.gone[text])
		}
		hits, err := p.book.Search(ctx, incident.Filter{Words: text}, 1, nil)
		if err != nil || hits.Total != 1 {
			s.t.Errorf("%s is found in %d incidents: %v", text, hits.Total, err)
		}
	}
	for text := range s.gone {
		if hits, err := p.book.Search(ctx, incident.Filter{Words: text}, 1, nil); err != nil || hits.Total != 0 {
			s.t.Errorf("%s was dropped and is found: %v", text, err)
		}
	}
	if got := fmt.Sprintf("SEV%d", i.Severity); !strings.Contains(strings.Join(s.sev, " "), got) {
		s.t.Errorf("it is %s, last said: %v", got, s.sev)
	}
	for n, acked := range s.undone {
		if acked && i.Temps[n-1].Open() {
			s.t.Errorf("temporary change %d is not undone", n)
		}
	}
	for _, x := range ts {
		if s.export[x.ID] && x.Export.State != incident.ExportDone {
			s.t.Errorf("an acknowledged export is lost: %+v", x)
		}
	}
	if broken, err := p.book.Verify(ctx, "INC-1"); err != nil || broken != "" {
		s.t.Errorf("the chain breaks at %q: %v", broken, err)
	}
}

// reminded looks that each reminder was said once in each of its rooms, and
// returns how many there were.
func (s *soak) reminded(p *program, overdue int) (reminders int) {
	said := map[string]int{} // by room and key
	rooms := []string{"main"}
	for n := range overdue {
		rooms = append(rooms, fmt.Sprintf("INC-%d", n+2))
	}
	want := 3 * overdue // no commander: in main and in its room; no update: in its room
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		clear(said)
		for _, room := range rooms {
			ms, err := p.rooms.Messages(s.t.Context(), room, "web:ana", 0)
			if err != nil {
				s.t.Fatal(err)
			}
			if room == "main" && len(ms) >= 500 { // the earlier ones are not at hand
				want = 2 * overdue
				continue
			}
			for _, m := range ms {
				if strings.HasPrefix(m.Reply.Key, "remind/") {
					said[room+" "+m.Reply.Key]++
				}
			}
		}
		if len(said) == want || time.Now().After(end) { // the last look may still be under way
			break
		}
	}
	for at, n := range said {
		if n != 1 {
			s.t.Errorf("%s was said %d times", at, n)
		}
	}
	if len(said) != want {
		s.t.Errorf("%d reminders were said, want %d", len(said), want)
	}
	return len(said)
}
