package incident

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// fill appends n notes, many at once so that the store can commit them together.
func fill(b testing.TB, book *Book, id string, n int) {
	b.Helper()
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for k := w; k < n; k += 64 {
				if _, _, _, err := book.Append(b.Context(), id, Entry{By: ana, Text: "a note of the usual length, about what was seen", Key: fmt.Sprint("fill", k)}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkAppend shows that a line costs the same however many there are.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{0, 1000, 20000} {
		b.Run(fmt.Sprint("after", n), func(b *testing.B) {
			book, _ := testBook(b)
			i, err := book.Declare(b.Context(), Declaration{Title: "x", By: ana}, false)
			if err != nil {
				b.Fatal(err)
			}
			fill(b, book, i.ID, n)
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				if _, _, _, err := book.Append(b.Context(), i.ID, Entry{By: ana, Text: "a note", Key: fmt.Sprint(k)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// tenThousand is a book with 10,000 incidents of 50 lines each, one of 50 of
// them open. The word "needle" is in one line of one of them, "resolver" in one
// line of every one.
func tenThousand(b *testing.B) *Book {
	b.Helper()
	book, _ := testBook(b)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for k := w; k < 10000; k += 64 {
				i, err := book.Declare(b.Context(), Declaration{Title: fmt.Sprint("outage ", k, " of the images"), Certificates: []string{fmt.Sprint("c", k)}, By: ana}, false)
				if err == nil {
					_, err = book.change(b.Context(), i.ID, Change{By: ana}, func(p *page, _ Change) error {
						for n := range 48 {
							text := fmt.Sprintf("Note %d: the proxy in rack %d was restarted, and serves the old chain still.", n, k%97)
							switch {
							case n == 20:
								text = "Asked the people of the resolver whether they see the new record."
							case n == 30 && k == 5000:
								text = "The needle was in the haystack."
							}
							if _, err := p.write(Entry{At: p.at, By: ana, Kind: NoteKind, Text: text}); err != nil {
								return err
							}
						}
						return nil
					})
				}
				if err == nil && k%50 != 0 {
					_, err = book.Close(b.Context(), i.ID, Change{By: ana, Reason: "over"})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return book
}

// BenchmarkList lists and searches 10,000 incidents of 50 lines each, in
// milliseconds; each may take 50 at most. The fastest counts: what others do on
// the machine meanwhile is in the rest.
func BenchmarkList(b *testing.B) {
	book := tenThousand(b)
	for name, f := range map[string]Filter{
		"one": {Words: "outage 1234"}, "none": {Words: "no such word"}, "open": {Open: true, Limit: 30}, "page": {Limit: 500},
		"every": {Words: "outage images", Limit: 30}, "line": {Words: "needle"}, "lines": {Words: "resolver record", Limit: 30}, "linespage": {Words: "resolver", Limit: 100},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				found, err := book.Search(b.Context(), f, 2, nil)
				best = min(best, time.Since(start))
				total := map[string]int{"none": 0, "line": 1, "open": 200, "one": 2}
				want, ok := total[name]
				if !ok {
					want = 10000
				}
				if err != nil || found.Total != want || found.Unread > 0 {
					b.Fatal(len(found.Hits), found.Total, found.Unread, err)
				}
			}
			b.ReportMetric(float64(best.Microseconds())/1000, "ms-list-"+name)
		})
	}
}

// BenchmarkWordsCost compares what lines cost whose words are noted with what
// they cost without, 32 wide, turn by turn on the same machine at the same
// time; and prints how many are acknowledged in a second.
func BenchmarkWordsCost(b *testing.B) {
	var books [2]*Book
	for n := range books {
		books[n], _ = testBook(b)
		for range 32 {
			i, err := books[n].Declare(b.Context(), Declaration{Title: "x", By: ana}, true)
			if err != nil {
				b.Fatal(err)
			}
			fillFast(b, books[n], i.ID, 40)
			if n == 0 {
				_, err = books[n].change(b.Context(), i.ID, Change{By: ana}, func(p *page, _ Change) error { p.r.Words, p.done = -1, true; return nil })
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	const each = 20
	var took [2]time.Duration
	for k := 0; b.Loop(); k++ {
		for n, book := range books {
			start := time.Now()
			var wg sync.WaitGroup
			for w := range 32 {
				wg.Go(func() {
					for m := range each {
						if _, _, _, err := book.Append(b.Context(), idOf(w+1), Entry{By: ana, Text: "The proxy in rack 4 was restarted, and serves the old chain still.", Key: fmt.Sprint(k, "/", m)}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			took[n] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[1])/float64(took[0]), "words-cost")
	b.ReportMetric(float64(32*each*b.N)/took[1].Seconds(), "lines/s")
}

// BenchmarkAppendRatio compares what a line costs after a million with what it
// costs after a thousand, turn by turn on the same machine at the same time. It
// may be 1.5 times as much at most.
func BenchmarkAppendRatio(b *testing.B) {
	if testing.Short() {
		b.Skip("a million lines take half a minute to write")
	}
	var books [2]*Book
	for n, lines := range []int{1000, 1_000_000} {
		books[n], _ = testBook(b)
		i, err := books[n].Declare(b.Context(), Declaration{Title: "x", By: ana}, false)
		if err != nil {
			b.Fatal(err)
		}
		fillFast(b, books[n], i.ID, lines)
	}
	var took [2]time.Duration
	for k := 0; b.Loop(); k++ {
		for n, book := range books {
			start := time.Now()
			if _, _, _, err := book.Append(b.Context(), "INC-1", Entry{By: ana, Text: "a note", Key: fmt.Sprint(k)}); err != nil {
				b.Fatal(err)
			}
			took[n] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[1])/float64(took[0]), "append-ratio")
}

// fillFast writes n lines, as many in one transaction as it takes.
func fillFast(b testing.TB, book *Book, id string, n int) {
	b.Helper()
	const batch = 90
	for done := 0; done < n; done += batch {
		_, err := book.change(b.Context(), id, Change{By: ana}, func(p *page, _ Change) error {
			for range min(batch, n-done) {
				if _, err := p.write(Entry{At: p.at, By: ana, Kind: NoteKind, Text: "a note of the usual length, about what was seen"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
