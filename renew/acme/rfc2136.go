package acme

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// rfc2136 writes by dynamic update (RFC 2136), signed with TSIG (RFC 8945).
// Its settings have the names of lego's environment variables DNSUPDATE_*, in
// lower case:
//
//	nameserver      host or host:port of the zone's primary; needed
//	tsig_key        name of the key; without it updates are not signed
//	tsig_secret     the key, base64
//	tsig_algorithm  hmac-sha256 (default), hmac-sha1, -sha224, -sha384, -sha512
//	tsig_file       a BIND key file instead of the three above
//	ttl             seconds, default 120
//	zones           apexes, separated by commas; default: asked for by SOA
//
// and sharedSettings. GSS-TSIG is not there.
type rfc2136 struct {
	server            string
	key, secret, algo string
	ttl               uint32
	zones             []string
}

func newRFC2136(s map[string]string) (*rfc2136, error) {
	if err := known("rfc2136", s, "nameserver", "tsig_key", "tsig_secret", "tsig_algorithm", "tsig_file", "ttl", "zones"); err != nil {
		return nil, err
	}
	if s["nameserver"] == "" {
		return nil, errors.New("rfc2136 needs the setting nameserver: host or host:port of the zone's primary")
	}
	w := &rfc2136{server: newResolver([]string{s["nameserver"]}).servers[0], ttl: 120}
	if host, _, err := net.SplitHostPort(w.server); err != nil || host == "" {
		return nil, fmt.Errorf("rfc2136: nameserver %q is not host or host:port", s["nameserver"])
	}
	if s["ttl"] != "" {
		n, err := strconv.ParseUint(s["ttl"], 10, 31)
		if err != nil {
			return nil, fmt.Errorf("rfc2136: ttl %q is not a number of seconds", s["ttl"])
		}
		w.ttl = uint32(n)
	}
	for z := range strings.SplitSeq(s["zones"], ",") {
		if z = strings.TrimSpace(z); z != "" {
			w.zones = append(w.zones, dns.CanonicalName(z))
		}
	}
	key, secret, algo := s["tsig_key"], s["tsig_secret"], s["tsig_algorithm"]
	if path := s["tsig_file"]; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("rfc2136: tsig_file: %w", err)
		}
		if key, secret, algo, err = parseKeyFile(string(text)); err != nil {
			return nil, fmt.Errorf("rfc2136: tsig_file %s: %w", path, err)
		}
	}
	return w, w.sign(key, secret, algo)
}

func (w *rfc2136) sign(key, secret, algo string) error {
	if (key == "") != (secret == "") {
		return errors.New("rfc2136: tsig_key and tsig_secret go together")
	}
	if key == "" {
		return nil
	}
	if _, err := base64.StdEncoding.DecodeString(secret); err != nil {
		return errors.New("rfc2136: tsig_secret is not base64")
	}
	if algo == "" {
		algo = "hmac-sha256"
	}
	w.key, w.secret, w.algo = dns.CanonicalName(key), secret, dns.CanonicalName(algo)
	if !slices.Contains([]string{dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512}, w.algo) {
		return fmt.Errorf("rfc2136: tsig_algorithm %q is not known; there are hmac-sha1, -sha224, -sha256, -sha384, -sha512", algo)
	}
	return nil
}

var (
	keyName   = regexp.MustCompile(`(?s)\bkey\s+"?([^"{\s]+)"?\s*\{(.*?)\}`)
	keyAlgo   = regexp.MustCompile(`\balgorithm\s+"?([A-Za-z0-9.-]+)"?\s*;`)
	keySecret = regexp.MustCompile(`\bsecret\s+"?([A-Za-z0-9+/=]+)"?\s*;`)
)

// parseKeyFile reads what tsig-keygen writes.
func parseKeyFile(text string) (key, secret, algo string, err error) {
	m := keyName.FindStringSubmatch(text)
	if m == nil {
		return "", "", "", errors.New(`no key "name" { ... } in it`)
	}
	a, s := keyAlgo.FindStringSubmatch(m[2]), keySecret.FindStringSubmatch(m[2])
	if a == nil || s == nil {
		return "", "", "", errors.New("the key has no algorithm or no secret")
	}
	return m[1], s[1], a[1], nil
}

