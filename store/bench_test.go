package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// BenchmarkDurableUpdate32 has 32 goroutines write one small record at a
// time, each waiting for its acknowledgement.
func BenchmarkDurableUpdate32(b *testing.B) {
	s, _ := open(b, store.Options{})
	value := make([]byte, 200)
	var next atomic.Int64
	took := make([][]time.Duration, 32)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range took {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				start := time.Now()
				err := s.Update(context.Background(), func(tx store.Tx) error {
					return tx.Put(fmt.Sprintf("entry/%012d", i), value)
				})
				if err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "acks/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkOpen100k opens a store of 100,000 entries.
func BenchmarkOpen100k(b *testing.B) {
	path := filepath.Join(b.TempDir(), "certmedic.db")
	s, err := store.Open(context.Background(), path, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, s, 100_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(context.Background(), path, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
