package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
	"github.com/certmedic/certmedic/store"
)

// benchProgram runs the program over n certificates with a host each.
func benchProgram(b *testing.B, n int) *program {
	b.Helper()
	e := startLoop(b, n, 1)
	p, err := open(b.Context(), e.cfg, programOptions{Name: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	keepRunning(b, p)
	return p
}

// renewAll renews certificates at once and returns how long that took.
func renewAll(b *testing.B, p *program, names ...string) time.Duration {
	b.Helper()
	start := time.Now()
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			r, err := p.runner.Start(b.Context(), renew.Ask{Certificate: name, By: renew.Person{ID: "bench:ana", Name: "ana"}, Force: true})
			if err == nil {
				r, err = p.runner.Wait(b.Context(), r.ID)
			}
			if err != nil || r.State != renew.Done {
				b.Errorf("%s: %v %s: %s", name, err, r.State, r.Problem)
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

// BenchmarkOneCertificate: one certificate from Pebble with journal, rollout
// to one host and verification. May be at most 0.15 s.
func BenchmarkOneCertificate(b *testing.B) {
	p := benchProgram(b, 1)
	renewAll(b, p, "site0")
	var total time.Duration
	for b.Loop() {
		total += renewAll(b, p, "site0")
	}
	s := total.Seconds() / float64(b.N)
	b.ReportMetric(s, "s/certificate")
	b.ReportMetric(s/0.15, "of-0.15s")
}

// BenchmarkHundredCertificates: a hundred at once. May be at most 3 s.
func BenchmarkHundredCertificates(b *testing.B) {
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("site%d", i)
	}
	p := benchProgram(b, len(names))
	var total time.Duration
	for b.Loop() {
		total += renewAll(b, p, names...)
	}
	s := total.Seconds() / float64(b.N)
	b.ReportMetric(s, "s/100-certificates")
	b.ReportMetric(s/3, "of-3s")
}

// BenchmarkStart100k: opening the whole program on a record with 100,000
// timeline entries. May be at most 0.5 s.
func BenchmarkStart100k(b *testing.B) {
	dir := b.TempDir()
	cfg := config{File: filepath.Join(dir, "certmedic.yaml"), Data: filepath.Join(dir, "certmedic.db"), Listen: "127.0.0.1:0"}
	fillRecord(b, cfg, 100_000)
	var total time.Duration
	for b.Loop() {
		start := time.Now()
		p, err := open(b.Context(), cfg, programOptions{Name: "bench", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		if r := p.rooms.Say(b.Context(), commands.Request{Text: "/incident list", Room: "main", At: time.Now(), By: commands.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}}); !r.Problem.IsZero() {
			b.Fatal(r.Problem)
		}
		total += time.Since(start)
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
	s := total.Seconds() / float64(b.N)
	b.ReportMetric(s, "s/start")
	b.ReportMetric(s/0.5, "of-0.5s")
}

// fillRecord writes n notes into one incident.
func fillRecord(b *testing.B, cfg config, n int) {
	b.Helper()
	if _, err := renew.MasterKey(masterKeyPath(cfg.Data), false); err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), cfg.Data, store.Options{Program: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	book := incident.NewBook(s, time.Now)
	ana := incident.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}
	var ids []string
	for i := range 64 {
		inc, err := book.Declare(b.Context(), incident.Declaration{Title: fmt.Sprintf("load %d", i), By: ana}, true)
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, inc.ID)
	}
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			for i := range n / len(ids) {
				if _, _, _, err := book.Append(b.Context(), id, incident.Entry{Kind: incident.NoteKind, Text: fmt.Sprintf("note %d", i), By: ana}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkIdleMemory: a server's resident memory with 1,000 endpoints, looked
// at once. May be at most 40 MB.
func BenchmarkIdleMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("resident memory is read from /proc, which Linux alone has")
	}
	dir := b.TempDir()
	address := sharedHost(b)
	var text strings.Builder
	fmt.Fprintf(&text, "data: certmedic.db\nlisten: 127.0.0.1:0\nteams: {web: {people: [ana]}}\nissuers: {le: {directory: https://127.0.0.1:1/dir}}\nrehearse: {every: never}\ncertificates:\n")
	_, port, _ := net.SplitHostPort(address)
	for i := range 1000 {
		fmt.Fprintf(&text, "  - {name: site%d, domains: [site%d.example.test], owner: web, issuer: le, challenge: {http-01: {listen: \"127.0.0.1:5002\"}}, endpoints: [{host: site%d.example.test, port: %s, addresses: [127.0.0.1]}]}\n", i, i, i, port)
	}
	file := filepath.Join(dir, "certmedic.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	binary := buildProgram(b)
	for b.Loop() {
		c := exec.Command(binary, "serve", "-c", file)
		out, err := c.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 200)); err != nil { // it says where the room is
			b.Fatal(err)
		}
		waitChecked(b, binary, file, 1000)
		time.Sleep(15 * time.Second) // idle: what was found is told, and memory given back
		mb := residentMB(b, c.Process.Pid)
		_ = c.Process.Kill()
		_ = c.Wait()
		b.ReportMetric(mb, "MB/resident")
		b.ReportMetric(mb/40, "of-40MB")
	}
}

// sharedHost is one TLS server with a certificate for every name.
func sharedHost(b *testing.B) string {
	ca, err := renewtest.NewCA(renewtest.CAOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(ca.Close)
	dir := b.TempDir()
	mintInto(b, ca, dir, "*.example.test", 90*24*time.Hour)
	return fileHost(b, dir)
}

// waitChecked waits until the server has looked at n certificates.
func waitChecked(b *testing.B, binary, file string, n int) {
	b.Helper()
	for range 300 {
		out, _ := exec.Command(binary, "run", "-c", file, "--json", "/certcheck --all").Output()
		var r commands.Reply
		if json.Unmarshal(out, &r) == nil && r.State == commands.StateCritical {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	b.Fatalf("the estate was not looked at within a minute (%d endpoints)", n)
}

// residentMB reads a process' resident memory, in MB.
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for l := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(l, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1000
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
