package probe

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// chain tests the way from the leaf to a trusted root (RFC 5280 section 6).
func (j *judge) chain(ctx context.Context, sv served, t *trust) {
	if len(t.now) == 0 {
		j.rules(sv, t)
		j.expiredCAs(sv, t)
		if !t.anchored() {
			j.unanchored(ctx, sv, t)
		}
	}
	j.horizon(sv, t)
}

// rules finds what forbids the path apart from dates and trust: constraints of
// its CAs. When the root is not trusted, the path is tested up to its own top.
func (j *judge) rules(sv served, t *trust) {
	all := []*trust{t}
	if top := sv.path[len(sv.path)-1]; !t.anchored() && len(sv.path) > 1 {
		own := x509.NewCertPool()
		own.AddCert(top)
		inside := trustOf(sv.leaf, sv.rest, own, j.now)
		all = append(all, &inside)
	}
	for _, t := range all {
		if f, ok := t.fault(x509.CANotAuthorizedForThisName); ok && !j.has("name_constraint") {
			j.add(found("name_constraint", with(about(j.s.text, sv.leaf), "error", f.Error()),
				"%s serves a certificate whose CA %s is not allowed to issue for its names", j.s.text, title(constrained(sv, f.Cert))))
		}
		if f, ok := t.fault(x509.TooManyIntermediates); ok && !j.has("pathlen") {
			j.add(found("pathlen", about(j.s.text, f.Cert),
				"%s serves a chain with more intermediates than the CA %s allows below itself (path length %d)", j.s.text, title(f.Cert), f.Cert.MaxPathLen))
		}
		if len(t.ever) == 0 && len(t.any) > 0 && !j.has("eku") {
			j.add(found("eku", about(j.s.text, sv.leaf),
				"%s serves a chain with a CA that is not for TLS servers: its extended key usage lacks server authentication", j.s.text))
		}
	}
	for _, c := range sv.path[1:] {
		if v3 := c.Version >= 3; v3 && (!c.BasicConstraintsValid || !c.IsCA) || v3 && c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
			j.add(found("not_ca", about(j.s.text, c), "%s serves a chain in which %s issues certificates without being a CA", j.s.text, title(c)))
		}
	}
}

// constrained returns the CA that limits names: the first on the path, else
// the one that c's issuer is.
func constrained(sv served, c *x509.Certificate) *x509.Certificate {
	for _, ca := range sv.path[1:] {
		if len(ca.PermittedDNSDomains)+len(ca.ExcludedDNSDomains)+len(ca.PermittedIPRanges)+len(ca.ExcludedIPRanges) > 0 {
			return ca
		}
	}
	return &x509.Certificate{Subject: c.Issuer}
}

// expiredCAs names the CA certificates that break every path by their dates.
func (j *judge) expiredCAs(sv served, t *trust) {
	chains := t.best()
	if len(chains) == 0 {
		chains = [][]*x509.Certificate{sv.path}
	}
	var fewest []*x509.Certificate
	for i, chain := range chains {
		var bad []*x509.Certificate
		for _, c := range chain[1:] {
			if !validAt(c, j.now) {
				bad = append(bad, c)
			}
		}
		if i == 0 || len(bad) < len(fewest) {
			fewest = bad
		}
	}
	for _, c := range fewest {
		j.badCA(c)
	}
	if t.anchored() || len(fewest) > 0 {
		return
	}
	// A root of ours that ended before the leaf began is on no path at all.
	for _, f := range t.faults {
		if f.Reason == x509.Expired && !f.Cert.Equal(sv.leaf) && anchors(j.p.o.Roots, f.Cert) && !validAt(f.Cert, j.now) {
			j.badCA(f.Cert)
			return
		}
	}
}

func (j *judge) badCA(c *x509.Certificate) {
	proof := about(j.s.text, c)
	switch {
	case !expiredAt(c, j.now):
		j.add(found("not_yet_valid", proof, "%s has a chain whose CA certificate %s is valid only from %s on", j.s.text, title(c), stamp(c.NotBefore)))
	case selfIssued(c):
		j.add(found("expired_root", proof, "the root %s of the chain at %s expired at %s", title(c), j.s.text, stamp(c.NotAfter)))
	default:
		j.add(found("expired_intermediate", proof, "%s serves the intermediate %s, which expired %s ago, at %s", j.s.text, title(c), span(j.now.Sub(c.NotAfter)), stamp(c.NotAfter)))
	}
}

