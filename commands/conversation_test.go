package commands_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestConversations plays testdata/*.txtar: the file "said" holds what is
// typed, "heard" everything that comes back. Lines of "said" are
//
//	ana@main /certcheck      somebody types in a room
//	pass 5m                  time passes
//	break media/http-01 why  a challenge's path breaks; mend media/http-01
//	refuse 127.0.0.14:8443   an address stops answering; answer 127.0.0.14:8443
//	failhost esme            deploying there fails
//	hold                     renewals stay before the rollout
//	tick                     reminders that are due are said
//	check media              the engine looks and emits what it saw
//	rehearse media           the same for the rehearsal
//	updates approve          targets and trackers are configured (update_test.go), and a policy
//	press ana@main Send      somebody presses a button of the last answer
//	deliver                  what is to be delivered outside is, or is not: deliver failed 550 no
//	exports                  what is to be done in trackers is
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var said, want []byte
			for _, f := range a.Files {
				switch f.Name {
				case "said":
					said = f.Data
				case "heard":
					want = f.Data
				}
			}
			got := play(t, newRoom(t), string(said))
			if *update {
				a.Files = []txtar.File{{Name: "said", Data: said}, {Name: "heard", Data: got}}
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("-want +got (go test ./commands -update writes it anew):\n%s", d)
			}
		})
	}
}

func play(t *testing.T, r *room, said string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, line := range strings.Split(said, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r.posts = nil
		fmt.Fprintf(&out, "> %s\n", line)
		word, rest, _ := strings.Cut(line, " ")
		name, value, _ := strings.Cut(rest, " ")
		switch word {
		case "pass":
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			r.clock.add(d)
		case "break":
			r.engine.broken[name] = value
		case "mend":
			delete(r.engine.broken, name)
		case "refuse":
			r.engine.refused[name] = true
		case "answer":
			delete(r.engine.refused, name)
		case "failhost":
			r.engine.failHost = name
		case "hold":
			r.engine.hold = true
		case "tick":
			if err := r.desk.Tick(t.Context(), r.clock.now(), r.post); err != nil {
				t.Fatal(err)
			}
		case "check":
			r.engine.checked(name)
		case "rehearse":
			r.rehearsed(name)
		case "updates":
			r.configure(rest)
		case "press":
			who, where, _ := strings.Cut(name, "@")
			out.WriteString(draw(r.push(who, where, value)))
		case "deliver":
			out.WriteString(r.deliver(rest))
		case "exports":
			out.WriteString(r.exports(rest))
		default:
			who, where, ok := strings.Cut(word, "@")
			if !ok {
				t.Fatalf("what is %q?", line)
			}
			out.WriteString(draw(r.say(who, where, rest)))
		}
		last := map[string]int{} // of an edited message only the last edit is shown
		for i, p := range r.posts {
			if p.Reply.Key != "" {
				last[p.Room+p.Reply.Key] = i
			}
		}
		for i, p := range r.posts {
			if n, ok := last[p.Room+p.Reply.Key]; p.Reply.Key == "" || ok && n == i {
				room := p.Room
				if p.For != "" {
					room += ", for " + p.For + " alone"
				}
				fmt.Fprintf(&out, "# %s\n%s", room, draw(p.Reply))
			}
		}
	}
	return counts.ReplaceAll(out.Bytes(), []byte("N $1"))
}

// counts of a draft are the postmortem's affair.
var counts = regexp.MustCompile(`(?:[0-9]+ of )?[0-9]+ (gaps?|that nobody typed)`)
