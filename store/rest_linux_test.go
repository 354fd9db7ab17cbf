package store_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// Rest gives the pages of the record back while others read and write, and
// nothing is lost.
func TestRest(t *testing.T) {
	b, path := open(t, store.Options{})
	fill(t, b, 20_000)
	read := func() (n int) {
		err := b.View(t.Context(), func(tx store.Tx) error {
			return tx.Scan(store.Range{}, func(_ string, v []byte) error { n += len(v); return nil })
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	want, before := read(), residentOf(t, path)
	if err := b.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := residentOf(t, path); before < 1000 || after > before/4 {
		t.Errorf("%d kB of the record are in memory, before %d", after, before)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for k := range 30 {
				switch w {
				case 0:
					if err := b.Rest(t.Context()); err != nil {
						t.Error(err)
					}
				case 1:
					if err := put(b, fmt.Sprint("zz", k), ""); err != nil {
						t.Error(err)
					}
				default:
					if got := read(); got != want {
						t.Errorf("read %d bytes, want %d", got, want)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Rest(t.Context()); err == nil {
		t.Error("a closed record rests")
	}
}

// residentOf is how many kB of a mapped file are in this process's memory.
func residentOf(t *testing.T, path string) (kb int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("there is no /proc/self/smaps here: ", err)
	}
	mine := false
	for line := range strings.Lines(string(maps)) {
		var n int
		if strings.Contains(line, "-") && strings.Contains(line, " r") && len(strings.Fields(line)) >= 5 && !strings.HasPrefix(line, "Rss") {
			mine = strings.HasSuffix(strings.TrimSpace(line), path)
		}
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil && mine {
			kb += n
		}
	}
	return kb
}
