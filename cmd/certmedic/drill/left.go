package drill

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// verify checks a handshake's chain and name as a browser would, with the
// estate's root alone.
func verify(s *tls.ConnectionState, e *Estate) error {
	if s == nil || len(s.PeerCertificates) == 0 {
		return errors.New("no certificate was served")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: e.Domain(), Roots: e.ca.IssuingRoots(), Intermediates: between})
	return err
}

// Served looks at every host by its own address and returns the fingerprint
// of what each serves, good or not. A host that cannot be reached is in the
// error and not in the map.
func (e *Estate) Served(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	var errs []error
	for _, h := range e.hosts {
		s, err := e.look(ctx, h.addr)
		if s == nil || len(s.PeerCertificates) == 0 {
			errs = append(errs, fmt.Errorf("%s: %w", h.name, err))
			continue
		}
		out[h.name] = fingerprint(s.PeerCertificates[0])
	}
	return out, errors.Join(errs...)
}

// Verified looks at every host by its own address and lists those that serve
// the certificate with this fingerprint, valid now for the name and under the
// estate's root. wrong says what is the matter with each of the others.
func (e *Estate) Verified(ctx context.Context, sha256 string) (good []string, wrong []error) {
	for _, h := range e.hosts {
		s, err := e.look(ctx, h.addr)
		if err == nil {
			if got := fingerprint(s.PeerCertificates[0]); sha256 == "" || got != sha256 {
				err = fmt.Errorf("serves %.16s and not %.16s", got, sha256)
			}
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s (%s): %w", h.name, h.addr, err))
			continue
		}
		good = append(good, h.name)
	}
	return good, wrong
}

// resolve asks the estate's name server where the domain is: its alias and its
// addresses, in one line.
func (e *Estate) resolve(ctx context.Context) (string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, e.dns.Addr())
	}}
	alias, err := r.LookupCNAME(ctx, e.Domain()+".")
	if err != nil {
		return "", fmt.Errorf("alias of %s: %w", e.Domain(), err)
	}
	ips, err := r.LookupHost(ctx, e.Domain()+".")
	if err != nil {
		return "", fmt.Errorf("addresses of %s: %w", e.Domain(), err)
	}
	slices.Sort(ips)
	return alias + " " + strings.Join(ips, " "), nil
}

// LeftBehind lists what a renewal should have taken away again: TXT records,
// a listener on the challenge port, tokens and temporary files on the hosts.
func (e *Estate) LeftBehind(ctx context.Context) []string {
	var left []string
	for _, txt := range e.dns.Leftover() {
		left = append(left, "TXT record "+txt)
	}
	d := net.Dialer{Timeout: 2 * time.Second}
	if c, err := d.DialContext(ctx, "tcp", e.challenge); err == nil {
		_ = c.Close() // only looked whether it is there
		left = append(left, "a listener on the challenge address "+e.challenge)
	}
	err := filepath.WalkDir(filepath.Join(e.o.Dir, "hosts"), func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n := entry.Name()
		if strings.HasPrefix(n, "tmp-") || strings.HasPrefix(n, ".certmedic-") || strings.Contains(filepath.ToSlash(p), ".well-known/") {
			left = append(left, "file "+p)
		}
		return nil
	})
	if err != nil {
		left = append(left, "not looked at: "+err.Error())
	}
	return left
}
