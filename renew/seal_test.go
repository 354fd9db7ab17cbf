package renew

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

func TestSealerRefusesAnotherPurpose(t *testing.T) {
	t.Parallel()
	s, err := NewSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("a private key")
	sealed, err := s.Seal("key/R-1", plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open("key/R-1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q %v", got, err)
	}
	other, _ := NewSealer(bytes.Repeat([]byte{8}, 32))
	for name, f := range map[string]func() ([]byte, error){
		"purpose":   func() ([]byte, error) { return s.Open("key/R-2", sealed) },
		"master":    func() ([]byte, error) { return other.Open("key/R-1", sealed) },
		"version":   func() ([]byte, error) { b := bytes.Clone(sealed); b[0]++; return s.Open("key/R-1", b) },
		"bit":       func() ([]byte, error) { b := bytes.Clone(sealed); b[len(b)-1] ^= 1; return s.Open("key/R-1", b) },
		"truncated": func() ([]byte, error) { return s.Open("key/R-1", sealed[:20]) },
		"empty":     func() ([]byte, error) { return s.Open("key/R-1", nil) },
	} {
		if got, err := f(); err == nil || got != nil {
			t.Errorf("%s: opened", name)
		}
	}
	if again, _ := s.Seal("key/R-1", plain); bytes.Equal(again, sealed) {
		t.Error("the nonce is not fresh")
	}
	if _, err := NewSealer([]byte("short")); !errors.Is(err, ErrMasterKey) {
		t.Errorf("short: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(s, "7") {
		t.Errorf("printed: %s", s)
	}
}

func TestMasterKey(t *testing.T) {
	t.Setenv(envMasterKey, "")
	t.Setenv(envMasterKeyFile, "")
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := MasterKey(path, true); !errors.Is(err, ErrMasterKey) || !strings.Contains(err.Error(), path) {
		t.Errorf("data without a key: %v", err)
	}
	key, err := MasterKey(path, false)
	if err != nil || len(key) != 32 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if again, err := MasterKey(path, true); err != nil || !bytes.Equal(again, key) {
		t.Errorf("another key the second time: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".master-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := MasterKey(path, true); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("readable by others: %v", err)
	}
	named := filepath.Join(t.TempDir(), "named")
	t.Setenv(envMasterKeyFile, named)
	if _, err := MasterKey(path, false); err == nil || !strings.Contains(err.Error(), named) {
		t.Errorf("a named file that is missing: %v", err)
	}
	if _, err := os.Stat(named); err == nil {
		t.Error("a named file was made")
	}
	t.Setenv(envMasterKey, "c2VjcmV0")
	if _, err := MasterKey(path, false); err == nil || strings.Contains(err.Error(), "c2Vj") {
		t.Errorf("short in the environment: %v", err)
	}
	t.Setenv(envMasterKey, base64.StdEncoding.EncodeToString(key))
	if got, err := MasterKey(path, false); err != nil || !bytes.Equal(got, key) {
		t.Errorf("from the environment: %v", err)
	}
}

// TestNoKeyInClear looks for every private key that was made in the record,
// its backup, the events, the journal and the log.
func TestNoKeyInClear(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, time.Hour)
	b.hosts[1].failTest = errors.New("exit status 1")
	e := b.start(t)
	ctx := soon(t)
	first := e.renew(t, Ask{Force: true})
	b.hosts[1].set(func() { b.hosts[1].failTest = nil })
	second := e.renew(t, Ask{Force: true})
	if first.State != RolledBack || second.State != Done {
		t.Fatal(first.Problem, second.Problem)
	}
	var backup bytes.Buffer
	if _, err := e.store.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	account, err := e.o.Sealer.Open("account/test", accountKey(t, e))
	if err != nil {
		t.Fatal(err)
	}
	keys := [][]byte{account}
	for _, n := range []int{1, 2} {
		k, err := e.storedKey(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	e.stop()
	events, err := json.Marshal(b.seen())
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	var needles [][]byte
	for _, der := range keys {
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		scalar := parsed.(interface{ Bytes() ([]byte, error) })
		raw, err := scalar.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		needles = append(needles, raw, der, text[30:90], []byte(base64.StdEncoding.EncodeToString(raw)), fmt.Appendf(nil, "%x", raw), fmt.Appendf(nil, "%d", raw[:8]))
	}
	needles = append(needles, []byte("PRIVATE KEY"))
	for name, hay := range map[string][]byte{"record": record, "backup": backup.Bytes(), "events": events} {
		if len(hay) < 1000 {
			t.Fatalf("%s has %d bytes", name, len(hay))
		}
		for i, n := range needles {
			if bytes.Contains(hay, n) {
				t.Errorf("the %s holds a private key in clear (needle %d)", name, i)
			}
		}
	}
	// And the search would find one: the host's own file has it.
	pair, err := os.ReadFile(filepath.Join(b.hosts[0].dir, "current", "privkey.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(pair, []byte("PRIVATE KEY")) {
		t.Error("the host has no key")
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(b.hosts[0].dir, "current", "fullchain.pem"), filepath.Join(b.hosts[0].dir, "current", "privkey.pem")); err != nil {
		t.Error(err)
	}
}

func accountKey(t *testing.T, e *engine) []byte {
	t.Helper()
	var rec diskAccount
	err := e.store.View(soon(t), func(tx store.Tx) error {
		v, err := tx.Get(keyAccount("test"))
		if err != nil {
			return err
		}
		return unpack("account", v, &rec)
	})
	if err != nil {
		t.Fatal(err)
	}
	return rec.Key
}
