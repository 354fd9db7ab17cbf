package incident

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// search returns what is found, one line each: "INC-1 note E-2: the text".
func search(t *testing.T, b *Book, words string) (lines []string) {
	t.Helper()
	for _, h := range must[Found](t)(b.Search(t.Context(), Filter{Words: words}, 3, func(Incident) bool { return true })).Hits {
		for _, p := range h.Places {
			lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(h.Incident.ID, " ", p.What, " ", p.Entry.ID, ": ", p.Text)), " "))
		}
		if len(h.Places) == 0 {
			lines = append(lines, h.Incident.ID)
		}
	}
	return lines
}

// Everything that people say has its line, and is found by it.
func TestSearchEverything(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	c := Change{By: ben}
	must[Entry](t)(added(b.Append(ctx, id, Entry{By: ben, Text: "The walrus was in rack 4"})))
	must[Pinned](t)(b.Pin(ctx, id, Pin{Message: "slack/C1/1", At: w.now(), Author: Person{ID: "slack:U1", Name: "Cleo"}, By: ana, Text: "a pelican pinned", Link: "https://chat.example/1"}))
	_, _, err := b.AddTemp(ctx, id, "put the badger back", Change{By: ben, Text: "removed the AAAA record"})
	_, _, err2 := b.AddTask(ctx, id, Task{Text: "buy an otter", Owner: Person{ID: "web:dora", Name: "Dora Quist"}}, c)
	_, _, err3 := b.AddUpdate(ctx, id, Update{Text: "We look for the heron"}, false, c)
	must[Incident](t)(b.SetSection(ctx, id, "lucky", "the ferret slept", c))
	must[Incident](t)(b.SetImpact(ctx, id, "no stoats for 20 minutes", c))
	must[Incident](t)(b.SetRole(ctx, id, "scribe", Person{ID: "web:eli", Name: "Eli Unger"}, c))
	must[Incident](t)(b.Invite(ctx, id, Person{ID: "web:fay", Name: "Fay"}, c))
	must[Entry](t)(added(b.Append(ctx, id, Entry{Kind: Check, Text: "media fails", Evidence: Evidence{Check: CheckEvidence{Certificate: "media", Hosts: []HostCheck{{Host: "edge-7", Serial: "0badcafe"}}}}})))
	for _, err := range []error{err, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for words, want := range map[string]string{
		"WALRUS":              "INC-1 note E-2: The walrus was in rack 4",
		"pelican":             "INC-1 pin E-3: a pelican pinned",
		"cleo":                "INC-1 pin E-3: Cleo, ana",
		"badger":              "INC-1 temp E-4: Temporary change 1: removed the AAAA record To undo: put the badger back",
		"otter":               "INC-1 task E-5: Action item T-1 (prevent): buy an otter Owner: Dora Quist.",
		"quist":               "INC-1 owner of T-1 : Dora Quist",
		"heron":               "INC-1 update E-6: We look for the heron",
		"ferret":              "INC-1 note E-7: Postmortem, lucky: the ferret slept",
		"stoats":              "INC-1 impact : no stoats for 20 minutes",
		"unger":               "INC-1 scribe : Eli Unger",
		"fay":                 "INC-1 invited : Fay",
		"0badcafe":            "INC-1 check E-11: media, edge-7, 0badcafe",
		"walrus rack":         "INC-1 note E-2: The walrus was in rack 4",
		"alru":                "INC-1 note E-2: The walrus was in rack 4",
		"we look for the her": "INC-1 update E-6: We look for the heron",
	} {
		if got := search(t, b, words); len(got) == 0 || got[0] != want {
			t.Errorf("%s: %q, want %q first", words, got, want)
		}
	}
	// Words that stand in several lines are found together, with the best line first.
	if got := search(t, b, "walrus pelican rack"); len(got) != 2 || !strings.Contains(got[0], "E-2") || !strings.Contains(got[1], "E-3") {
		t.Errorf("words of two lines: %q", got)
	}
	if got := search(t, b, "walrus unicorn"); got != nil {
		t.Errorf("one word is nowhere: %q", got)
	}
	if _, err := b.Search(ctx, Filter{Words: strings.Repeat("a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 ", 2)}, 1, nil); err == nil {
		t.Error("34 words are taken")
	}
}

func added(e Entry, _, _ bool, err error) (Entry, error) { return e, err }

// What was corrected is found as it reads now, what was dropped not at all
// until it comes back; a secret that was cut never was there.
func TestSearchCurrent(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	e := must[Entry](t)(added(b.Append(ctx, id, Entry{By: ben, Text: "the walrus; password=hunter22 was it"})))
	if got := search(t, b, "hunter22"); got != nil {
		t.Errorf("the secret: %q", got)
	}
	if got := search(t, b, "walrus"); len(got) != 1 {
		t.Fatalf("as written: %q", got)
	}
	must[Entry](t)(b.Correct(ctx, id, e.ID, Correction{Text: "the pelican"}, Change{By: ana}))
	if got := search(t, b, "walrus"); got != nil {
		t.Errorf("as it was before: %q", got)
	}
	if got := search(t, b, "pelican ben"); len(got) != 1 { // and by who said it first
		t.Errorf("corrected: %q", got)
	}
	must[Entry](t)(b.Correct(ctx, id, e.ID, Correction{Drop: true}, Change{By: ana}))
	if got := search(t, b, "pelican"); got != nil {
		t.Errorf("dropped: %q", got)
	}
	must[Entry](t)(b.Correct(ctx, id, e.ID, Correction{Text: "the heron"}, Change{By: ana}))
	if got := search(t, b, "heron ben"); len(got) != 1 {
		t.Errorf("brought back: %q", got)
	}
}

// A private incident is found by those who see it, and not counted for others.
func TestSearchPrivate(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "keys", By: ana, Private: true}, false))
	must[Entry](t)(added(b.Append(t.Context(), i.ID, Entry{By: ana, Text: "the walrus"})))
	for see, want := range map[bool]int{true: 1, false: 0} {
		found := must[Found](t)(b.Search(t.Context(), Filter{Words: "walrus"}, 3, func(Incident) bool { return see }))
		if found.Total != want || len(found.Hits) != want || found.Unread != 0 {
			t.Errorf("seen %v: %+v", see, found)
		}
	}
}

