package commands_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func (r *room) home(who string) string {
	r.t.Helper()
	h, err := r.desk.Home(context.Background(), person(who))
	if err != nil {
		r.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", h.State, h.Headline)
	for _, s := range h.Sections {
		b.WriteString("# " + s.Title + "\n")
		if len(s.Items) == 0 {
			b.WriteString(s.Empty + "\n")
		}
		for _, i := range s.Items {
			fmt.Fprintf(&b, "%s %s | %s\n", i.State, i.Text, i.Detail)
			for _, o := range i.Buttons {
				fmt.Fprintf(&b, "[%s] %s\n", o.Label, o.Command)
			}
		}
	}
	return b.String()
}

// TestHome: everybody sees what waits for them, and of private incidents only
// their people see anything.
func TestHome(t *testing.T) {
	r := newRoom(t)
	has := func(who string, words ...string) {
		t.Helper()
		h := r.home(who)
		for _, w := range words {
			if !strings.Contains(h, w) {
				t.Errorf("%s's home lacks %q:\n%s", who, w, h)
			}
		}
	}
	hasNot := func(who string, words ...string) {
		t.Helper()
		h := r.home(who)
		for _, w := range words {
			if strings.Contains(h, w) {
				t.Errorf("%s's home has %q:\n%s", who, w, h)
			}
		}
	}
	has("ana", "critical 1 of 2 certificates fails; no incident is open.", "Nothing waits for you.", "critical media: expired | Ends 2026-11-22 01:52 UTC. 0 of 4 hosts good.", "[Check] /certcheck media", "good api")
	r.must("ana", "main", "/renew api --yes --force --reason key is lost")
	has("Cleo", "Approve R-1 of api? ana asked at 2026-11-22 01:54 UTC.", "Reason: key is lost", "[Approve] /renew approve R-1")
	hasNot("ana", "Approve R-1")
	r.must("ana", "main", "/incident declare sev2 the secret thing --private --cert api")
	r.must("ana", "main", "/incident lead INC-1 me")
	has("ana", "You are commander of INC-1: the secret thing", "INC-1 SEV2 investigating, private", "1 incident open")
	hasNot("ben", "INC-1", "secret")
	r.must("ben", "main", "/incident declare sev1 media is down --cert media")
	has("ben", "INC-2 SEV1", "Commander: nobody yet.", "[Lead me] /incident lead INC-2 me")
	r.must("ben", "main", "/incident task add INC-2 write the check @Cleo")
	has("Cleo", "T-1 of INC-2: write the check", "[Done] /incident task done T-1")
	hasNot("ben", "T-1")
	r.must("ana", "main", "/incident task add INC-1 tell nobody @Cleo")
	hasNot("Cleo", "tell nobody")
	before := r.home("ben")
	r.clock.add(37 * time.Minute)
	if after := r.home("ben"); after != before {
		t.Errorf("nothing happened, and the home is another:\n%s\n%s", before, after)
	}
}
