package incident

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// TestRetireLeavesNothingBehind: an incident that was removed stands in no
// list that is read for all incidents at once.
func TestRetireLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	i := must[Incident](t)(b.Declare(ctx, Declaration{Title: "gone soon", By: ana, Certificates: []string{"media"}, Key: "req/1"}, true))
	_, task, err := b.AddTask(ctx, i.ID, Task{Text: "look"}, Change{By: ana})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ExportTask(ctx, task.ID, "github", Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ExportedTask(ctx, task.ID, Export{State: ExportDone, Ref: "#1"}, Change{}); err != nil {
		t.Fatal(err)
	}
	_, u, err := b.AddUpdate(ctx, i.ID, Update{Text: "it is over", Deliveries: []Delivery{{Target: "page"}}}, false, Change{By: ana})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.SettleDelivery(ctx, i.ID, u.ID, Delivery{Target: "page", State: DeliveryDone, Open: true}, Change{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.DoTask(ctx, task.ID, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	must[Incident](t)(b.Close(ctx, i.ID, Change{By: ana, Reason: "over"}))
	w.add(400 * day)
	other := declare(t, b)
	if ids := must[[]string](t)(b.Retire(ctx, w.now().Add(-365*day))); len(ids) != 1 {
		t.Fatalf("removed %v", ids)
	}
	if rows, err := b.Numbers(ctx, time.Time{}); err != nil || len(rows) != 2 {
		t.Errorf("it goes on counting: %v %v", rows, err)
	}
	if list, err := b.Exports(ctx); err != nil || len(list) != 0 {
		t.Errorf("exports: %v %v", list, err)
	}
	if list, err := b.UnderWay(ctx); err != nil || len(list) != 0 {
		t.Errorf("under way: %v %v", list, err)
	}
	if again, err := b.Declare(ctx, Declaration{Title: "said again", By: ana, Key: "req/1"}, true); err != nil || again.ID == i.ID || again.ID == other.ID {
		t.Errorf("declared with a key of then: %+v %v", again, err)
	}
	if all := raw(t, b.s); bytes.Contains(all, []byte("incident/export/")) || bytes.Contains(all, []byte("incident/out/")) {
		t.Errorf("left behind:\n%s", all)
	}
}

// TestRemovedWithMarksLeft: marks that an earlier certmedic left of a removed
// incident keep nobody from reading the others.
func TestRemovedWithMarksLeft(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := closed(t, b, "gone")
	w.add(400 * day)
	declare(t, b)
	must[[]string](t)(b.Retire(ctx, w.now().Add(-365*day)))
	err := b.s.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Delete(keyNumberRow+padded(1)), numberDue(tx, 1), putRead(tx, 7, diskRead{Incident: 1}), tx.Put(keyOut+padded(1), []byte("1")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := b.Numbers(ctx, time.Time{}); err != nil || len(rows) != 1 {
		t.Errorf("numbers with %s gone: %v %v", id, rows, err)
	}
	if list, err := b.Exports(ctx); err != nil || len(list) != 0 {
		t.Errorf("exports: %v %v", list, err)
	}
	if list, err := b.UnderWay(ctx); err != nil || len(list) != 0 {
		t.Errorf("under way: %v %v", list, err)
	}
}
