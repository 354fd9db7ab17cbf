package probe

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	good := []struct {
		in, host string
		port     int
	}{
		{"media.example.com", "media.example.com", 443}, {"Media.Example.COM:8443", "media.example.com", 8443},
		{"media.example.com.", "media.example.com", 443}, {"media.example.com.:1", "media.example.com", 1},
		{"https://media.example.com/x?y#z", "media.example.com", 443}, {"HTTPS://Media.example.com:8443", "media.example.com", 8443},
		{"https://[::1]:8443/x", "::1", 8443}, {"[::1]:8443", "::1", 8443}, {"[2001:DB8::0:1]", "2001:db8::1", 443}, {"::1", "::1", 443},
		{"127.0.0.1", "127.0.0.1", 443}, {"127.0.0.1:65535", "127.0.0.1", 65535}, {"::ffff:127.0.0.1", "127.0.0.1", 443},
		{"bücher.example", "xn--bcher-kva.example", 443}, {"BÜCHER.example:1", "xn--bcher-kva.example", 1}, {"xn--n1aae7f7o.example", "xn--n1aae7f7o.example", 443},
		{"cdn-1", "cdn-1", 443}, {"localhost:8443", "localhost", 8443}, {"my_host.internal", "my_host.internal", 443}, {"faß.example", "xn--fa-hia.example", 443},
		{"media。example。com", "media.example.com", 443},
	}
	for _, r := range good {
		host, port, err := ParseTarget(r.in)
		if err != nil || host != r.host || port != r.port {
			t.Errorf("ParseTarget(%q) = %q, %d, %v; want %q, %d", r.in, host, port, err, r.host, r.port)
		}
	}
	bad := map[string]string{
		"": "is empty", " ": "space", "a b": "space", "a\x00b": "cannot be in", "a\nb": "cannot be in", "a/b": `'/'`, "media.example.com/x": "https://",
		"http://x": "not an https://", "ftp://x": "not an https://", "https://": "empty", "https:///x": "empty", "https://user:secret@x/": "user name",
		"x:": "no port", "x:0": "between 1 and 65535", "x:65536": "between 1 and 65535", "x:99999999999999999999": "between 1 and 65535",
		"x:-1": "not a number", "x:https": "not a number", "x:+1": "not a number", ":443": "empty", "a:1:2": "more than one colon",
		"[::1": "bracket", "[::1]x": ":port", "[::1]:": ":port", "[x]:1": "not an IPv6", "[127.0.0.1]:1": "not an IPv6", "fe80::1%eth0": "zone",
		"a..b": "empty part", ".a": "empty part", "*.example.com": "wildcard", "-a.b": "hyphen", "a-.b": "hyphen", "300.1.1.1": "IPv4", "1.2.3": "IPv4", "127.1": "IPv4", "0x7f.0x1": "IPv4",
		strings.Repeat("a", 64) + ".b": "63", strings.Repeat("a.", 130) + "b": "253", "a,b": "cannot be in", "a%00b": "cannot be in", "xn--zz--.example": "", "user@host": `'@'`,
		strings.Repeat("a", 3000): "bytes long", "\xff\xfe": "cannot be in", "a\\b": `'\\'`, "..": "empty part", "https://a b/": "space",
	}
	for in, says := range bad {
		host, port, err := ParseTarget(in)
		switch {
		case err == nil:
			t.Errorf("ParseTarget(%q) = %q, %d; want an error", in, host, port)
		case !strings.Contains(err.Error(), says):
			t.Errorf("ParseTarget(%q) says %q, which lacks %q", in, err, says)
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("ParseTarget(%q) repeats the password: %q", in, err)
		}
	}
}

// FuzzParseTarget: what is accepted is canonical and stays as it is.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"a", "A.b:1", "https://x/y", "[::1]:2", "bücher.example", "a..b", "1.2.3.4", "xn--a", "١.example", "a\u200db"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := ParseTarget(s)
		if err != nil {
			if host != "" && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q: error with control characters %q", s, err)
			}
			return
		}
		if port < 1 || port > 65535 || host == "" || len(host) > 253 || host != strings.ToLower(host) {
			t.Errorf("%q gives %q, %d", s, host, port)
		}
		if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/?#@%*[]\\", r) }) {
			t.Errorf("%q gives host %q", s, host)
		}
		if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
			t.Errorf("%q gives host %q", s, host)
		}
		again, _, err := ParseTarget(host)
		if err != nil || again != host {
			t.Errorf("%q gives %q, which gives %q, %v", s, host, again, err)
		}
	})
}
