package renew

import (
	"testing"
	"time"
)

// A window that ends when the certificate is dead, or never, must not silence
// the word that its renewal is overdue.
func TestWindowBeyondTheCertificateIsNotBelieved(t *testing.T) {
	issued := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	leaf := Leaf{SHA256: "aa", NotBefore: issued, NotAfter: issued.Add(90 * 24 * time.Hour)}
	byAge := issued.Add(60 * 24 * time.Hour)
	for name, w := range map[string]Window{
		"in 9999":          {Start: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 1, 2, 0, 0, 0, 0, time.UTC)},
		"begins in time":   {Start: issued.Add(58 * 24 * time.Hour), End: leaf.NotAfter.Add(time.Hour)},
		"as it expires":    {Start: leaf.NotAfter.Add(-time.Hour), End: leaf.NotAfter.Add(time.Second)},
		"after its expiry": {Start: leaf.NotAfter.Add(time.Hour), End: leaf.NotAfter.Add(2 * time.Hour)},
	} {
		st := diskStanding{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Window: w, WindowOf: "aa"}
		f := facts{st: st, issued: diskIssued{Entries: []diskEntry{{N: 1, Leaf: leaf}}}}
		if at := f.overdueAt(); !at.Equal(byAge) {
			t.Errorf("%s: overdue from %s, want %s", name, at, byAge)
		}
		if !f.overdue(leaf.NotAfter.Add(-24 * time.Hour)) {
			t.Errorf("%s: not overdue a day before it expires", name)
		}
		st.settle(f)
		if st.RenewAt.After(byAge) {
			t.Errorf("%s: renewal begins %s", name, st.RenewAt)
		}
	}
	good := Window{Start: issued.Add(50 * 24 * time.Hour), End: issued.Add(52 * 24 * time.Hour)}
	f := facts{st: diskStanding{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Window: good, WindowOf: "aa"}, issued: diskIssued{Entries: []diskEntry{{N: 1, Leaf: leaf}}}}
	if !f.overdueAt().Equal(good.End) {
		t.Errorf("a good window: %s", f.overdueAt())
	}
}
