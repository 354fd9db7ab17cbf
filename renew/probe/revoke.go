package probe

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certmedic/certmedic/renew"
)

// staple judges the OCSP response that came with the handshake (RFC 6066
// section 8); nothing is fetched.
func (j *judge) staple(sv served, l *look, t *trust) {
	c := sv.leaf
	if len(l.staple) == 0 {
		if mustStaple(c) {
			j.add(found("must_staple_no_staple", about(j.s.text, c), "%s serves a certificate that demands a stapled OCSP response, and staples none", j.s.text))
		}
		return
	}
	issuer := issuerOf(sv, t)
	if issuer == nil {
		return
	}
	r, err := ocsp.ParseResponseForCert(l.staple, c, issuer)
	if err == nil && r.Status == ocsp.Revoked {
		j.add(found("revoked", with(about(j.s.text, c), "source", "stapled OCSP response", "revoked_at", stamp(r.RevokedAt)),
			"%s serves a certificate that its CA revoked at %s, as its own OCSP staple says", j.s.text, stamp(r.RevokedAt)))
	}
}

// revocation reads the leaf's CRL (RFC 5280 section 5) when that is switched
// on. What cannot be read is never good.
func (j *judge) revocation(ctx context.Context, sv served, t *trust) {
	c := sv.leaf
	if !j.p.o.CRL || j.has("revoked", "self_signed") {
		return
	}
	issuer := issuerOf(sv, t)
	proof := with(about(j.s.text, c), "source", "CRL")
	if issuer == nil {
		j.add(unknown(j.s.text, proof, "its issuer is not known"))
		return
	}
	if len(c.CRLDistributionPoints) == 0 {
		if c.NotAfter.Sub(c.NotBefore) > 10*24*time.Hour { // a short-lived one needs none
			j.add(unknown(j.s.text, proof, "it names no CRL"))
		}
		return
	}
	var why error
	for _, u := range c.CRLDistributionPoints[:min(2, len(c.CRLDistributionPoints))] {
		at, listed, err := j.readCRL(ctx, u, c, issuer)
		switch {
		case err != nil:
			why = err
			continue
		case listed:
			j.add(found("revoked", with(proof, "crl", u, "revoked_at", stamp(at)), "%s serves a certificate that its CA revoked at %s", j.s.text, stamp(at)))
		}
		return
	}
	j.add(unknown(j.s.text, with(proof, "error", why.Error()), clean(why.Error(), 160)))
}

func unknown(address string, proof map[string]string, why string) renew.Finding {
	return found("revocation_unknown", proof, "whether the certificate at %s is revoked cannot be told: %s", address, why)
}

// readCRL fetches and checks a CRL, and looks c up in it.
func (j *judge) readCRL(ctx context.Context, u string, c, issuer *x509.Certificate) (at time.Time, listed bool, err error) {
	body, err := j.fetch.get(ctx, u, maxCRL)
	if err != nil {
		return at, false, err
	}
	crl, err := x509.ParseRevocationList(body)
	if err != nil {
		return at, false, fmt.Errorf("%s gives no CRL", clean(u, 100))
	}
	if err := crl.CheckSignatureFrom(issuer); err != nil {
		return at, false, fmt.Errorf("the CRL at %s is not signed by the issuer", clean(u, 100))
	}
	if j.now.Before(crl.ThisUpdate) {
		return at, false, fmt.Errorf("the CRL at %s begins only at %s", clean(u, 100), stamp(crl.ThisUpdate))
	}
	if !crl.NextUpdate.IsZero() && j.now.After(crl.NextUpdate) {
		return at, false, fmt.Errorf("the CRL at %s is stale since %s", clean(u, 100), stamp(crl.NextUpdate))
	}
	for _, e := range crl.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) == 0 && e.ReasonCode != 8 { // 8: removeFromCRL
			return e.RevocationTime, true, nil
		}
	}
	return at, false, nil
}
