package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// TestForgetName: a name that stood in rooms, timelines and renewals is in no
// byte of the record any more, the chain fits, and the program goes on.
func TestForgetName(t *testing.T) {
	e := startLoop(t, 1, 1)
	cfg := e.cfg
	cfg.Policy.Renew = []string{commands.Members}
	p, err := open(t.Context(), cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan error, 1)
	ctx := t.Context()
	runCtx, end := context.WithCancel(ctx)
	defer end()
	go func() { _, err := p.Run(runCtx); stop <- err }()
	quilla := commands.Person{ID: "web:Quilla", Name: "Quilla", Platform: "web"}
	for _, line := range []string{"/incident declare images do not load for quilla --cert site0", "/incident note Quilla saw it", "/incident lead me", "/renew site0 --yes --force --reason quilla asked for it"} {
		if r := p.rooms.Say(ctx, commands.Request{Text: line, By: quilla, Room: "main", Wait: true}); !r.Problem.IsZero() {
			t.Fatalf("%s: %+v", line, r.Problem)
		}
	}
	var out bytes.Buffer
	if err := forget(ctx, cfg, whomToForget(cfg, "quilla", "somebody", nil), &out); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("while it runs: %v", err)
	}
	end()
	if err := <-stop; err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if n := countIn(t, cfg.Data, "quilla"); n < 10 {
		t.Fatalf("the name is there %d times only, so this shows little", n)
	}
	if err := forget(ctx, cfg, whomToForget(cfg, "quilla", "somebody", nil), &out); err != nil {
		t.Fatal(err)
	}
	if n := countIn(t, cfg.Data, "quilla"); n != 0 {
		t.Errorf("the name is in the record's file %d times still: %q", n, around(t, cfg.Data, "quilla"))
	}
	if !strings.Contains(out.String(), "quilla is somebody now: 1 incidents") || strings.Contains(out.String(), " 0 messages") || strings.Contains(out.String(), " 0 records") {
		t.Errorf("%s", out.String())
	}
	if !strings.Contains(out.String(), "Not touched and not known here: backups (`certmedic backup`)") {
		t.Errorf("%s", out.String())
	}
	var said bytes.Buffer
	if broken, err := verify(ctx, cfg, nil, &said); err != nil || broken != 0 {
		t.Errorf("%s %v", said.String(), err)
	}
	again := startProgram(t, cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	ms, err := again.rooms.Messages(ctx, "main", "", 0)
	if err != nil || len(ms) < 4 || ms[0].By.Name != "somebody" {
		t.Errorf("%d messages, %v", len(ms), err)
	}
	r, err := again.runner.Renewal(ctx, "R-1")
	if err != nil || r.Ask.By.Name != "somebody" || r.Ask.Reason != "somebody asked for it" || r.Ask.Certificate != "site0" {
		t.Errorf("%+v %v", r.Ask, err)
	}
	i, err := again.book.Incident(ctx, "INC-1")
	if err != nil || i.Commander.Name != "somebody" || i.Title != "images do not load for somebody" {
		t.Errorf("%+v %v", i, err)
	}
}

// countIn is how often a word stands in a file, upper and lower case aside.
func countIn(t *testing.T, file, word string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(bytes.ToLower(b), []byte(word))
}

func TestForgetRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "certmedic.yaml")
	writeFile(t, file, []byte("data: certmedic.db\n"))
	for _, args := range [][]string{{"forget"}, {"forget", "-c", file, "certmedic"}, {"forget", "-c", file, "ana", "--as", "Ana"}, {"forget", "-c", file, "ana", "--as", ""}} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &errOut); code != exitMisused && !strings.Contains(errOut.String(), "accepts 1 arg") {
			t.Errorf("%v: %d %s", args, code, errOut.String())
		}
	}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"forget", "-c", file, "ana"}, nil, &out, &errOut); code != exitFailed || !strings.Contains(errOut.String(), "no record yet") {
		t.Errorf("%d %s", code, errOut.String())
	}
}

func around(t *testing.T, file, word string) string {
	t.Helper()
	b, _ := os.ReadFile(file)
	at := bytes.Index(bytes.ToLower(b), []byte(word))
	return string(b[max(0, at-300):min(len(b), at+100)])
}

// What left the record is told with where it is.
func TestForgetTellsLeft(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 14, 0, 0, time.UTC)
	var out bytes.Buffer
	err := tellLeft(&out, config{Postmortem: postmortemConfig{Git: gitConfig{Repo: "/srv/postmortems.git", Branch: "main", Folder: "postmortems"}}}, []incident.Left{
		{Incident: "INC-7", What: incident.LeftPublished, Name: "INC-7-images", Ref: "c0ffeec0ffeec0ffee"},
		{Incident: "INC-7", What: incident.LeftExported, Name: "T-3", Where: "github", Ref: "https://github.example/7", At: at},
		{Incident: "INC-7", What: incident.LeftSent, Name: "U-2", Where: "page", Ref: "p31", At: at},
		{Incident: "INC-7", What: incident.LeftSent, Name: "U-2", Where: "board"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		"may stand in them still", "/srv/postmortems.git, branch main, folder postmortems", "INC-7-images, last commit c0ffeec0ffee\n",
		"T-3 of INC-7: github, https://github.example/7, exported 2026-11-22 02:14 UTC\n", "U-2 of INC-7: to page, there p31, 2026-11-22 02:14 UTC\n", "U-2 of INC-7: to board\n",
	} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("%q is not in\n%s", says, out.String())
		}
	}
}