func (w *rfc2136) where() string { return "rfc2136 at " + w.server }

func (w *rfc2136) add(ctx context.Context, fqdn, value string) error {
	return w.update(ctx, fqdn, value, (*dns.Msg).Insert)
}

func (w *rfc2136) remove(ctx context.Context, fqdn, value string) error {
	return w.update(ctx, fqdn, value, (*dns.Msg).Remove)
}

// zone returns the apex for the name.
func (w *rfc2136) zone(ctx context.Context, fqdn string) (string, error) {
	if len(w.zones) == 0 {
		zone, err := resolver{servers: []string{w.server}}.zone(ctx, fqdn)
		var d *dnsError
		if err != nil && !errors.As(err, &d) {
			err = &dnsError{"unreachable", err}
		}
		return zone, err
	}
	best := ""
	for _, z := range w.zones {
		if dns.IsSubDomain(z, fqdn) && len(z) > len(best) {
			best = z
		}
	}
	if best == "" {
		return "", &dnsError{"zone", fmt.Errorf("%s is in none of the configured zones %s", fqdn, strings.Join(w.zones, ", "))}
	}
	return best, nil
}

// update sends one change; what was not answered over UDP is sent again over TCP.
func (w *rfc2136) update(ctx context.Context, fqdn, value string, change func(*dns.Msg, []dns.RR)) error {
	zone, err := w.zone(ctx, fqdn)
	if err != nil {
		return err
	}
	var r *dns.Msg
	for _, network := range []string{"udp", "tcp"} {
		m := new(dns.Msg).SetUpdate(zone)
		change(m, []dns.RR{&dns.TXT{
			Hdr: dns.RR_Header{Name: fqdn, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: w.ttl},
			Txt: []string{value},
		}})
		if w.key != "" {
			m.SetTsig(w.key, w.algo, 300, time.Now().Unix())
		}
		r, err = exchange(ctx, network, w.server, m, w.key, w.secret)
		if r != nil && r.Rcode != dns.RcodeSuccess {
			return w.refusal(r, zone)
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, dns.ErrAuth) || errors.Is(err, dns.ErrSig) || errors.Is(err, dns.ErrTime) || errors.Is(err, dns.ErrKey) || errors.Is(err, dns.ErrNoSig) {
		return &dnsError{"permission", fmt.Errorf("the answer of %s is not signed with the key %s: %w", w.server, w.key, err)}
	}
	return &dnsError{"unreachable", fmt.Errorf("%s does not answer the update: %w", w.server, err)}
}

// tsigErrors are RFC 8945 section 3; BADSIG has a number that is also BADVERS.
var tsigErrors = map[uint16]string{
	dns.RcodeBadSig: "BADSIG", dns.RcodeBadKey: "BADKEY", dns.RcodeBadTime: "BADTIME: the clocks differ", dns.RcodeBadTrunc: "BADTRUNC",
}

// refusal explains an update's response code (RFC 2136 section 2.2, RFC 8945
// section 5.2).
func (w *rfc2136) refusal(r *dns.Msg, zone string) error {
	code, signature := dns.RcodeToString[r.Rcode], false
	if t := r.IsTsig(); t != nil && t.Error != 0 {
		code += " (" + tsigErrors[t.Error] + ")"
		signature = true
	}
	err := fmt.Errorf("%s answers %s to the update of zone %s", w.server, code, strings.TrimSuffix(zone, "."))
	switch r.Rcode {
	case dns.RcodeRefused:
		return &dnsError{"permission", fmt.Errorf("%w: the key may not write there", err)}
	case dns.RcodeNotAuth:
		if signature {
			return &dnsError{"permission", fmt.Errorf("%w: it does not accept the key %s", err, w.key)}
		}
		return &dnsError{"zone", fmt.Errorf("%w: it is not the primary of that zone", err)}
	case dns.RcodeNotZone, dns.RcodeNameError:
		return &dnsError{"zone", err}
	case dns.RcodeServerFailure:
		return &dnsError{"unreachable", err}
	}
	return &dnsError{"failed", err}
}
