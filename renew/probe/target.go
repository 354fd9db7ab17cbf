package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// names maps a host as a person types it to its A-label form (RFC 5891).
// Underscores pass: hosts inside an estate have them.
var names = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// ParseTarget reads what a person types for an endpoint: "host", "host:port",
// an IP address, "[v6]:port", or an https URL, whose path is left out. The
// host comes back in lower case, IDN as A-labels, an IP address in its short
// form without brackets; the port is 443 when not said. Errors are sentences.
func ParseTarget(s string) (host string, port int, err error) {
	if s == "" {
		return "", 0, errors.New("the target is empty; write host or host:port")
	}
	if len(s) > 2048 {
		return "", 0, fmt.Errorf("the target is %d bytes long; write host or host:port", len(s))
	}
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t':
			return "", 0, fmt.Errorf("%s has a space in it; write host or host:port", quoted(s))
		case r < ' ' || r == 0x7f || r == '\uFFFD':
			return "", 0, fmt.Errorf("%s has a character that cannot be in a host name", quoted(s))
		}
	}
	hostport := s
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		if hostport, err = fromURL(scheme, s); err != nil {
			return "", 0, err
		}
	} else if i := strings.IndexAny(s, "/?#@\\"); i >= 0 {
		return "", 0, fmt.Errorf("%s has a %q in it; write host or host:port, or a whole https:// address", quoted(s), s[i])
	}
	host, portText, err := split(hostport)
	if err != nil {
		return "", 0, err
	}
	if port, err = parsePort(s, portText); err != nil {
		return "", 0, err
	}
	host, err = parseHost(host)
	return host, port, err
}

func quoted(s string) string { return strconv.Quote(clean(s, 80)) }

// fromURL takes host and port out of an https address.
func fromURL(scheme, s string) (string, error) {
	if !strings.EqualFold(scheme, "https") {
		return "", fmt.Errorf("%s is not an https:// address; write host:port for anything else", quoted(s))
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("%s is not a whole https:// address", quoted(s))
	}
	if u.User != nil {
		return "", fmt.Errorf("%s has a user name in it; leave it out", quoted(u.Redacted()))
	}
	return u.Host, nil
}

// split separates host and port text; port text is "" when there is none, and
// a colon with nothing behind it is an error.
func split(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", fmt.Errorf("%s lacks the closing bracket", quoted(s))
		}
		host, rest := s[1:end], s[end+1:]
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return "", "", fmt.Errorf("%s is not an IPv6 address", quoted(host))
		}
		switch {
		case rest == "":
			return host, "", nil
		case rest[0] != ':' || rest == ":":
			return "", "", fmt.Errorf("%s: after the bracket comes :port", quoted(s))
		}
		return host, rest[1:], nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, "", nil
	}
	host, port, ok := strings.Cut(s, ":")
	switch {
	case !ok:
		return s, "", nil
	case strings.Contains(port, ":"):
		return "", "", fmt.Errorf("%s has more than one colon; write an IPv6 address with a port as [address]:port", quoted(s))
	case port == "":
		return "", "", fmt.Errorf("%s has a colon and no port", quoted(s))
	}
	return host, port, nil
}

func parsePort(s, text string) (int, error) {
	if text == "" {
		return 443, nil
	}
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("the port of %s is not a number", quoted(s))
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("the port of %s is not between 1 and 65535", quoted(s))
	}
	return n, nil
}

// parseHost brings a name or IP address to its canonical form.
func parseHost(h string) (string, error) {
	if a, err := netip.ParseAddr(h); err == nil {
		if a.Zone() != "" {
			return "", fmt.Errorf("%s has a zone; only addresses without one can be checked", quoted(h))
		}
		return a.Unmap().String(), nil
	}
	name, err := names.ToASCII(h)
	if err != nil {
		return "", fmt.Errorf("%s is not a host name: %s", quoted(h), clean(strings.TrimPrefix(err.Error(), "idna: "), 120))
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "" {
		return "", errors.New("the host is empty; write host or host:port")
	}
	if len(name) > 253 {
		return "", fmt.Errorf("%s is %d characters long, a host name has at most 253", quoted(name), len(name))
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if err := checkLabel(name, l); err != nil {
			return "", err
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "", fmt.Errorf("%s looks like an IPv4 address and is none", quoted(h))
	}
	return name, nil
}

func checkLabel(name, l string) error {
	switch {
	case l == "":
		return fmt.Errorf("%s has an empty part between its dots", quoted(name))
	case l == "*":
		return fmt.Errorf("%s is a wildcard; write a name that it covers", quoted(name))
	case len(l) > 63:
		return fmt.Errorf("%s has a part of %d characters between its dots, at most 63 are allowed", quoted(name), len(l))
	case l[0] == '-' || l[len(l)-1] == '-':
		return fmt.Errorf("%s has a part that begins or ends with a hyphen", quoted(name))
	}
	for _, r := range l {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return fmt.Errorf("%s has a %q in it, which cannot be in a host name", quoted(name), r)
		}
	}
	return nil
}
