package probe

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadRoots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := newRoot(t, "A"), newRoot(t, "B")
	block := func(typ string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}) }
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	both := write("both.pem", bytes.Join([][]byte{[]byte("# roots\n"), block("CERTIFICATE", a.cert.Raw), block("CERTIFICATE", b.cert.Raw)}, []byte("text\n")))
	der := write("a.der", a.cert.Raw)
	trusts := func(p *x509.CertPool, c *authority) bool { return anchors(p, c.cert) }
	p, err := LoadRoots(both)
	if err != nil || !trusts(p, a) || !trusts(p, b) {
		t.Errorf("both.pem: %v", err)
	}
	if p, err = LoadRoots(der); err != nil || !trusts(p, a) || trusts(p, b) {
		t.Errorf("a.der: %v", err)
	}
	if p, err = LoadRoots(); err != nil || trusts(p, a) {
		t.Errorf("no files: %v", err)
	}
	bad := map[string]string{
		write("empty.pem", nil):                                    "is empty",
		write("key.pem", block("PRIVATE KEY", []byte("x"))):        "holds a PRIVATE KEY and no certificate",
		write("junk.pem", []byte("hello")):                         "neither PEM nor a DER",
		write("broken.pem", block("CERTIFICATE", a.cert.Raw[:50])): "block 1 of",
		write("cut.pem", append(block("CERTIFICATE", a.cert.Raw), block("CERTIFICATE", b.cert.Raw)[:200]...)): "damaged PEM block after 1 certificate",
		write("none.pem", []byte("-----BEGIN CERTIFICATE-----\nx")):                                           "damaged PEM block",
		filepath.Join(dir, "absent.pem"):                                                                      "no such file",
		dir:                                                                                                   "directory",
	}
	for name, says := range bad {
		if _, err := LoadRoots(both, name); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
}

// FuzzRoots reads a stranger's file.
func FuzzRoots(f *testing.F) {
	r := newRoot(f, "R")
	f.Add(r.cert.Raw)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.cert.Raw}))
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, err := parseRoots("f", b)
		if (err == nil) == (len(certs) == 0) {
			t.Errorf("%d certificates and error %v", len(certs), err)
		}
	})
}
