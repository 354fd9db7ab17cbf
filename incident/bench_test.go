package incident

import (
	"fmt"
	"sync"
	"testing"
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

// BenchmarkSearch looks for words in 10,000 incidents.
func BenchmarkSearch(b *testing.B) {
	book, _ := testBook(b)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for k := w; k < 10000; k += 64 {
				if _, err := book.Declare(b.Context(), Declaration{Title: fmt.Sprint("outage ", k), Certificates: []string{fmt.Sprint("c", k)}, By: ana}, false); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for b.Loop() {
		if list, err := book.List(b.Context(), Filter{Words: "outage 1234"}); err != nil || len(list) == 0 {
			b.Fatal(list, err)
		}
	}
}
