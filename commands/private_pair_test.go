package commands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// TestPrivatePair: who is part of one private incident is not told, by whatever
// way, which other private one it is a duplicate of, is merged into, or got.
func TestPrivatePair(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"duplicate", "merge"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			ctx := context.Background()
			titles := map[string]string{"INC-1": "zebra keys", "INC-2": "okapi keys"}
			for _, id := range []string{"INC-1", "INC-2"} { // zoe is part of both, ana of the first, ben of the second
				r.must("zoe", "main", "/incident declare --anyway --private sev1 "+titles[id]+" --cert media")
			}
			r.must("zoe", "main", "/incident invite INC-1 ana")
			r.must("zoe", "main", "/incident invite INC-2 ben")
			r.must("zoe", "INC-1", "/incident note giraffe was seen")
			if verb == "merge" {
				r.must("zoe", "INC-1", "/incident temp add tapir switched off")
			}
			r.posts = nil
			answer := r.must("zoe", "INC-1", "/incident "+verb+" INC-1 INC-2")
			if answer.Public || answer.Incident != "" || !strings.Contains(answer.Headline, "INC-2") {
				t.Errorf("the answer to who may see both: %+v", answer)
			}
			if verb == "merge" { // again: nothing comes twice
				before, _ := r.book.Incident(ctx, "INC-2")
				r.must("zoe", "INC-1", "/incident merge INC-1 INC-2")
				if after, _ := r.book.Incident(ctx, "INC-2"); after.Entries != before.Entries {
					t.Errorf("%d lines, were %d", after.Entries, before.Entries)
				}
			}
			told := map[string]bool{}
			other := map[string]string{"INC-1": "INC-2", "INC-2": "INC-1"}
			for _, p := range r.posts {
				b, _ := json.Marshal(p)
				if id := other[p.Room]; p.For == "" && (id == "" || bytes.Contains(b, []byte(id)) || bytes.Contains(b, []byte(titles[id]))) {
					t.Errorf("said in %s: %s", p.Room, b)
				}
				told[p.Room] = true
			}
			if !told["INC-1"] || !told["INC-2"] {
				t.Errorf("told: %v", told)
			}
			for id, who := range map[string]string{"INC-1": "ana", "INC-2": "ben"} {
				var all []byte
				files := 0
				add := func(v any) { b, _ := json.Marshal(v); all = append(append(all, b...), '\n') }
				for _, line := range []string{"show", "timeline", "temp", "task", "postmortem", "postmortem json", "postmortem md", "export json", "export csv", "list all", "merge", "duplicate"} {
					word, rest, _ := strings.Cut(line, " ")
					reply := r.say(who, id, strings.TrimSpace("/incident "+word+" "+id+" "+rest))
					add(reply)
					for _, f := range reply.Files {
						all = append(append(all, f.Data...), '\n')
						files++
					}
				}
				i, err := r.book.Incident(ctx, id)
				add(i)
				es, err2 := r.book.History(ctx, id)
				add(es)
				if err != nil || err2 != nil || i.DuplicateOf != "" || (i.Status == incident.Duplicate) != (id == "INC-1") {
					t.Errorf("%+v %v %v", i, err, err2)
				}
				for l := range bytes.Lines(all) {
					if at := bytes.Index(l, []byte(other[id])); at >= 0 || bytes.Contains(l, []byte(titles[other[id]])) {
						t.Errorf("%s sees %s: %s", who, other[id], l[max(0, at-200):min(len(l), at+200)])
					}
				}
				if files < 2 {
					t.Errorf("%d files were looked at", files)
				}
				if verb == "merge" && id == "INC-2" && !bytes.Contains(all, []byte("From another private incident: giraffe")) {
					t.Error("what was said there did not come along")
				}
			}
			if p := r.say("zoe", "main", "/incident "+verb+" INC-2 INC-1"); p.Problem.Code != "wrong_state" || p.Public || p.Problem.Message != "INC-1 is itself a duplicate." {
				t.Errorf("the other way round: %+v", p)
			}
		})
	}
}
