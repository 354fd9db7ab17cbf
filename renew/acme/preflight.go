package acme

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/certmedic/certmedic/renew"
)

const (
	maxSkew      = 60 * time.Second
	preflightFor = 2 * time.Minute // the whole preflight

	// plantPrefix marks the tokens and values that a preflight plants, so that
	// what a killed one left can be told from others' and be taken away.
	plantPrefix = "certmedic-preflight-"
)

// Preflight implements renew.CA. Finding IDs: ca_unreachable, ca_account,
// clock_skew, http01_path, http01_listener, http01_wildcard,
// dns01_permission, dns01_unreachable, dns01_zone, dns01_throttled,
// dns01_propagation, dns01_settings, dns01_failed; with an OK proof
// dns01_leftover.
func (c *client) Preflight(ctx context.Context, cert renew.Certificate, ch renew.Challenge) []renew.Proof {
	ctx, cancel := context.WithTimeoutCause(ctx, preflightFor, fmt.Errorf("the preflight takes longer than %s", preflightFor))
	defer cancel()
	var atCA, paths []renew.Proof
	var wg sync.WaitGroup
	wg.Go(func() { atCA = c.proveCA(ctx, cert) })
	wg.Go(func() { paths = c.provePaths(ctx, cert, ch) })
	wg.Wait()
	all := append(atCA, paths...)
	for i := range all {
		if all[i].At.IsZero() {
			all[i].At = c.o.Now().UTC()
		}
	}
	return all
}

// proveCA looks at the directory, the clock and the account.
func (c *client) proveCA(ctx context.Context, cert renew.Certificate) []renew.Proof {
	url := c.issuer.Directory
	start := c.o.Now()
	d, err := c.getDirectory(ctx)
	if err != nil {
		return []renew.Proof{bad("directory", url, renew.Finding{
			ID: "ca_unreachable", Severity: renew.Critical,
			Cause: "The directory of the CA cannot be fetched: " + err.Error() + ".",
			Proof: map[string]string{"url": url, "error": err.Error()},
			Next:  "Check the network and proxy from this machine to the CA, and the issuer's roots: when the certificate of the directory is not trusted.",
		})}
	}
	if cert.Profile != "" {
		if _, ok := d.profiles[cert.Profile]; !ok {
			return []renew.Proof{bad("directory", url, renew.Finding{
				ID: "ca_profile", Severity: renew.Critical,
				Cause: fmt.Sprintf("The CA has no profile %q.", cert.Profile),
				Proof: map[string]string{"url": url, "profiles": fmt.Sprint(d.profiles)},
				Next:  "Set the certificate's profile to one that the CA lists, or leave it out.",
			})}
		}
	}
	proofs := []renew.Proof{{Level: "directory", Subject: url, OK: true, Text: "The directory answers over HTTPS."}}
	proofs = append(proofs, c.proveAccount(ctx, d))
	if !d.date.IsZero() {
		proofs = append(proofs, proveClock(url, start, c.o.Now(), d.date))
	}
	return proofs
}

// proveClock compares our clock between start and end with the server's,
// which says whole seconds.
func proveClock(url string, start, end, server time.Time) renew.Proof {
	skew := start.Sub(server.Add(time.Second)) // positive: we are ahead
	if skew < 0 {
		skew = min(0, end.Sub(server))
	}
	if skew.Abs() <= maxSkew {
		return renew.Proof{Level: "clock", Subject: url, OK: true, Text: fmt.Sprintf("The clock agrees with the CA's within %.0f s.", maxSkew.Seconds())}
	}
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return bad("clock", url, renew.Finding{
		ID: "clock_skew", Severity: renew.Critical,
		Cause: fmt.Sprintf("This machine's clock is %s %s the CA's.", skew.Abs().Round(time.Second), way),
		Proof: map[string]string{"here": end.UTC().Format(time.RFC3339), "ca": server.UTC().Format(time.RFC3339), "url": url},
		Next:  "Set the clock (for example with chrony or systemd-timesyncd) and check again.",
	})
}

// proveAccount looks whether the account is good, without making one.
func (c *client) proveAccount(ctx context.Context, d directory) renew.Proof {
	kid := c.account()
	var err error
	if kid == "" {
		kid, err = c.newAccount(ctx, true)
		var ca *renew.CAError
		if errors.As(err, &ca) && ca.Type == "urn:ietf:params:acme:error:accountDoesNotExist" {
			if d.needsEAB && c.issuer.EABKeyID == "" {
				return accountFault(c.issuer.Directory, "The CA wants an external account binding and none is configured.",
					"Ask the CA for a key id and an HMAC key and set the issuer's eab_key_id and eab_key.")
			}
			return renew.Proof{Level: "account", Subject: c.issuer.Directory, OK: true, Text: "There is no account yet; the renewal registers one."}
		}
	}
	var a account
	if err == nil {
		a, err = c.getAccount(ctx, kid)
	}
	if err != nil {
		return accountFault(c.issuer.Directory, "The account cannot be used: "+err.Error()+".",
			"If the CA does not know the account any more, remove its key so that a new account is registered.")
	}
	if a.status != "valid" {
		return accountFault(kid, "The CA says that the account is "+a.status+".", "Remove the account's key so that a new account is registered, and ask the CA why.")
	}
	return renew.Proof{Level: "account", Subject: kid, OK: true, Text: "The account is valid."}
}

func accountFault(subject, cause, next string) renew.Proof {
	return bad("account", subject, renew.Finding{
		ID: "ca_account", Severity: renew.Critical, Cause: cause, Proof: map[string]string{"account": subject}, Next: next,
	})
}

// provePaths looks at the challenge's path for every domain.
func (c *client) provePaths(ctx context.Context, cert renew.Certificate, ch renew.Challenge) []renew.Proof {
	proofs := make([]renew.Proof, len(cert.Domains))
	var one func(ctx context.Context, domain string) renew.Proof
	switch ch.Type {
	case renew.HTTP01:
		one = func(ctx context.Context, domain string) renew.Proof { return proveHTTP01(ctx, domain, ch) }
	case renew.DNS01:
		d, err := newDNS01(ch, c.o.Hide)
		if err != nil {
			return []renew.Proof{bad(renew.DNS01, cert.Name, dnsFinding(err, map[string]string{"provider": ch.Provider}))}
		}
		one = newDNSProver(d).prove
	default:
		_, err := c.solver(ch)
		return []renew.Proof{bad(ch.Type, cert.Name, renew.Finding{
			ID: "challenge_unknown", Severity: renew.Critical, Cause: err.Error(), Next: "Configure http-01 or dns-01 for the certificate.",
		})}
	}
	sideBySide(len(proofs), func(i int) { proofs[i] = one(ctx, cert.Domains[i]) })
	return proofs
}

// bad is a proof that is not OK.
func bad(level, subject string, f renew.Finding) renew.Proof {
	return renew.Proof{Level: level, Subject: subject, Text: f.Cause, Finding: f}
}

// random returns n random bytes as base64url.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
