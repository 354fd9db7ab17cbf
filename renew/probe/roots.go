package probe

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
)

const maxRootsFile = 16 << 20 // bytes

// LoadRoots returns the system's roots with those of the files added. A file
// holds PEM certificates (other text between them is passed over) or one DER
// certificate. Every certificate of a file becomes an anchor, a CA or not.
func LoadRoots(files ...string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, name := range files {
		certs, err := readRoots(name)
		if err != nil {
			return nil, err
		}
		for _, c := range certs {
			pool.AddCert(c)
		}
	}
	return pool, nil
}

func readRoots(name string) ([]*x509.Certificate, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("roots: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRootsFile+1))
	if err != nil {
		return nil, fmt.Errorf("roots: read %s: %w", name, err)
	}
	if len(data) > maxRootsFile {
		return nil, fmt.Errorf("roots: %s is larger than %d MiB", name, maxRootsFile>>20)
	}
	return parseRoots(name, data)
}

// parseRoots reads PEM or DER. name is for the errors.
func parseRoots(name string, data []byte) ([]*x509.Certificate, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("roots: %s is empty; it must hold PEM certificates", name)
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		c, err := x509.ParseCertificate(data)
		if err != nil {
			return nil, fmt.Errorf("roots: %s is neither PEM nor a DER certificate (%w)", name, err)
		}
		return []*x509.Certificate{c}, nil
	}
	var certs []*x509.Certificate
	other := ""
	for n := 1; ; n++ {
		var b *pem.Block
		b, data = pem.Decode(data)
		if b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			other = clean(b.Type, 40)
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("roots: block %d of %s does not parse: %w", n, name, err)
		}
		certs = append(certs, c)
	}
	if bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) {
		return nil, fmt.Errorf("roots: %s has a damaged PEM block after %s", name, plural(len(certs), "certificate"))
	}
	if len(certs) == 0 && other != "" {
		return nil, fmt.Errorf("roots: %s holds a %s and no certificate", name, other)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("roots: %s holds no PEM certificate that can be read", name)
	}
	return certs, nil
}
