package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

func TestReplaceWord(t *testing.T) {
	t.Parallel()
	f := Forgetting{Names: []string{"ana", "Ana Smith", "zoë"}, As: "somebody"}
	for in, want := range map[string]string{
		"ana":                              "somebody",
		"Ana, ANA and @ana: banana, anas":  "somebody, somebody and @somebody: banana, anas",
		"ana_1 ana-1 ana.":                 "ana_1 somebody-1 somebody.",
		"Ana Smith called":                 "somebody Smith called",
		"über ana über":                    "über somebody über",
		"éana anaé":                        "éana anaé",
		"ZOË was there, zoëlle too":        "somebody was there, zoëlle too",
		"\xffana\xff":                      "\xffsomebody\xff",
		"":                                 "",
		"commander: ana.":                  "commander: somebody.",
		strings.Repeat("ana ", 3) + "anna": strings.Repeat("somebody ", 3) + "anna",
	} {
		if got := f.Words(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// raw is the whole record as bytes.
func raw(t *testing.T, s store.Store) []byte {
	t.Helper()
	var all bytes.Buffer
	err := s.View(t.Context(), func(tx store.Tx) error {
		return tx.Scan(store.Range{}, func(key string, v []byte) error {
			all.WriteString(key + "\n")
			all.Write(v)
			all.WriteByte('\n')
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// quilla is somebody whose name is nowhere by chance.
var quilla = Person{ID: "web:quilla", Name: "quilla", Platform: "web"}

// fullRecord has quilla everywhere that a person can be.
func fullRecord(t *testing.T) (*Book, *watch, string) {
	t.Helper()
	b, w := testBook(t)
	ctx := t.Context()
	i := must[Incident](t)(b.Declare(ctx, Declaration{Title: "quilla sees no images", Certificates: []string{"media"}, By: quilla, Start: w.now().Add(-time.Hour)}, false))
	id := i.ID
	c := Change{By: quilla}
	must[Incident](t)(b.SetCommander(ctx, id, quilla, c))
	must[Incident](t)(b.SetCommander(ctx, id, ben, c))
	must[Incident](t)(b.SetRole(ctx, id, "scribe", quilla, Change{By: ben}))
	must[Incident](t)(b.Invite(ctx, id, Person{ID: "slack:U0Q", Name: "Quilla", Platform: "slack"}, Change{By: ben}))
	must[Incident](t)(b.SetImpact(ctx, id, "Quilla could not work", c))
	must[Incident](t)(b.SetSection(ctx, id, "lessons", "ask quilla first", c))
	for n := range 90 { // more than one transaction rewrites
		if _, _, _, err := b.Append(ctx, id, Entry{By: quilla, Text: fmt.Sprint("note ", n, " of quilla")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := b.Append(ctx, id, Entry{By: ben, Kind: Approval, Text: "asked", Evidence: Evidence{Approval: ApprovalEvidence{Renewal: "R-1", AskedBy: "quilla", By: "ben", Reason: "quilla said so"}}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.AddTemp(ctx, id, "ask quilla", Change{By: quilla, Text: "moved by quilla"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.AddTask(ctx, id, Task{Text: "quilla looks", Owner: quilla}, c); err != nil {
		t.Fatal(err)
	}
	must[Pinned](t)(b.Pin(ctx, id, Pin{Message: "slack/C/1", Author: quilla, Text: "hello from quilla", By: quilla}))
	must[Incident](t)(b.Declare(ctx, Declaration{Title: "of others", By: ben}, true))
	w.add(time.Minute)
	return b, w, id
}

var forgetQuilla = Forgetting{Names: []string{"quilla"}, IDs: []string{"web:quilla", "slack:U0Q"}, As: "somebody"}

func TestForget(t *testing.T) {
	t.Parallel()
	b, _, id := fullRecord(t)
	ctx := t.Context()
	before := must[[]Entry](t)(b.History(ctx, id))
	other := must[[]Entry](t)(b.History(ctx, "INC-2"))
	out, err := b.Forget(ctx, forgetQuilla)
	if err != nil || out.Incidents != 1 || out.Lines < 95 {
		t.Fatalf("%+v, %v", out, err)
	}
	if at := bytes.Index(bytes.ToLower(raw(t, b.s)), []byte("quilla")); at >= 0 {
		t.Errorf("the name is there still: %s", raw(t, b.s)[max(0, at-200):at+40])
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("broken at %s", broken)
	}
	after := must[[]Entry](t)(b.History(ctx, id))
	for n, e := range before { // the chain, the times and what was measured are as they were
		if a := after[n]; a.Hash != e.Hash || a.Prev != e.Prev || !a.At.Equal(e.At) || a.Kind != e.Kind || a.Key != e.Key || a.Text != forgetQuilla.Words(e.Text) {
			t.Fatalf("line %d: %+v\nwas %+v", n+1, a, e)
		}
	}
	if kinds := len(after) - len(before); kinds != (len(before)+forgetBatch-1)/forgetBatch || after[len(after)-1].Kind != ForgottenKind {
		t.Errorf("%d lines say so", kinds)
	}
	if again := must[[]Entry](t)(b.History(ctx, "INC-2")); len(again) != len(other) {
		t.Error("an incident without the name was touched")
	}
	if found := must[[]Incident](t)(b.List(ctx, Filter{Words: "quilla"})); len(found) != 0 {
		t.Error("the search finds the name")
	}
	if out, err := b.Forget(ctx, forgetQuilla); err != nil || out.Lines != 0 || out.Incidents != 0 {
		t.Errorf("again: %+v, %v", out, err)
	}
	// Somebody else later, in lines that were rewritten already.
	if _, err := b.Forget(ctx, Forgetting{Names: []string{"ben"}, IDs: []string{"web:ben"}, As: "another"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{id, "INC-2"} {
		if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
			t.Errorf("%s broken at %s", id, broken)
		}
	}
	if _, err := b.Forget(ctx, Forgetting{Names: []string{"ana"}, As: "Ana"}); err == nil {
		t.Error("a name was replaced by itself")
	}
}

// A kill between two transactions: the rest is done the next time.
func TestForgetResumes(t *testing.T) {
	t.Parallel()
	b, _, id := fullRecord(t)
	ctx := t.Context()
	w := &forgetter{Forgetting: forgetQuilla}
	lines, _, err := b.toForget(ctx, 1, w)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.forgetLines(ctx, 1, lines[:forgetBatch], w); err != nil {
		t.Fatal(err)
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("in the middle: broken at %s", broken)
	}
	if out, err := b.Forget(ctx, forgetQuilla); err != nil || out.Lines != len(lines)-forgetBatch {
		t.Errorf("%+v, %v", out, err)
	}
	if bytes.Contains(bytes.ToLower(raw(t, b.s)), []byte("quilla")) {
		t.Error("the name is there still")
	}
}

// Whatever is changed after forgetting shows, in a rewritten line too.
func TestForgetIsHonest(t *testing.T) {
	t.Parallel()
	b, _, id := fullRecord(t)
	ctx := t.Context()
	if _, err := b.Forget(ctx, forgetQuilla); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	n := must[Incident](t)(b.Incident(ctx, id)).Entries
	change := map[string]func(l *diskLine){
		"text":     func(l *diskLine) { l.Text += "!" },
		"who":      func(l *diskLine) { l.By.Name += "!" },
		"id":       func(l *diskLine) { l.By.ID += "!" },
		"evidence": func(l *diskLine) { l.Evidence = json.RawMessage(`{"change":{"what":"impact","from":"","to":"x"}}`) },
		"salt":     func(l *diskLine) { l.Salts.Text = "00" },
		"salt gone": func(l *diskLine) {
			l.Digests.Text = digest(l.Salts.Text, l.Digests.Text, []byte(l.Text))
			l.Salts.Text = ""
			l.Text = "I was never here"
		},
		"digest":      func(l *diskLine) { l.Digests.By = sum("x") },
		"time":        func(l *diskLine) { l.At = l.At.Add(time.Second) },
		"dropped":     func(l *diskLine) { l.Dropped = !l.Dropped },
		"other words": func(l *diskLine) { l.Text = "nothing happened" },
	}
	for name, fn := range change {
		for range 4 {
			at := 1 + r.IntN(n)
			key := lineKey(1, at)
			was := rewrite(t, ctx, b.s, key, fn)
			if was == nil {
				continue // the change changed nothing
			}
			if broken := must[string](t)(b.Verify(ctx, id)); broken == "" {
				t.Errorf("%s of line %d was changed and nothing shows", name, at)
			}
			if err := b.s.Update(ctx, func(tx store.Tx) error { return tx.Put(key, was) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("put back: broken at %s", broken)
	}
}

// rewrite changes a line behind the book's back and returns what stood there,
// nil when nothing changed.
func rewrite(t *testing.T, ctx context.Context, s store.Store, key string, fn func(*diskLine)) (was []byte) {
	t.Helper()
	err := s.Update(ctx, func(tx store.Tx) error {
		v, err := tx.Get(key)
		if err != nil {
			return err
		}
		var l diskLine
		if err := json.Unmarshal(v, &l); err != nil {
			return err
		}
		fn(&l)
		again, err := json.Marshal(l)
		if err != nil || bytes.Equal(v, again) {
			return err
		}
		was = v
		return tx.Put(key, again)
	})
	if err != nil {
		t.Fatal(err)
	}
	return was
}

// TestForgetWhoWroteAnUpdate: who wrote an update that somebody else approved
// is not left in the evidence of the approval.
func TestForgetWhoWroteAnUpdate(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	walrus := Person{ID: "web:walrus", Name: "walrus", Platform: "web"}
	i := must[Incident](t)(b.Declare(ctx, Declaration{Title: "images down", By: ana}, true))
	_, u, err := b.AddUpdate(ctx, i.ID, Update{Text: "we look", Deliveries: []Delivery{{Target: "board"}}}, true, Change{By: walrus})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.DecideUpdate(ctx, i.ID, u.ID, true, Change{By: ben}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Forget(ctx, Forgetting{Names: []string{"walrus"}, IDs: []string{"web:walrus"}, As: "somebody"}); err != nil {
		t.Fatal(err)
	}
	if all := raw(t, b.s); bytes.Contains(all, []byte("walrus")) {
		t.Errorf("it is there still:\n%s", all)
	}
	if broken, err := b.Verify(ctx, i.ID); err != nil || broken != "" {
		t.Errorf("the chain breaks at %q %v", broken, err)
	}
}
