package incident

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func to(names ...string) (ds []Delivery) {
	for _, n := range names {
		ds = append(ds, Delivery{Target: n})
	}
	return ds
}

// An update is recorded once, is under way until its last delivery is settled,
// and each result stands on the record once.
func TestUpdates(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	c := Change{By: ana, Key: "k1"}
	_, u, err := b.AddUpdate(ctx, id, Update{Text: "Images do not load.\npassword=hunter2", Deliveries: to("board", "page", "board")}, false, c)
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != "U-1" || u.State != UpdateOut || len(u.Deliveries) != 2 || u.Deliveries[0].State != DeliveryPending || strings.Contains(u.Text, "hunter2") || !strings.Contains(u.Text, "\n") || u.Title != "images down" || u.Status != Investigating {
		t.Errorf("made: %+v", u)
	}
	_, again, err := b.AddUpdate(ctx, id, Update{Text: "x"}, false, c)
	if err != nil || again.ID != "U-1" || again.Text != u.Text {
		t.Errorf("the same key again: %+v %v", again, err)
	}
	way := func() (ids []string) {
		is, err := b.UnderWay(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range is {
			ids = append(ids, i.ID)
		}
		return ids
	}
	if !slices.Equal(way(), []string{id}) {
		t.Errorf("under way: %v", way())
	}
	w.add(time.Minute)
	for range 2 {
		if _, u, err = b.SettleDelivery(ctx, id, "U-1", Delivery{Target: "page", State: DeliveryDone, Text: "shown", Ref: "abc", Open: true}, Change{Key: "s1"}); err != nil {
			t.Fatal(err)
		}
	}
	_, u, err = b.SettleDelivery(ctx, id, "U-1", Delivery{Target: "page", State: DeliveryFailed, Text: "later"}, Change{})
	if err != nil || u.Deliveries[1].State != DeliveryDone || u.Deliveries[1].Ref != "abc" {
		t.Errorf("settled a second time: %+v %v", u.Deliveries, err)
	}
	i, u, err := b.SettleDelivery(ctx, id, "U-1", Delivery{Target: "board", State: DeliveryFailed, Text: "550 no such user"}, Change{})
	if err != nil || !slices.Equal(i.Shown, []string{"page"}) || u.Deliveries[0].Text != "550 no such user" {
		t.Errorf("failed: %+v %+v %v", i.Shown, u.Deliveries, err)
	}
	if !slices.Equal(way(), []string{id}) {
		t.Errorf("the page still shows it: %v", way())
	}
	if _, u, err = b.RetryUpdate(ctx, id, "u-1", Change{By: ben}); err != nil || u.Deliveries[0].State != DeliveryPending || u.Deliveries[0].Try != 1 || u.Deliveries[1].State != DeliveryDone {
		t.Errorf("retry: %+v %v", u.Deliveries, err)
	}
	if _, _, err = b.RetryUpdate(ctx, id, "U-1", Change{By: ben}); !errors.Is(err, ErrState) {
		t.Errorf("retry of nothing: %v", err)
	}
	_, _, _ = b.SettleDelivery(ctx, id, "U-1", Delivery{Target: "board", State: DeliveryDone}, Change{})
	_, u, _ = b.AddUpdate(ctx, id, Update{Text: "over", Deliveries: to("page")}, false, Change{By: ana})
	i, _, err = b.SettleDelivery(ctx, id, u.ID, Delivery{Target: "page", State: DeliveryDone, Open: false}, Change{})
	if err != nil || len(i.Shown) > 0 || len(way()) > 0 {
		t.Errorf("nothing is under way any more: %v %v %v", i.Shown, way(), err)
	}
	var comms, updates int
	es := must[[]Entry](t)(b.Timeline(ctx, id))
	for _, e := range es {
		switch e.Kind {
		case CommsKind:
			comms++
		case UpdateKind:
			updates++
		}
	}
	if updates != 2 || comms != 5 {
		t.Errorf("%d updates, %d results on the timeline", updates, comms)
	}
	if broken, err := b.Verify(ctx, id); broken != "" || err != nil {
		t.Errorf("chain: %q %v", broken, err)
	}
}

// An update that waits goes nowhere; whoever decides it does so once.
func TestUpdateApproval(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	i, u, err := b.AddUpdate(ctx, id, Update{Text: "soon", Title: "Fault", Deliveries: to("page")}, true, Change{By: ana})
	if err != nil || u.State != UpdateWaiting || len(i.Asking) != 1 || i.Asking[0].Update != "U-1" || i.Asking[0].By != ana {
		t.Fatalf("%+v %+v %v", i.Asking, u, err)
	}
	if is := must[[]Incident](t)(b.UnderWay(ctx)); len(is) != 0 {
		t.Errorf("what waits is under way: %v", is)
	}
	if _, _, err := b.SettleDelivery(ctx, id, "U-1", Delivery{Target: "page", State: DeliveryDone}, Change{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("settled while it waits: %v", err)
	}
	due := func() int {
		n := 0
		for _, r := range must[[]Reminder](t)(b.Due(ctx, id, WaitsOf(must[Incident](t)(b.Incident(ctx, id))), w.now())) {
			if r.Kind == "U-1" {
				n++
				_ = b.Reminded(ctx, r, w.now())
			}
		}
		return n
	}
	for _, want := range []time.Duration{5, 5, 10, 20} {
		w.add(want*time.Minute - time.Second)
		if due() != 0 {
			t.Errorf("reminded too early at %s", w.now())
		}
		w.add(time.Second)
		if due() != 1 || due() != 0 {
			t.Errorf("not reminded once at %s", w.now())
		}
	}
	i, u, err = b.DecideUpdate(ctx, id, "U-1", true, Change{By: ben})
	if err != nil || u.State != UpdateOut || u.Decided != ben || !u.Out.Equal(w.now()) || len(i.Asking) != 0 {
		t.Errorf("approved: %+v %+v %v", u, i.Asking, err)
	}
	if _, _, err := b.DecideUpdate(ctx, id, "U-1", false, Change{By: ben}); !errors.Is(err, ErrState) {
		t.Errorf("denied after it was approved: %v", err)
	}
	_, _, _ = b.AddUpdate(ctx, id, Update{Text: "never"}, true, Change{By: ana})
	_, u, err = b.DecideUpdate(ctx, id, "U-2", false, Change{By: ben, Reason: "too early"})
	if err != nil || u.State != UpdateDenied || u.Reason != "too early" {
		t.Errorf("denied: %+v %v", u, err)
	}
	if us := must[[]Update](t)(b.Updates(ctx, id)); len(us) != 2 || us[0].Title != "Fault" {
		t.Errorf("%+v", us)
	}
	if _, _, err := b.AddUpdate(ctx, id, Update{Text: " \n"}, false, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("without a text: %v", err)
	}
}

// An export is asked for once, has one link, and is read until long after the
// item is done; what changed there is one line.
func TestExports(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	must[Incident](t)(func() (Incident, error) {
		i, _, err := b.AddTask(ctx, id, Task{Text: "two owners"}, Change{By: ana})
		return i, err
	}())
	lines := func() int { return len(must[[]Entry](t)(b.History(ctx, id))) }
	for range 2 {
		if _, task, err := b.ExportTask(ctx, "T-1", "github", Change{By: ana}); err != nil || task.Export.State != ExportPending {
			t.Fatalf("%+v %v", task.Export, err)
		}
	}
	if n := lines(); n != 3 {
		t.Errorf("%d lines after it was asked for twice", n)
	}
	if _, _, err := b.ExportTask(ctx, "T-1", "jira", Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("to a second tracker: %v", err)
	}
	if _, task, err := b.ExportedTask(ctx, "T-1", Export{State: ExportFailed, Text: "404"}, Change{}); err != nil || task.Export.Text != "404" {
		t.Errorf("%+v %v", task.Export, err)
	}
	if list := must[[]Task](t)(b.Exports(ctx)); len(list) != 0 {
		t.Errorf("what failed is not tried again: %v", list)
	}
	if _, task, err := b.ExportTask(ctx, "T-1", "jira", Change{By: ana}); err != nil || task.Export.Tracker != "jira" || task.Export.Try != 1 {
		t.Errorf("after a failure: %+v %v", task.Export, err)
	}
	for _, ref := range []string{"TLS-4", "TLS-5"} {
		_, task, err := b.ExportedTask(ctx, "T-1", Export{State: ExportDone, Ref: ref, URL: "https://jira.example.com/browse/" + ref}, Change{})
		if err != nil || task.Export.Ref != "TLS-4" || task.Export.There != ThereOpen {
			t.Errorf("%+v %v", task.Export, err)
		}
	}
	n := lines()
	w.add(day)
	if _, _, err := b.SawTask(ctx, "T-1", ThereOpen, w.now(), Change{}); err != nil || lines() != n {
		t.Errorf("the same state made a line: %d, was %d, %v", lines(), n, err)
	}
	if list := must[[]Task](t)(b.Exports(ctx)); len(list) != 1 || !list[0].Export.Seen.Equal(w.now()) {
		t.Errorf("seen: %+v", list)
	}
	_, task, err := b.SawTask(ctx, "T-1", ThereDone, w.now(), Change{By: Person{ID: "jira:ben", Name: "ben", Platform: "jira"}})
	if err != nil || task.Export.There != ThereDone || !task.Open() || lines() != n+1 {
		t.Errorf("%+v %v", task, err)
	}
	_, _, _ = b.DoTask(ctx, "T-1", Change{By: ben})
	w.add(readFor + day)
	_, _, _ = b.SawTask(ctx, "T-1", ThereDone, w.now(), Change{})
	if list := must[[]Task](t)(b.Exports(ctx)); len(list) != 0 {
		t.Errorf("still read %s after it was done", readFor)
	}
}
