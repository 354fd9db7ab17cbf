package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/store"
)

// In this file: what a long record costs: starting, and memory at rest.

// BenchmarkMillion: the whole program on a record with 1,000,000 timeline
// entries. Its start, with an answer, may take 0.5 s at most; and a server on
// it, at rest after a search of all, may hold as much memory as on one with
// 1,000, and half of it more at most.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("a million entries take half a minute to write")
	}
	cfgs := map[int]config{}
	for _, n := range []int{1000, 1_000_000} {
		dir := b.TempDir()
		cfg := config{File: filepath.Join(dir, "certmedic.yaml"), Data: filepath.Join(dir, "certmedic.db"), Listen: "127.0.0.1:0"}
		fillRecord(b, cfg, min(n, 100*64))
		multiply(b, cfg, n)
		if err := os.WriteFile(cfg.File, []byte("listen: 127.0.0.1:0\nrehearse: {every: never}\n"), 0o600); err != nil {
			b.Fatal(err)
		}
		cfgs[n] = cfg
	}
	best := time.Hour // of several: the others are of the machine's other work
	for b.Loop() {
		for range 3 {
			best = min(best, startOnce(b, cfgs[1_000_000]))
		}
	}
	b.ReportMetric(best.Seconds(), "s/start-1M")
	if runtime.GOOS != "linux" {
		return // resident memory is read from /proc, which Linux alone has
	}
	binary := buildProgram(b)
	small, large := residentAtRest(b, binary, cfgs[1000]), residentAtRest(b, binary, cfgs[1_000_000])
	b.ReportMetric(small, "MB-1k")
	b.ReportMetric(large, "MB-1M")
	b.ReportMetric(large/small, "memory-ratio")
}

// startOnce opens the program, has it answer, and says how long that took.
func startOnce(b *testing.B, cfg config) time.Duration {
	b.Helper()
	start := time.Now()
	p, err := open(b.Context(), cfg, programOptions{Name: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if r := p.rooms.Say(b.Context(), commands.Request{Text: "/incident list", Room: "main", At: time.Now(), By: commands.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}}); !r.Problem.IsZero() {
		b.Fatal(r.Problem)
	}
	took := time.Since(start)
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// residentAtRest is the resident memory, in MB, of a server that has answered
// a list and a search that read everything, and then rests.
func residentAtRest(b *testing.B, binary string, cfg config) float64 {
	b.Helper()
	c := exec.Command(binary, "serve", "-c", cfg.File)
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	said := make([]byte, 300)
	n, err := out.Read(said) // it says where the room is
	if err != nil {
		b.Fatal(err)
	}
	at := bytes.Index(said[:n], []byte("http://"))
	address := string(bytes.Fields(said[at:n])[0])
	for _, path := range []string{"/incidents", "/incidents?q=wordthatisnowhere", "/incident/INC-1"} {
		resp, err := http.Get(address + path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status, err)
		}
		_ = resp.Body.Close()
	}
	time.Sleep(15 * time.Second) // memory is given back
	return residentMB(b, c.Process.Pid)
}

// multiply copies the incidents of a record, as they stand in the store, until
// there are n lines. (Their chains do not fit: a hash has the incident's
// number. Nobody looks here.)
func multiply(b *testing.B, cfg config, n int) {
	b.Helper()
	s, err := store.Open(b.Context(), cfg.Data, store.Options{Program: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	type pair struct {
		key   string
		value []byte
	}
	var all []pair
	lines := 0
	err = s.View(b.Context(), func(tx store.Tx) error {
		return tx.Scan(store.Range{}, func(key string, v []byte) error {
			if strings.HasPrefix(key, "incident/") || strings.HasPrefix(key, "words/") {
				all = append(all, pair{key, v})
			}
			if strings.Contains(key, "/line/") {
				lines++
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	copies := n / lines
	for k := 1; k < copies; k++ {
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for from := w * 90; from < len(all); from += 16 * 90 {
					err := s.Update(b.Context(), func(tx store.Tx) error {
						for _, p := range all[from:min(from+90, len(all))] {
							key, value, ok := again(p.key, p.value, 64*k)
							if !ok {
								continue
							}
							if err := tx.Put(key, value); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// again is a key and its value for the incident whose number is higher by more.
func again(key string, value []byte, more int) (string, []byte, bool) {
	var num int
	parts := strings.Split(key, "/")
	for at, p := range parts {
		switch {
		case at == 0:
		case strings.HasPrefix(p, "INC-"):
			if _, err := fmt.Sscanf(p, "INC-%d", &num); err == nil {
				parts[at] = fmt.Sprintf("INC-%d", num+more)
				return strings.Join(parts, "/"), value, true
			}
		case len(p) == 8 && (at == 1 || at == 2 && (parts[1] == "record" || parts[1] == "index")):
			if _, err := fmt.Sscanf(p, "%d", &num); err == nil {
				parts[at] = fmt.Sprintf("%08d", num+more)
				value = bytes.Replace(value, fmt.Appendf(nil, `"num":%d,`, num), fmt.Appendf(nil, `"num":%d,`, num+more), 1)
				return strings.Join(parts, "/"), value, true
			}
		}
	}
	return "", nil, false
}

// buildProgram builds the program as make build does.
func buildProgram(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "certmedic")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return binary
}
