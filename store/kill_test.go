package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// Some tests need a process of its own: they start this test binary again
// with childEnv set.
const childEnv = "CERTMEDIC_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "append":
		childAppend(os.Args[1], os.Args[2])
	case "full":
		childFull(os.Args[1])
	}
}

// child makes a command that runs this binary as the named child.
func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// childAppend appends numbers from 32 goroutines for ever, and prints each
// one when it is acknowledged.
func childAppend(path, round string) {
	b, err := store.Open(context.Background(), path, store.Options{Timeout: 10 * time.Second})
	fail(err)
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				k := fmt.Sprintf("n/%s/%d/%d", round, w, i)
				fail(put(b, k, strings.Repeat(k, 1+i%20)))
				out.Lock()
				_, _ = os.Stdout.WriteString(k + "\n") // one write each; the reader may be gone
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKilled kills a writing process at a random moment, 50 times over the
// same file: whatever it acknowledged is there, whole.
func TestKilled(t *testing.T) {
	t.Parallel()
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	path := filepath.Join(t.TempDir(), "certmedic.db")
	acked := 0
	for round := range rounds {
		lines := killOne(t, path, fmt.Sprint(round))
		acked += len(lines)
		b, err := store.Open(context.Background(), path, store.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		err = b.View(context.Background(), func(tx store.Tx) error {
			for _, k := range lines {
				v, err := tx.Get(k)
				if err != nil {
					return err
				}
				if len(v) == 0 || strings.ReplaceAll(string(v), k, "") != "" {
					t.Errorf("round %d: %s was acknowledged and is %q", round, k, v)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		checkFile(t, path)
	}
	if acked < rounds {
		t.Errorf("only %d records were acknowledged in %d rounds", acked, rounds)
	}
	t.Logf("%d acknowledged records in %d rounds", acked, rounds)
}

// killOne runs one writer until a random moment after its first record, and
// returns what it acknowledged.
func killOne(t *testing.T, path, round string) []string {
	t.Helper()
	cmd := child(t, "append", path, round)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	var timer *time.Timer
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil { // a line cut by the kill is not an acknowledgement
			break
		}
		if lines = append(lines, strings.TrimSuffix(line, "\n")); timer == nil {
			timer = time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait() // killed
	if timer == nil {
		t.Fatalf("round %s: the writer ended before its first record", round)
	}
	timer.Stop()
	return lines
}
