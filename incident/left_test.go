package incident

import (
	"fmt"
	"strings"
	"testing"
)

// What left the incidents that a name was taken out of is listed, also when it
// is asked again; of other incidents nothing.
func TestLeft(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	quilla := Person{ID: "web:quilla", Name: "Quilla", Platform: "web"}
	for _, by := range []Person{quilla, ana} {
		i := must[Incident](t)(b.Declare(ctx, Declaration{Title: "images", By: by}, true))
		_, task, err := b.AddTask(ctx, i.ID, Task{Text: "look"}, Change{By: by})
		if err == nil {
			_, _, err = b.ExportTask(ctx, task.ID, "github", Change{By: by})
		}
		if err == nil {
			_, _, err = b.ExportedTask(ctx, task.ID, Export{State: ExportDone, Ref: "7", URL: "https://github.example/7"}, Change{})
		}
		if err != nil {
			t.Fatal(err)
		}
		_, u, err := b.AddUpdate(ctx, i.ID, Update{Text: "we look", Deliveries: []Delivery{{Target: "board"}, {Target: "page"}}}, false, Change{By: by})
		if err == nil {
			_, _, err = b.SettleDelivery(ctx, i.ID, u.ID, Delivery{Target: "page", State: DeliveryDone, Ref: "p31"}, Change{})
		}
		if err == nil {
			_, _, err = b.SettleDelivery(ctx, i.ID, u.ID, Delivery{Target: "board", State: DeliveryFailed, Text: "refused"}, Change{})
		}
		if err == nil {
			_, err = b.Close(ctx, i.ID, Change{By: by, Reason: "over", Publish: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		pubs := must[[]Publication](t)(b.Publications(ctx, w.now()))
		pubs[0].Commit, pubs[0].Content = "c0ffee", "x"
		if err := b.PublishDone(ctx, pubs[0], "published"); err != nil {
			t.Fatal(err)
		}
	}
	want := "INC-1 published INC-1-images  c0ffee|INC-1 exported T-1 github https://github.example/7|INC-1 sent U-1 page p31"
	for range 2 {
		done := must[Forgotten](t)(b.Forget(ctx, forgetQuilla))
		var got []string
		for _, l := range must[[]Left](t)(b.Left(ctx, forgetQuilla, done)) {
			got = append(got, fmt.Sprint(l.Incident, " ", l.What, " ", l.Name, " ", l.Where, " ", l.Ref))
			if l.What != LeftPublished && l.At.IsZero() {
				t.Errorf("no time: %+v", l)
			}
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%s\nwant %s", s, want)
		}
	}
}