// unanchored says why nothing leads to a trusted root.
func (j *judge) unanchored(ctx context.Context, sv served, t *trust) {
	a, leaf, top := j.s.text, sv.leaf, sv.path[len(sv.path)-1]
	if selfSigned(top) && anchors(j.p.o.Roots, top) || j.has("expired_root") && !selfSigned(top) {
		j.unexplained(sv, t)
		return
	}
	if j.has("sha1_or_md5_sig") && slices.ContainsFunc(t.errs, func(err error) bool { return strings.Contains(err.Error(), "insecure algorithm") }) {
		return // a root by this name is trusted, the signature below it is not
	}
	switch {
	case top == leaf && selfSigned(leaf):
		j.add(found("self_signed", about(a, leaf), "%s serves a self-signed certificate, which no client trusts", a))
		return
	case selfSigned(top):
		j.untrusted(sv, top)
		return
	}
	for _, c := range sv.path[1:] {
		if u := trustOf(c, sv.rest, j.p.o.Roots, j.now); u.anchored() {
			j.unexplained(sv, t)
			return
		}
	}
	j.gap(ctx, sv)
}

// unexplained keeps the raw error when no test above told why.
func (j *judge) unexplained(sv served, t *trust) {
	if j.has("sha1_or_md5_sig", "name_constraint", "pathlen", "not_ca", "eku", "weak_key", "expired_root", "expired_intermediate") || len(t.errs) == 0 {
		return
	}
	err := t.errs[len(t.errs)-1].Error()
	j.add(found("verify_failed", with(about(j.s.text, sv.leaf), "stage", "verify", "error", err),
		"the certificate of %s does not verify: %s", j.s.text, clean(err, 200)))
}

// untrusted reports the root that the chain ends at.
func (j *judge) untrusted(sv served, root *x509.Certificate) {
	f := found("untrusted_root", with(about(j.s.text, sv.leaf), "root", root.Subject.String(), "root_sha256", fingerprint(root)),
		"%s serves a chain that ends at %s, which is no trusted root%s", j.s.text, title(root), known(root.Subject.String()))
	j.add(f)
}

// gap: the top of what was served names an issuer that was neither served nor
// is it a root. Either an intermediate is missing, or the root is unknown;
// what other addresses serve, and the issuer's own URL, may tell.
func (j *judge) gap(ctx context.Context, sv served) {
	a, top := j.s.text, sv.path[len(sv.path)-1]
	leaf := top == sv.leaf
	certs, how := j.confirm(ctx, sv, top)
	proof := with(about(a, sv.leaf), "missing_issuer", top.Issuer.String(), "authority_key_id", hex.EncodeToString(top.AuthorityKeyId),
		"aia", strings.Join(top.IssuingCertificateURL[:min(2, len(top.IssuingCertificateURL))], " "), "confirmed", how)
	sure := len(certs) > 0 && strings.HasPrefix(how, "yes")
	if w := wrongIssuer(sv, top, leaf); w != nil {
		j.add(found("wrong_intermediate", with(proof, "served", w.Subject.String(), "served_key_id", hex.EncodeToString(w.SubjectKeyId)),
			"%s serves the intermediate %s, which did not issue its certificate; that was %s%s", a, title(w), issuerTitle(top), sameName(w, top)))
		return
	}
	if n := len(certs); n > 0 && !sure && selfSigned(certs[n-1]) {
		j.untrusted(sv, certs[n-1])
		if n == 1 {
			return
		}
	}
	switch {
	case sure:
		j.add(found("missing_intermediate", proof, "%s does not send the intermediate %s; with it the chain verifies (it came from %s)", a, issuerTitle(top), strings.TrimPrefix(how, "yes: ")))
	case leaf:
		j.add(found("missing_intermediate", proof, "%s sends its certificate without the issuer %s, which is no trusted root either%s", a, issuerTitle(top), known(top.Issuer.String())))
	case !j.has("untrusted_root"):
		j.add(found("untrusted_root", with(proof, "root", top.Issuer.String()), "%s serves a chain that ends below %s, which is no trusted root%s", a, issuerTitle(top), known(top.Issuer.String())))
	}
}

