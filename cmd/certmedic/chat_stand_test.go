package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/cmd/certmedic/drill"
	"github.com/certmedic/certmedic/store"
)

// This file holds what the tests of Slack and of Discord share: the demo's
// estate with chat, how somebody sees words, and the bench of acknowledgements.

// chatDrill builds the demo's estate and runs the whole program on it, with chat.
func chatDrill(t *testing.T, lifetime time.Duration, chat func(config) config) (*drill.Estate, *program) {
	t.Helper()
	log := newLog(testLog{t}, true)
	e, err := drill.Start(t.Context(), drill.Options{Dir: t.TempDir(), Lifetime: lifetime, Listen: "127.0.0.1:0", Helper: []string{os.Args[0], "estate"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close the estate: %v", err)
		}
	})
	cfg, err := loadConfig(e.Config())
	if err != nil {
		t.Fatal(err)
	}
	return e, startProgram(t, chat(cfg), programOptions{Name: "test", Log: log, Listen: true, Watch: true, tuneSlack: quick, tuneDiscord: quickDiscord})
}

// sees waits until somebody sees all words in a channel of a fake.
func sees(t *testing.T, f interface {
	Seen(who, channel string) string
}, who, channel string, words ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		seen := f.Seen(who, channel)
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(seen, w) }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not see %q, but:\n%s", who, words, seen)
		}
	}
}

// benchAcks delivers to an adapter that is not run, 32 at once: what was
// acknowledged waits on the record, as when the platform is away, so that the
// acknowledgement alone is measured. Its 99th percentile and how many a second
// are reported under names that begin with kind. All must be on the record then.
func benchAcks(b *testing.B, s store.Store, a interface {
	Close(ctx context.Context) error
}, platform, kind string, deliver func(client *http.Client, i int) (time.Duration, error)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	next := make(chan int)
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range next {
				d, err := deliver(client, i)
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, kind+"p99-ms")
	b.ReportMetric(float64(len(took))/time.Since(began).Seconds(), kind+"acks/s")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = a.Close(ctx)
	all, err := storeNotes{s, "chat/" + platform + "/"}.List(b.Context(), "in/")
	if err != nil || len(all) != b.N {
		b.Fatalf("%d of %d acknowledged are on the record: %v", len(all), b.N, err)
	}
}

// acknowledged sends a delivery and says how long its acknowledgement took.
func acknowledged(client *http.Client, r *http.Request, want int) (time.Duration, error) {
	began := time.Now()
	resp, err := client.Do(r)
	took := time.Since(began)
	if err != nil {
		return took, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != want {
		return took, fmt.Errorf("status %d", resp.StatusCode)
	}
	return took, nil
}
