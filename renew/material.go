package renew

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// This file checks what the CA issued before a host is touched.

// parseChain reads a PEM chain.
func parseChain(chain []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for rest := chain; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the chain holds a %s block", b.Type)
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("the chain holds no certificate")
	}
	return certs, nil
}

func firstPEM(chain []byte) []byte {
	b, _ := pem.Decode(chain)
	if b == nil {
		return nil
	}
	return pem.EncodeToMemory(b)
}

// material is what judge looks at.
type material struct {
	chain   []byte
	spki    []byte // of our key, DER
	domains []string
	now     time.Time
	served  time.Time // NotAfter of what is served; zero: nothing to compare
	staging bool      // a staging CA is what was configured
}

// judge returns the leaf and every fault of the material. Only a critical one
// stands in the way.
func (m material) judge() (Leaf, []Finding) {
	var fs []Finding
	add := func(id string, s Severity, cause, next string) {
		fs = append(fs, Finding{ID: id, Severity: s, Cause: cause, Next: next})
	}
	certs, err := parseChain(m.chain)
	if err != nil {
		add("malformed", Critical, "What the CA handed out cannot be read: "+sentence(err.Error()), "Ask the CA; the old certificate goes on serving.")
		return Leaf{}, fs
	}
	leaf := certs[0]
	if leaf.IsCA {
		add("leaf_not_first", Critical, "The first certificate of the chain is a CA's, not the leaf.", "Ask the CA for a chain in order.")
	}
	if !bytes.Equal(leaf.RawSubjectPublicKeyInfo, m.spki) {
		add("key_mismatch", Critical, "The certificate is for another key than the one made for it.", "Start again: that makes a new key and order.")
	}
	if missing := missingNames(leaf, m.domains); len(missing) > 0 {
		add("name_mismatch", Critical, "The certificate lacks "+list(missing)+".", "Look at what the CA may issue for and start again.")
	}
	for i := 0; i+1 < len(certs); i++ {
		if !bytes.Equal(certs[i].RawIssuer, certs[i+1].RawSubject) {
			add("wrong_order", Critical, fmt.Sprintf("Certificate %d of the chain was not issued by certificate %d.", i+1, i+2), "Ask the CA for a chain in order.")
		}
	}
	m.judgeDates(leaf, add)
	m.judgeChain(certs, add)
	if name := leaf.Issuer.String(); !m.staging && (strings.Contains(name, "(STAGING)") || strings.Contains(name, "Fake LE")) {
		add("untrusted_root", Warning, "The issuer is a staging CA, which clients do not trust: "+name+".", "Use the CA's production directory.")
	}
	return LeafOf(leaf), fs
}

type adder func(id string, s Severity, cause, next string)

func (m material) judgeDates(leaf *x509.Certificate, add adder) {
	if leaf.NotBefore.After(m.now.Add(time.Minute)) {
		add("not_yet_valid", Critical, "The certificate is valid only from "+when(leaf.NotBefore)+".", "Look at this machine's clock.")
	}
	if m.now.After(leaf.NotAfter) {
		add("expired", Critical, "The certificate expired "+when(leaf.NotAfter)+", before it could be used.", "Look at this machine's clock and at the CA's profile.")
	}
	if !m.served.IsZero() && leaf.NotAfter.Before(m.served) {
		add("declared_mismatch", Critical, "The certificate ends "+when(leaf.NotAfter)+", earlier than the one served now ("+when(m.served)+").", "Ask for the profile you want, or force it.")
	}
}

// judgeChain verifies the chain to its own top, now and an hour from now.
func (m material) judgeChain(certs []*x509.Certificate, add adder) {
	leaf := certs[0]
	if len(certs) == 1 {
		if !bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
			add("missing_intermediate", Warning, "The CA handed out the leaf alone; clients need to know "+leaf.Issuer.String()+".", "Ask the CA for the whole chain.")
		}
		return
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(certs[len(certs)-1])
	for _, c := range certs[1 : len(certs)-1] {
		between.AddCert(c)
	}
	at := m.now
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore // within the grace of judgeDates
	}
	moments := []time.Time{at}
	if later := at.Add(time.Hour); later.Before(leaf.NotAfter) {
		moments = append(moments, later)
	}
	for _, t := range moments {
		if m.now.After(leaf.NotAfter) {
			return
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: t, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err != nil {
			add("wrong_intermediate", Critical, "The chain does not verify at "+when(t)+": "+sentence(err.Error()), "Ask the CA; the old certificate goes on serving.")
			return
		}
	}
}

// missingNames are the domains that the certificate is not for.
func missingNames(leaf *x509.Certificate, domains []string) []string {
	has := map[string]bool{}
	for _, n := range leaf.DNSNames {
		has[strings.ToLower(n)] = true
	}
	for _, ip := range leaf.IPAddresses {
		has[ip.String()] = true
	}
	var missing []string
	for _, d := range domains {
		name := strings.ToLower(d)
		if a, err := netip.ParseAddr(d); err == nil {
			name = a.Unmap().String()
		}
		if !has[name] {
			missing = append(missing, d)
		}
	}
	return missing
}

// checkMaterial journals the issued chain and whether it may go to a host.
func (u *run) checkMaterial(ctx context.Context, chain, pkcs8 []byte) error {
	d := u.state()
	key, err := signer(pkcs8)
	if err != nil {
		return err
	}
	pub, err := spki(key)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	m := material{chain: chain, spki: pub, domains: u.cert.Domains, now: u.r.now()}
	m.staging = len(u.issuer.Roots) > 0 || strings.Contains(u.issuer.Directory, "staging")
	if !d.Body.Ask.Force && d.Body.Ask.Profile == "" && u.cert.Profile == "" {
		st, err := u.r.standing(ctx, u.cert)
		if err != nil {
			return err
		}
		m.served = st.NotAfter
	}
	leaf, fs := m.judge()
	issued := Step{Kind: StepFinalize, Outcome: OK, After: leaf, Text: "The CA issued " + named(leaf) + "."}
	if Worst(fs) == Critical {
		f := firstCritical(fs)
		err := u.commit(ctx, change{
			puts:  map[string][]byte{keyChain(d.N): chain},
			steps: []Step{issued, {Kind: StepMaterial, Outcome: Bad, Text: sentence(f.Cause), After: leaf, Findings: fs}},
		})
		if err != nil {
			return err
		}
		return &ending{state: Failed, findings: fs, problem: "What the CA issued may not go to a host: " + sentence(f.Cause) + " No host was touched.", next: f.Next}
	}
	text := "Key, names, dates and chain fit."
	if len(fs) > 0 {
		text += " " + sentence(fs[0].Cause)
	}
	return u.commit(ctx, change{
		puts: map[string][]byte{keyChain(d.N): chain},
		edit: func(d *diskRenewal) error {
			d.Issued, d.Issuer, d.Body.Issued = true, u.issuer.Name, leaf
			d.Phase, d.Body.Step = StepBaseline, StepBaseline
			return nil
		},
		steps: []Step{
			issued, {Kind: StepMaterial, Outcome: OK, Text: text, After: leaf, Findings: fs},
			{Kind: StepBaseline, Outcome: Started, Text: "Looking at what " + serving(len(u.cert.Hosts())) + " now."},
		},
	})
}

func firstCritical(fs []Finding) Finding {
	for _, f := range fs {
		if f.Severity == Critical {
			return f
		}
	}
	return Finding{}
}
