package incident

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	w.add(time.Hour)
	past := utc(t, "2023-02-28", "01:52")
	e, added, cut, err := b.Append(ctx, id, Entry{ID: "E-99", Version: 7, Hash: "x", At: past, By: ben, Kind: Report, Text: "Images are gone.", Key: "msg-1", Link: "https://chat.example.com/1"})
	if err != nil || !added || cut {
		t.Fatalf("added %v, cut %v, %v", added, cut, err)
	}
	if e.ID != "E-2" || e.Version != 1 || !e.At.Equal(past) || !e.Recorded.Equal(w.now()) || e.Incident != id || len(e.Hash) != 64 {
		t.Errorf("stored %+v", e)
	}
	again, added, _, err := b.Append(ctx, id, Entry{By: ana, Text: "another text", Key: "msg-1"})
	if err != nil || added || !reflect.DeepEqual(again, e) {
		t.Errorf("same key: added %v, %v, %+v", added, err, again)
	}
	if i := must[Incident](t)(b.Incident(ctx, id)); i.Entries != 2 {
		t.Errorf("%d entries", i.Entries)
	} else if m, _ := i.Milestone(Detected); !m.At.Equal(past) || m.Source != "said" {
		t.Errorf("a report at 01:52 is the detection, not %+v", m)
	}
	tl := must[[]Entry](t)(b.Timeline(ctx, id))
	if tl[0].ID != "E-2" || tl[1].ID != "E-1" {
		t.Error("timeline is not in the order of happening")
	}
	h := must[[]Entry](t)(b.History(ctx, id))
	if h[0].ID != "E-1" || h[1].ID != "E-2" || h[1].Prev != h[0].Hash {
		t.Error("history is not in the order of writing, or not chained")
	}
	for name, bad := range map[string]struct {
		e    Entry
		want error
	}{
		"future": {Entry{At: w.now().Add(61 * time.Second), Text: "x"}, ErrFuture},
		"empty":  {Entry{Text: " \x00\n"}, ErrState},
		"1969":   {Entry{At: time.Unix(-1, 0), Text: "x"}, ErrState},
	} {
		if _, _, _, err := b.Append(ctx, id, bad.e); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := b.Append(ctx, id, Entry{At: w.now().Add(50 * time.Second), Text: "a clock that is a little ahead"}); err != nil {
		t.Error(err)
	}
	if _, _, _, err := b.Append(ctx, "INC-8", Entry{Text: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown incident: %v", err)
	}
}

func TestAppendCutsSecrets(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	pem := "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49\n-----END EC PRIVATE KEY-----"
	_, _, cut, err := b.Append(ctx, id, Entry{Text: "here: " + pem, Evidence: Evidence{Step: StepEvidence{Renewal: "R-1", Output: "password=hunter2"}}})
	if err != nil || !cut {
		t.Fatalf("cut %v, %v", cut, err)
	}
	must[Incident](t)(b.SetStatus(ctx, id, Identified, Change{By: ana, Text: "key " + pem}))
	must[Incident](t)(b.SetImpact(ctx, id, "people read "+pem, Change{By: ana}))
	for _, e := range must[[]Entry](t)(b.History(ctx, id)) {
		if strings.Contains(e.Text, "MHcC") || strings.Contains(e.Evidence.Step.Output, "hunter2") || strings.Contains(e.Evidence.Change.To, "MHcC") {
			t.Errorf("a secret is on the record: %+v", e)
		}
	}
	if i := must[Incident](t)(b.Incident(ctx, id)); i.Impact != "people read [cut: private key]" {
		t.Errorf("impact %q", i.Impact)
	}
}

func TestCorrect(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	b.Append(ctx, id, Entry{By: ben, Kind: Report, Text: "Images are gnoe."})
	w.add(time.Minute)
	at := utc(t, "2023-02-28", "01:49")
	e, err := b.Correct(ctx, id, "E-2", Correction{Text: "Images are gone."}, Change{By: ben, At: at})
	if err != nil || e.Version != 2 || e.ID != "E-2" || e.Kind != Report {
		t.Fatalf("%+v, %v", e, err)
	}
	tl := must[[]Entry](t)(b.Timeline(ctx, id))
	if len(tl) != 2 || tl[0].Text != "Images are gone." || !tl[0].At.Equal(at) {
		t.Errorf("timeline %+v", tl)
	}
	if m, _ := must[Incident](t)(b.Incident(ctx, id)).Milestone(Detected); !m.At.Equal(at) {
		t.Errorf("the report moved to %s, detected is %s", at, m.At)
	}
	must[Entry](t)(b.Correct(ctx, id, "E-2", Correction{Drop: true}, Change{By: ana}))
	if tl = must[[]Entry](t)(b.Timeline(ctx, id)); len(tl) != 1 {
		t.Errorf("dropped, but there: %+v", tl)
	}
	h := must[[]Entry](t)(b.History(ctx, id))
	if len(h) != 4 || h[1].Text != "Images are gnoe." || !h[3].Dropped {
		t.Errorf("history %+v", h)
	}
	if i := must[Incident](t)(b.Incident(ctx, id)); i.Entries != 2 {
		t.Errorf("%d entries, want 2: a version is no entry", i.Entries)
	}
	for _, bad := range []string{"E-3", "E-02", "x", ""} {
		if _, err := b.Correct(ctx, id, bad, Correction{Text: "x"}, Change{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("chain broken at %s", broken)
	}
}

// Many at once: nothing is lost, nothing doubled, the chain holds.
func TestAppendAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	id := declare(t, b).ID
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for k := range 10 {
				key := string(rune('a'+k)) + string(rune('0'+n/2)) // each key twice
				if _, _, _, err := b.Append(t.Context(), id, Entry{By: ana, Text: key, Key: key}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if tl := must[[]Entry](t)(b.Timeline(t.Context(), id)); len(tl) != 41 {
		t.Errorf("%d entries, want 41", len(tl))
	}
	if broken := must[string](t)(b.Verify(t.Context(), id)); broken != "" {
		t.Errorf("chain broken at %s", broken)
	}
}

// Who said a line stays who said it, whoever corrects it; a reason for
// dropping is kept with the dropped version alone.
func TestCorrectKeepsTheAuthor(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	if _, _, _, err := b.Append(ctx, id, Entry{By: ana, Text: "first"}); err != nil {
		t.Fatal(err)
	}
	must[Entry](t)(b.Correct(ctx, id, "E-2", Correction{Drop: true, Why: "wrong service"}, Change{By: ben}))
	if e := must[Entry](t)(b.Entry(ctx, id, "E-2")); !e.Dropped || e.Evidence.Change != (ChangeEvidence{What: "dropped", To: "wrong service"}) {
		t.Errorf("dropped: %+v", e)
	}
	w.add(time.Minute)
	must[Entry](t)(b.Correct(ctx, id, "E-2", Correction{Text: "second"}, Change{By: ben}))
	tl := must[[]Entry](t)(b.Timeline(ctx, id))
	e := tl[len(tl)-1]
	if e.Text != "second" || e.By != ana || e.CorrectedBy != ben || e.Evidence.filled() || e.Version != 3 {
		t.Errorf("brought back: %+v", e)
	}
	if _, err := b.Entry(ctx, id, "E-02"); !errors.Is(err, ErrNotFound) {
		t.Errorf("E-02: %v", err)
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("chain broken at %s", broken)
	}
}
