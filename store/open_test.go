package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
	bolt "go.etcd.io/bbolt"
)

// otherBolt makes a bbolt file with the given buckets, each with one key.
func otherBolt(t testing.TB, path string, buckets map[string][2]string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for n, kv := range buckets {
			b, err := tx.CreateBucket([]byte(n))
			if err != nil {
				return err
			}
			if err := b.Put([]byte(kv[0]), []byte(kv[1])); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// sample returns the bytes of a small store (a backup, so without free space).
func sample(t testing.TB, records int) []byte {
	t.Helper()
	b, _ := open(t, store.Options{})
	fill(t, b, records)
	if _, err := b.Lock(context.Background(), "media", "ana", time.Hour); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := b.Backup(context.Background(), &buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// fill puts n records of about 200 bytes, 100 in an update.
func fill(t testing.TB, s store.Store, n int) {
	t.Helper()
	value := bytes.Repeat([]byte("v"), 180)
	for at := 0; at < n; at += store.MaxKeys {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for i := at; i < min(n, at+store.MaxKeys); i++ {
				if err := tx.Put("entry/"+key(i), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func key(i int) string { return string(binary.BigEndian.AppendUint64(nil, uint64(i))) }

// seal mends the checksums of both meta pages, as somebody would who means harm.
func seal(data []byte) []byte {
	data = bytes.Clone(data)
	for _, at := range []int{16, os.Getpagesize() + 16} {
		if len(data) < at+64 {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write(data[at : at+56])
		binary.NativeEndian.PutUint64(data[at+56:], h.Sum64())
	}
	return data
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := sample(t, 300)
	page := os.Getpagesize()
	patch := func(at int, b ...byte) []byte {
		d := bytes.Clone(good)
		copy(d[at:], b)
		return d
	}
	boltFile := func(buckets map[string][2]string) []byte {
		p := filepath.Join(t.TempDir(), "x.db")
		otherBolt(t, p, buckets)
		d, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"empty", nil, store.ErrNotOurs, "remove it"},
		{"text", []byte("data: certmedic.db\n"), store.ErrNotOurs, "name another file"},
		{"long text", bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 1000), store.ErrNotOurs, "name another file"},
		{"zeros", make([]byte, 1<<16), store.ErrNotOurs, "name another file"},
		{"bbolt without buckets", boltFile(nil), store.ErrNotOurs, "another program"},
		{"another program's bbolt", boltFile(map[string][2]string{"etcd": {"k", "v"}}), store.ErrNotOurs, "another program"},
		{"mark without version", boltFile(map[string][2]string{"certmedic": {"k", "v"}}), store.ErrNotOurs, "version"},
		{"newer", boltFile(map[string][2]string{"certmedic": {"schema", "2"}, "unheard": {"k", "v"}}), store.ErrNewer, "version 2, this program knows up to 1"},
		{"much newer", boltFile(map[string][2]string{"certmedic": {"schema", "731"}}), store.ErrNewer, "731"},
		{"cut short", good[:len(good)/2], store.ErrDamaged, "backup"},
		{"cut to its metas", good[:2*page], store.ErrDamaged, "backup"},
		{"both metas broken", patch(page+20, 0xff, 0xff)[:len(good)], nil, ""},
		{"buckets missing", boltFile(map[string][2]string{"certmedic": {"schema", "1"}}), store.ErrDamaged, "missing"},
		{"zeroed pages", append(bytes.Clone(good[:2*page]), make([]byte, len(good)-2*page)...), store.ErrDamaged, "backup"},
		{"root far away", seal(patch(16+16, 0xff, 0xff, 0xff, 0x7f)), store.ErrDamaged, "backup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "certmedic.db")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := store.Open(context.Background(), path, store.Options{})
			if c.want == nil { // one good meta page is enough
				if err != nil {
					t.Fatal(err)
				}
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %v with %q", err, c.want, c.says)
			}
			unchanged(t, path, c.data)
		})
	}
}

// unchanged checks that the file holds data and stands alone in its directory.
func unchanged(t testing.TB, path string, data []byte) {
	t.Helper()
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(now, data) {
		t.Error("the refused file was changed")
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 {
		t.Errorf("files left behind: %v", names)
	}
}

func TestOpenPaths(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	for path, says := range map[string]string{
		"":                             "data:",
		dir:                            "not a file",
		filepath.Join(dir, "no", "db"): "mkdir -p",
	} {
		if _, err := store.Open(ctx, path, store.Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("open %q: %v, want %q in it", path, err, says)
		}
	}
	link := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(ctx, link, store.Options{}); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("dangling link: %v", err)
	}
	// Through a link the holder is found beside the file itself.
	real := filepath.Join(dir, "real.db")
	if err := os.Symlink(real, filepath.Join(dir, "link.db")); err != nil {
		t.Fatal(err)
	}
	b, _ := openAt(t, real, store.Options{Program: "certmedic serve"})
	_, err := store.Open(ctx, filepath.Join(dir, "link.db"), store.Options{Timeout: time.Millisecond})
	var used *store.InUseError
	if !errors.As(err, &used) || used.Holder.Program != "certmedic serve" {
		t.Errorf("open through a link: %v", err)
	}
	if b.Path() != real {
		t.Errorf("path %s, want %s", b.Path(), real)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.Open(ended, filepath.Join(dir, "new.db"), store.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("open with an ended context: %v", err)
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 2, 4, 5, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "certmedic.db")
	// What a killed process left is overwritten.
	if err := os.WriteFile(path+".holder", []byte(`{"version":1,"program":"dead","pid":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	b, _ := openAt(t, path, store.Options{Program: "certmedic serve", Now: func() time.Time { return at }})
	if err := b.SetAddress("http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err := store.Open(ctx, path, store.Options{Timeout: 50 * time.Millisecond})
	var used *store.InUseError
	if !errors.As(err, &used) {
		t.Fatalf("second open: %v, want an InUseError", err)
	}
	want := store.Holder{Program: "certmedic serve", PID: os.Getpid(), Address: "http://127.0.0.1:8080", Since: at}
	if used.Holder != want || used.Path != path {
		t.Errorf("in use by %+v at %s, want %+v", used.Holder, used.Path, want)
	}
	if !strings.Contains(err.Error(), "certmedic serve, process ") || !strings.Contains(err.Error(), "2026-11-21 02:04:05Z") {
		t.Errorf("message %q", err)
	}
	if waited := time.Since(start); waited < 50*time.Millisecond {
		t.Errorf("gave up after %s", waited)
	}
	if st, err := os.Stat(path + ".holder"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("holder file: %v, %v", st, err)
	}
	// One who waits gets it when the holder leaves.
	got := make(chan error, 1)
	go func() {
		c, err := store.Open(ctx, path, store.Options{Timeout: time.Minute})
		if err == nil {
			err = c.Close()
		}
		got <- err
	}()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("waiting open: %v", err)
	}
}

// TestOpenRace makes one new file from many sides: all but one find it in
// use, and no acknowledged record is in a file that another has replaced.
func TestOpenRace(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(t.TempDir(), "certmedic.db")
		got := make(chan *store.Bolt, 4)
		for range 4 {
			go func() {
				b, err := store.Open(context.Background(), path, store.Options{Timeout: time.Millisecond})
				var used *store.InUseError
				if err != nil && !errors.As(err, &used) {
					t.Errorf("open: %v", err)
				}
				got <- b
			}()
		}
		var winners []*store.Bolt
		for range 4 {
			if b := <-got; b != nil {
				winners = append(winners, b)
			}
		}
		if len(winners) != 1 {
			t.Fatalf("%d have the file open, want 1", len(winners))
		}
		if err := put(winners[0], "a", "1"); err != nil {
			t.Fatal(err)
		}
		if err := winners[0].Close(); err != nil {
			t.Fatal(err)
		}
		b, _ := openAt(t, path, store.Options{})
		if got := get(t, b, "a"); got != "1" {
			t.Errorf("a = %q, want 1", got)
		}
	}
}

// FuzzOpen opens hostile bytes, with their checksums mended or not: never a
// panic or a fault, and what is refused stays as it is.
func FuzzOpen(f *testing.F) {
	good := sample(f, 60) // before Fuzz, whose targets may not use f
	page := os.Getpagesize()
	f.Add([]byte(nil), false)
	f.Add(good, false)
	f.Add(good[:len(good)-1], false)
	f.Add(good[:3*page], true)
	for at := 0; at < len(good); at += 2039 { // one wrong byte here and there
		d := bytes.Clone(good)
		d[at] ^= 0x55
		f.Add(d, true)
	}
	for p := 0; p < len(good)/page; p++ { // every header field of every page
		for _, at := range []int{0, 8, 10, 12, 16, 20, 24, 28, 32, 48, 56, 64} {
			d := bytes.Clone(good)
			d[p*page+at] ^= 0x81
			f.Add(d, true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, mend bool) {
		if mend {
			data = seal(data)
		}
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := store.Open(context.Background(), path, store.Options{Timeout: 10 * time.Millisecond})
		if err != nil {
			unchanged(t, path, data)
			return
		}
		n := 0
		err = b.View(context.Background(), func(tx store.Tx) error {
			return tx.Scan(store.Range{Reverse: true}, func(string, []byte) error { n++; return nil })
		})
		err = errors.Join(err, put(b, "entry/new", "1"))
		for half := range 2 {
			err = errors.Join(err, b.Update(context.Background(), func(tx store.Tx) error {
				for i := half * 30; i < half*30+30; i++ {
					if err := tx.Delete("entry/" + key(i)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		if err = errors.Join(err, b.Close()); err != nil {
			t.Errorf("use of an accepted file: %v", err)
		}
		checkFile(t, path)
	})
}
