package commands_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

func ExampleDesk_Do() {
	dir, err := os.MkdirTemp("", "certmedic")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	record, err := store.Open(ctx, filepath.Join(dir, "certmedic.db"), store.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = record.Close() }()
	now := func() time.Time { return t0 }
	desk := commands.New(commands.Options{Book: incident.NewBook(record, now), Renewer: newEngine(&clock{t: t0}), Now: now})

	ana := commands.Person{ID: "web:ana", Name: "ana", Platform: "web", Zone: "Europe/Berlin"}
	echo := func(p commands.Post) { fmt.Println(p.Room, "hears:", p.Reply.Headline) }
	for _, line := range []string{"/certcheck media", "/incident declare sev2 images do not load --cert media", "/incident note first report @ 02:52"} {
		r := desk.Do(ctx, commands.Request{Text: line, By: ana, Room: "main"}, echo)
		fmt.Println(r.Headline)
	}
	// Output:
	// media expired 2 min ago on 4 of 4 hosts: its notAfter was 2026-11-22 01:52:10 UTC, serial 0a01.
	// main hears: media expired 2 min ago on 4 of 4 hosts: its notAfter was 2026-11-22 01:52:10 UTC, serial 0a01.
	// INC-1 hears: INC-1 SEV2 investigating: images do not load. Next: somebody takes the lead.
	// INC-1 SEV2 investigating: images do not load. Next: somebody takes the lead.
	// INC-1 hears: INC-1 E-5, 2026-11-22 01:52:00 UTC: first report
	// INC-1 E-5, 2026-11-22 01:52:00 UTC: first report
}
