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

// tenThousand is a book with 10,000 incidents, one of 50 of them open.
func tenThousand(b *testing.B) *Book {
	b.Helper()
	book, _ := testBook(b)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for k := w; k < 10000; k += 64 {
				i, err := book.Declare(b.Context(), Declaration{Title: fmt.Sprint("outage ", k, " of the images"), Certificates: []string{fmt.Sprint("c", k)}, By: ana}, false)
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

// BenchmarkList lists and searches 10,000 incidents, in milliseconds; each may
// take 50 at most.
func BenchmarkList(b *testing.B) {
	book := tenThousand(b)
	for name, f := range map[string]Filter{
		"one": {Words: "outage 1234"}, "none": {Words: "no such word"}, "open": {Open: true, Limit: 30}, "page": {Limit: 500}, "every": {Words: "outage images", Limit: 30},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				list, total, err := book.Find(b.Context(), f, nil)
				if err != nil || (len(list) == 0) != (name == "none") || name == "every" && total != 10000 {
					b.Fatal(len(list), total, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms-list-"+name)
		})
	}
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
func fillFast(b *testing.B, book *Book, id string, n int) {
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
