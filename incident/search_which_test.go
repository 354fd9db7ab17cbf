package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// In this file: which incidents a search finds, how many, and which of their
// places come first.

// A search is of the incidents that the filter selects, as many as it says, and
// counts the others.
func TestSearchSelects(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	for n := range 6 {
		i := must[Incident](t)(b.Declare(ctx, Declaration{Title: fmt.Sprint("outage ", n), Certificates: []string{[]string{"media", "api"}[n%2]}, By: ana}, true))
		must[Entry](t)(added(b.Append(ctx, i.ID, Entry{By: ben, Text: "the walrus"})))
		if n < 2 {
			must[Incident](t)(b.Cancel(ctx, i.ID, Change{By: ana, Reason: "x"}))
		}
	}
	for name, c := range map[string]struct {
		f     Filter
		hits  string
		total int
	}{
		"all":                  {Filter{}, "INC-6 INC-5 INC-4 INC-3 INC-2 INC-1", 6},
		"of a certificate":     {Filter{Certificate: "media"}, "INC-5 INC-3 INC-1", 3},
		"open":                 {Filter{Open: true}, "INC-6 INC-5 INC-4 INC-3", 4},
		"open, of it":          {Filter{Open: true, Certificate: "api"}, "INC-6 INC-4", 2},
		"no more than so many": {Filter{Limit: 2}, "INC-6 INC-5", 6},
		"as many as there are": {Filter{Limit: 6}, "INC-6 INC-5 INC-4 INC-3 INC-2 INC-1", 6},
	} {
		for _, words := range []string{"", "walrus"} {
			c.f.Words = words
			found := must[Found](t)(b.Search(ctx, c.f, 1, nil))
			var ids []string
			for _, h := range found.Hits {
				ids = append(ids, h.Incident.ID)
			}
			if got := strings.Join(ids, " "); got != c.hits || found.Total != c.total {
				t.Errorf("%s, %q: %s, %d in all; want %s, %d", name, words, got, found.Total, c.hits, c.total)
			}
		}
	}
}

// Of lines that say the same the newest comes first; what the incident says of
// itself comes before a line that says no more; a long line is clipped around
// the word.
func TestSearchPlaces(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	i := must[Incident](t)(b.Declare(ctx, Declaration{Title: "walrus ashore", By: ana}, true))
	for n := range 5 {
		must[Entry](t)(added(b.Append(ctx, i.ID, Entry{By: ben, Text: fmt.Sprint("pelican ", n)})))
	}
	must[Entry](t)(added(b.Append(ctx, i.ID, Entry{By: ben, Text: "the walrus again"})))
	must[Entry](t)(added(b.Append(ctx, i.ID, Entry{By: ben, Text: strings.Repeat("before ", 40) + "heron" + strings.Repeat(" after", 40)})))
	if got, want := search(t, b, "pelican"), []string{"INC-1 note E-6: pelican 4", "INC-1 note E-5: pelican 3", "INC-1 note E-4: pelican 2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := search(t, b, "walrus"); len(got) < 2 || got[0] != "INC-1 title : walrus ashore" {
		t.Errorf("as good as a line: %q", got)
	}
	if got := search(t, b, "walrus again"); len(got) < 2 || got[0] != "INC-1 note E-7: the walrus again" {
		t.Errorf("not as good as a line: %q", got)
	}
	if got := search(t, b, "heron"); len(got) != 1 || !strings.Contains(got[0], "before heron after") || len(got[0]) > maxPlaceText+60 || !strings.HasSuffix(got[0], " ...") || !strings.Contains(got[0], ": ... ") {
		t.Errorf("of a long line: %q", got)
	}
}

// Of incidents whose words are not noted yet only those are counted that
// everybody may know of.
func TestSearchUnreadPrivate(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	for _, private := range []bool{true, false, true} {
		must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana, Private: private}, true))
	}
	age(t, b, 0)
	if found := must[Found](t)(b.Search(t.Context(), Filter{Words: "walrus"}, 1, func(Incident) bool { return false })); found.Unread != 1 {
		t.Errorf("%d unread are counted, one is public", found.Unread)
	}
}
