package probe

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5" // to check signatures of old chains
	"crypto/rsa"
	_ "crypto/sha1" // to check signatures of old chains
	"crypto/x509"
	"time"
)

// maxChain bounds how many certificates of a server are judged.
const maxChain = 16

// leafIndex says where the end-entity certificate stands: 0, unless the first
// is a CA and a later one is not. -1 for no certificates.
func leafIndex(certs []*x509.Certificate) int {
	if len(certs) == 0 {
		return -1
	}
	if certs[0].IsCA {
		for i, c := range certs[:min(len(certs), maxChain)] {
			if !c.IsCA && c.BasicConstraintsValid || !c.IsCA && len(c.DNSNames) > 0 {
				return i
			}
		}
	}
	return 0
}

// served is a recorded chain, sorted out.
type served struct {
	leaf  *x509.Certificate
	rest  []*x509.Certificate // the others, each once, in the order served
	path  []*x509.Certificate // leaf, its issuer, and so on, as far as served
	at    map[*x509.Certificate]int
	twice []*x509.Certificate // served more than once
	first int                 // index of the leaf
	total int                 // certificates served
}

// sortOut finds the leaf and walks up from it through what was served. Links
// are by name and signature, also with algorithms that are not accepted any
// more.
func sortOut(certs []*x509.Certificate, now time.Time) served {
	s := served{first: leafIndex(certs), total: len(certs), at: map[*x509.Certificate]int{}}
	certs = certs[:min(len(certs), maxChain)]
	s.leaf = certs[s.first]
	for i, c := range certs {
		known := i != s.first && c.Equal(s.leaf)
		for _, k := range s.rest {
			known = known || k.Equal(c)
		}
		switch {
		case known:
			s.twice = append(s.twice, c)
			continue
		case i != s.first:
			s.rest = append(s.rest, c)
		}
		s.at[c] = i
	}
	s.path = walk(s.leaf, s.rest, now)
	return s
}

// walk follows issuers among the candidates, preferring one that is valid now.
func walk(leaf *x509.Certificate, candidates []*x509.Certificate, now time.Time) []*x509.Certificate {
	path := []*x509.Certificate{leaf}
	for len(path) <= maxChain {
		top := path[len(path)-1]
		if selfSigned(top) {
			break
		}
		var best *x509.Certificate
		for _, c := range candidates {
			if contains(path, c) || !bytes.Equal(c.RawSubject, top.RawIssuer) || !signed(c, top) {
				continue
			}
			if best == nil || !validAt(best, now) && validAt(c, now) {
				best = c
			}
		}
		if best == nil {
			break
		}
		path = append(path, best)
	}
	return path
}

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	for _, k := range list {
		if k == c || k.Equal(c) {
			return true
		}
	}
	return false
}

// selfIssued: subject and issuer are the same name.
func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// selfSigned: the certificate's own key signed it.
func selfSigned(c *x509.Certificate) bool { return selfIssued(c) && signed(c, c) }

// signed says whether issuer's key made c's signature. SHA-1 and MD5, which
// crypto/x509 refuses, are checked here.
func signed(issuer, c *x509.Certificate) bool {
	var h crypto.Hash
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		h = crypto.SHA1
	case x509.MD5WithRSA:
		h = crypto.MD5
	default:
		return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
	}
	d := h.New()
	d.Write(c.RawTBSCertificate)
	switch k := issuer.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, h, d.Sum(nil), c.Signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, d.Sum(nil), c.Signature)
	}
	return false
}

// validAt: both ends are inside (RFC 5280 section 4.1.2.5), in whole seconds.
func validAt(c *x509.Certificate, t time.Time) bool {
	t = t.Truncate(time.Second)
	return !t.Before(c.NotBefore) && !t.After(c.NotAfter)
}

func expiredAt(c *x509.Certificate, t time.Time) bool {
	return t.Truncate(time.Second).After(c.NotAfter)
}

// weakSignature: MD5 or SHA-1.
func weakSignature(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}