// wrongIssuer returns a served CA certificate that stands where the issuer of
// top should: one with its name and another key, or, behind a leaf, any.
func wrongIssuer(sv served, top *x509.Certificate, leaf bool) *x509.Certificate {
	for _, c := range sv.rest {
		if !contains(sv.path, c) && bytes.Equal(c.RawSubject, top.RawIssuer) {
			return c
		}
	}
	if leaf {
		for _, c := range sv.rest {
			if c.IsCA {
				return c
			}
		}
	}
	return nil
}

func sameName(w, top *x509.Certificate) string {
	if bytes.Equal(w.RawSubject, top.RawIssuer) {
		return " with another key"
	}
	return ""
}

// confirm looks for the missing issuer of top. how begins with "yes" when the
// leaf verifies with what was found.
func (j *judge) confirm(ctx context.Context, sv served, top *x509.Certificate) (certs []*x509.Certificate, how string) {
	verifies := func(more []*x509.Certificate) bool {
		t := trustOf(sv.leaf, append(append([]*x509.Certificate{}, sv.rest...), more...), j.p.o.Roots, j.now)
		return t.anchored()
	}
	asked := 0
	for i := range j.all {
		o := &j.all[i]
		if o == j.s || len(o.certs) < 2 || !o.certs[0].Equal(sv.leaf) && !issues(o.certs, top) {
			continue
		}
		if asked++; asked > 3 {
			break
		}
		if more := o.certs[:min(len(o.certs), maxChain)]; verifies(more) {
			return more, "yes: " + o.text
		}
	}
	certs, how = j.fetch.issuers(ctx, top)
	if len(certs) > 0 && verifies(certs) {
		return certs, "yes: " + how
	}
	return certs, "no: " + how
}

// issues: one of the certificates has the name of c's issuer.
func issues(certs []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(certs, func(k *x509.Certificate) bool { return bytes.Equal(k.RawSubject, c.RawIssuer) })
}

// horizon warns when the best chain ends before the leaf does.
func (j *judge) horizon(sv served, t *trust) {
	if len(t.now) == 0 {
		return
	}
	var best time.Time
	var first *x509.Certificate
	for _, chain := range t.now {
		end, who := time.Time{}, (*x509.Certificate)(nil)
		for _, c := range chain[1:] {
			if who == nil || c.NotAfter.Before(end) {
				end, who = c.NotAfter, c
			}
		}
		if who == nil {
			return // the leaf itself is trusted
		}
		if first == nil || end.After(best) {
			best, first = end, who
		}
	}
	if best.Before(sv.leaf.NotAfter) {
		j.add(found("chain_horizon", with(about(j.s.text, first), "leaf_not_after", stamp(sv.leaf.NotAfter)),
			"the chain at %s ends at %s, when %s expires, before the certificate itself (%s)", j.s.text, stamp(best), title(first), stamp(sv.leaf.NotAfter)))
	}
}

// known flags CAs that are for tests, and boxes that open TLS on the way.
func known(name string) string {
	for _, s := range []string{"(STAGING)", "Pebble", "Fake LE", "hhptestca", "Minica", "minica"} {
		if strings.Contains(name, s) {
			return " (a staging or test CA: order from the production directory)"
		}
	}
	for _, s := range []string{"Zscaler", "Fortinet", "FortiGate", "Palo Alto", "Blue Coat", "Netskope", "Sophos", "Kaspersky", "Avast",
		"ESET SSL Filter", "mitmproxy", "Superfish", "eDellRoot", "DSDTestProvider", "Cisco Umbrella", "Charles Proxy", "PortSwigger"} {
		if strings.Contains(name, s) {
			return " (" + s + " opens TLS between here and the server, so this is not what the server serves)"
		}
	}
	return ""
}
