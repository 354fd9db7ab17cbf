package deploy

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

// This file holds the four files of a version in memory: how they are made
// from a chain and a key, and whether they belong together.

// The four kinds of file, named as certbot names them. The key is last.
const (
	kindCert  = "cert"      // the leaf
	kindChain = "chain"     // the intermediates
	kindFull  = "fullchain" // leaf and intermediates
	kindKey   = "privkey"
)

var kinds = []string{kindCert, kindChain, kindFull, kindKey}

// files is the content by kind; a kind that is not there has no element.
type files map[string][]byte

// fromMaterial checks that key and leaf belong together and that the
// fingerprint is the leaf's, and splits the chain.
func fromMaterial(m renew.Material) (files, error) {
	pair, err := tls.X509KeyPair(m.Chain, m.Key)
	if err != nil {
		return nil, fmt.Errorf("refused, key and certificate do not belong together: %w", err)
	}
	if sum := fingerprint(pair.Leaf); m.SHA256 != "" && !strings.EqualFold(sum, m.SHA256) {
		return nil, fmt.Errorf("refused, the certificate's fingerprint is %.16s and not %.16s", sum, m.SHA256)
	}
	f, err := split(m.Chain)
	if err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	f[kindKey] = bytes.Clone(m.Key)
	return f, nil
}

// split makes cert, chain and fullchain of a PEM chain, leaf first.
func split(chain []byte) (files, error) {
	var certs [][]byte
	for b, rest := pem.Decode(chain); b != nil; b, rest = pem.Decode(rest) {
		if b.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(b.Bytes); err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", len(certs)+1, err)
		}
		certs = append(certs, pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: b.Bytes}))
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in the chain")
	}
	return files{
		kindCert:  certs[0],
		kindChain: bytes.Join(certs[1:], nil),
		kindFull:  bytes.Join(certs, nil),
	}, nil
}

// completed fills in what can be derived: a directory that was kept by hand
// often holds only fullchain.pem and privkey.pem.
func (f files) completed() files {
	out := files{}
	for k, b := range f {
		out[k] = b
	}
	if _, ok := out[kindFull]; !ok && out[kindCert] != nil {
		out[kindFull] = append(bytes.Clone(out[kindCert]), out[kindChain]...)
	}
	parts, err := split(out[kindFull])
	if err != nil {
		return out
	}
	for _, k := range []string{kindCert, kindChain} {
		if _, ok := out[k]; !ok {
			out[k] = parts[k]
		}
	}
	return out
}

// leaf returns the certificate that a service would serve.
func (f files) leaf() (*x509.Certificate, bool) {
	for _, k := range []string{kindFull, kindCert} {
		for b, rest := pem.Decode(f[k]); b != nil; b, rest = pem.Decode(rest) {
			if b.Type != "CERTIFICATE" {
				continue
			}
			c, err := x509.ParseCertificate(b.Bytes)
			return c, err == nil
		}
	}
	return nil, false
}

// fits reports that every certificate file present belongs to the key.
func (f files) fits() bool {
	n := 0
	for _, k := range []string{kindFull, kindCert} {
		b, ok := f[k]
		if !ok {
			continue
		}
		if _, err := tls.X509KeyPair(b, f[kindKey]); err != nil {
			return false
		}
		n++
	}
	return n > 0
}

func (f files) complete() bool { return len(f) == len(kinds) }

func (f files) equal(g files) bool {
	for _, k := range kinds {
		a, inF := f[k]
		b, inG := g[k]
		if inF != inG || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}

// within reports that every file of part is a file of f.
func (f files) within(part files) bool {
	for k, b := range part {
		if own, ok := f[k]; !ok || !bytes.Equal(own, b) {
			return false
		}
	}
	return true
}

// fingerprint is the SHA-256 of the DER certificate, lower-case hexadecimal.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
