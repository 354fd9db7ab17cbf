package incident_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// An outage from its declaration to its close.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "incident")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(ctx, filepath.Join(dir, "certmedic.db"), store.Options{})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	now := time.Date(2023, 2, 28, 1, 55, 0, 0, time.UTC)
	b := incident.NewBook(s, func() time.Time { now = now.Add(time.Minute); return now })
	ana := incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}

	i, _ := b.Declare(ctx, incident.Declaration{Title: "Images are gone", Certificates: []string{"media"}, By: ana}, false)
	b.Append(ctx, i.ID, incident.Entry{At: now.Add(-4 * time.Minute), By: ana, Kind: incident.Report, Text: "First report."})
	b.SetStatus(ctx, i.ID, incident.Identified, incident.Change{By: ana, Text: "The certificate has expired."})
	_, err = b.Resolve(ctx, i.ID, []string{"esme"}, incident.Change{By: ana})
	fmt.Println(err)
	b.Resolve(ctx, i.ID, nil, incident.Change{By: ana})
	b.SetImpact(ctx, i.ID, "No images in any region.", incident.Change{By: ana})
	i, _ = b.Close(ctx, i.ID, incident.Change{By: ana})

	timeline, _ := b.Timeline(ctx, i.ID)
	for _, e := range timeline {
		fmt.Println(e.At.Format("15:04"), e.ID, e.Text)
	}
	broken, _ := b.Verify(ctx, i.ID)
	fmt.Printf("%s is %s, chain broken at %q\n", i.ID, i.Status, broken)
	// Output:
	// INC-1: endpoints still fail: esme
	// 01:52 E-2 First report.
	// 01:56 E-1 ana declared SEV2: Images are gone
	// 01:58 E-3 Status: identified, was investigating. The certificate has expired.
	// 02:00 E-4 Status: resolved, was identified.
	// 02:01 E-5 Impact: No images in any region.
	// 02:02 E-6 Status: closed, was resolved.
	// INC-1 is closed, chain broken at ""
}