// A forgotten name is found no more, nowhere; what stands for it is.
func TestSearchForgotten(t *testing.T) {
	t.Parallel()
	b, _, id := fullRecord(t)
	if len(search(t, b, "quilla")) == 0 {
		t.Fatal("the name is not found before")
	}
	e := must[Entry](t)(added(b.Append(t.Context(), id, Entry{By: Person{ID: "web:q", Name: "Quilla"}, Text: "somebody's first words"})))
	must[Entry](t)(b.Correct(t.Context(), id, e.ID, Correction{Text: "somebody's second words"}, Change{By: ana}))
	if got := search(t, b, "second words quilla"); len(got) == 0 || got[0] != "INC-1 note E-103: somebody's second words" {
		t.Fatalf("by who said it first: %q", got)
	}
	must[Forgotten](t)(b.Forget(t.Context(), forgetQuilla))
	if got := search(t, b, "quilla"); got != nil {
		t.Errorf("found still: %q", got)
	}
	if got := search(t, b, strings.ToLower(forgetQuilla.As)); len(got) == 0 {
		t.Error("what stands in the name's place is not found")
	}
	same(t, b)
}

// same checks that the words noted are those of the timelines, no more and no
// less, by noting them anew.
func same(t *testing.T, b *Book) {
	t.Helper()
	was := notedWords(t, b)
	age(t, b, 0)
	if _, err := b.NoteWords(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is := notedWords(t, b); !slices.Equal(was, is) {
		t.Errorf("noted anew they are\n%q\nthey were\n%q", is, was)
	}
}

// notedWords are all words noted: "1 E-2: the walrus".
func notedWords(t *testing.T, b *Book) (all []string) {
	t.Helper()
	err := b.s.View(t.Context(), func(tx store.Tx) error {
		return tx.Scan(store.Range{Prefix: keyWords}, func(key string, block []byte) error {
			num, err := incidentOfWords(key)
			if err != nil {
				return err
			}
			rest, err := items(block)
			for err == nil && len(rest) > 0 {
				var it item
				if it, rest, err = nextItem(rest); err == nil && len(it.words) > 0 {
					all = append(all, fmt.Sprintf("%d E-%d: %s", num, it.entry, it.words))
				}
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// age makes every record one of a program that knew no words; with words left
// that it keeps no longer.
func age(t *testing.T, b *Book, left int) {
	t.Helper()
	var keys []string
	records := map[string][]byte{}
	err := b.s.View(t.Context(), func(tx store.Tx) error {
		err := tx.Scan(store.Range{Prefix: keyWords}, func(key string, _ []byte) error { keys = append(keys, key); return nil })
		if err != nil {
			return err
		}
		return tx.Scan(store.Range{Prefix: keyRecord}, func(key string, v []byte) error {
			if at := bytes.Index(v, []byte(`"words":`)); at >= 0 {
				v = slices.Delete(v, at, at+bytes.IndexByte(v[at:], ',')+1)
			}
			records[key[len(keyRecord):]] = v
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys[min(left, len(keys)):] {
		if err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(k) }); err != nil {
			t.Fatal(err)
		}
	}
	for num, v := range records {
		err := b.s.Update(t.Context(), func(tx store.Tx) error {
			x, err := tx.Get(keyIndex + num)
			if err != nil {
				return err
			}
			if err := tx.Put(keyIndex+num, bytes.Replace(x, []byte(stateRead+"\n"), []byte("\n"), 1)); err != nil {
				return err
			}
			return tx.Put(keyRecord+num, v)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A record from before there were words is searched as far as it can be, says
// so, gets its words, also when that is cut short again and again, while lines
// are written and corrected, and is then as one that always had them.
func TestNoteWordsOfOld(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	r := rand.New(rand.NewPCG(7, 7))
	for k := range 30 {
		i := must[Incident](t)(b.Declare(ctx, Declaration{Title: fmt.Sprint("outage ", k), By: ana}, true))
		fillFast(t, b, i.ID, []int{3, 40, 900}[k%3])
	}
	e := must[Entry](t)(added(b.Append(ctx, "INC-3", Entry{By: ben, Text: "the walrus"})))
	age(t, b, 5)
	found := must[Found](t)(b.Search(ctx, Filter{Words: "walrus"}, 3, nil))
	if found.Total != 0 || found.Unread != 30 {
		t.Errorf("of an old record %d found, %d unread", found.Total, found.Unread)
	}
	for step := 0; ; step++ {
		if step > 5000 {
			t.Fatal("it never ends")
		}
		cut, cancel := context.WithCancel(ctx)
		s := &cutShort{Store: b.s, left: 1 + r.IntN(3), cut: cancel}
		n, err := NewBook(s, w.now).NoteWords(cut)
		cancel()
		if step == 3 {
			must[Entry](t)(b.Correct(ctx, "INC-3", e.ID, Correction{Text: "the pelican"}, Change{By: ana}))
			must[Entry](t)(added(b.Append(ctx, "INC-4", Entry{By: ben, Text: "late words"})))
		}
		if err == nil && n == 0 {
			break
		}
	}
	if got := search(t, b, "walrus"); got != nil {
		t.Errorf("as it was before it was corrected: %q", got)
	}
	for _, words := range []string{"pelican", "late words"} {
		if got := search(t, b, words); len(got) != 1 {
			t.Errorf("%s: %q", words, got)
		}
	}
	must[Entry](t)(added(b.Append(ctx, "INC-3", Entry{By: ben, Text: "a heron at last"})))
	if got := search(t, b, "heron"); len(got) != 1 {
		t.Errorf("a line written afterwards: %q", got)
	}
	same(t, b)
}

// cutShort is a store that is taken away after some transactions.
type cutShort struct {
	store.Store
	left int
	cut  func()
}

func (c *cutShort) Update(ctx context.Context, fn func(store.Tx) error) error {
	if c.left--; c.left < 0 {
		c.cut()
	}
	return c.Store.Update(ctx, fn)
}

// A record that cannot be read keeps no other from getting its words.
func TestNoteWordsOfDamaged(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	for range 5 {
		i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana}, true))
		must[Entry](t)(added(b.Append(t.Context(), i.ID, Entry{By: ben, Text: "the walrus"})))
	}
	age(t, b, 0)
	for _, num := range []int{1, 3} { // the oldest too, which is the last that is come to
		err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.Put(lineKey(num, 2), []byte("nonsense")) })
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if n, err := b.NoteWords(ctx); n != 3 || err == nil || strings.Count(err.Error(), "words of INC-3:") != 1 || strings.Count(err.Error(), "words of INC-1:") != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if found := must[Found](t)(b.Search(t.Context(), Filter{Words: "walrus"}, 1, nil)); found.Total != 3 || found.Unread != 2 {
		t.Errorf("%d found, %d unread", found.Total, found.Unread)
	}
}

// What was removed by rule is found no more, and leaves no words behind.
func TestSearchRetired(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana}, true))
	fillFast(t, b, i.ID, 200)
	must[Incident](t)(b.Cancel(t.Context(), i.ID, Change{By: ana, Reason: "nothing"}))
	w.add(400 * 24 * time.Hour)
	if gone := must[[]string](t)(b.Retire(t.Context(), w.now().Add(-time.Hour))); len(gone) != 1 {
		t.Fatalf("removed: %v", gone)
	}
	if got := notedWords(t, b); got != nil {
		t.Errorf("left behind: %q", got)
	}
}

// A line costs the writing of its block, so none grows beyond its size and one
// line more.
func TestBlocksStaySmall(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana}, true))
	fillFast(t, b, i.ID, 300)
	blocks := 0
	err := b.s.View(t.Context(), func(tx store.Tx) error {
		return tx.Scan(store.Range{Prefix: keyWords}, func(key string, block []byte) error {
			if blocks++; len(block) > blockFull+100 {
				t.Errorf("%s has %d bytes", key, len(block))
			}
			return nil
		})
	})
	if err != nil || blocks < 5 {
		t.Errorf("%d blocks, %v", blocks, err)
	}
}

// A search that finds nothing in the sieve misses nothing: random words of
// random lines, also short ones, and such as stand in the numbers between.
func TestSearchMissesNothing(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := NewBook(s, time.Now)
	r := rand.New(rand.NewPCG(3, 9))
	const letters = "aabcdeeäßй漢 019-.\n" // few, so that parts of words are found often
	var texts []string
	i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana}, true))
	for range 150 {
		var text []rune
		for range 1 + r.IntN(60) {
			text = append(text, []rune(letters)[r.IntN(len([]rune(letters)))])
		}
		e, _, _, err := b.Append(t.Context(), i.ID, Entry{By: Person{ID: "x", Name: "z"}, Text: "x" + string(text)})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.ToLower(e.Text))
	}
	for range 1500 {
		from := []rune(texts[r.IntN(len(texts))])
		at := r.IntN(len(from))
		word := string(from[at:min(len(from), at+1+r.IntN(5))])
		if r.IntN(4) == 0 {
			word += string([]rune(letters)[r.IntN(8)])
		}
		want := len(strings.Fields(word)) > 0 && !slices.ContainsFunc(strings.Fields(word), func(w string) bool {
			return !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, w) }) && !strings.Contains("inc-1\nx\nana\nana declared sev2: x\n", w)
		})
		found := must[Found](t)(b.Search(t.Context(), Filter{Words: "ana " + word}, 1, nil))
		if len(strings.Fields(word)) > 0 && (found.Total == 1) != want {
			t.Fatalf("%q: found %v, want %v", word, found.Total == 1, want)
		}
	}
}
