package incident

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	t.Parallel()
	// Joined from parts so that no scanner takes this file for a leak.
	aws, slack, github := "AKIA"+"IOSFODNN7EXAMPLE", "xoxb-"+"123456789012-abcdefABCDEF", "ghp_"+strings.Repeat("a1B2", 9)
	jwt := "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl"
	for _, c := range []struct{ in, want string }{
		{"nginx -t works, certificate expired 01:52", "nginx -t works, certificate expired 01:52"},
		{"k " + aws + " k", "k [cut: AWS key] k"},
		{"AWS_SECRET_ACCESS_KEY=" + strings.Repeat("aB3/", 10), "AWS_SECRET_ACCESS_KEY=[cut: AWS key]"},
		{"token " + slack + ".", "token [cut: Slack token]"},
		{"app xapp-" + "1-A0B1C2-123-abcdef", "app [cut: Slack token]"},
		{"post to https://hooks.slack.com/services/" + "T000/B000/XXXX now", "post to https://hooks.slack.com/[cut: Slack token] now"},
		{"(" + github + ")", "([cut: GitHub token])"},
		{"curl -H 'Authorization: Bearer abc.def-ghi' x", "curl -H 'Authorization: [cut: credentials]' x"},
		{"Authorization: Basic YWxhZGRpbjpvcGVu", "Authorization: [cut: credentials]"},
		{"bearer abcdefghijklmnop", "bearer [cut: credentials]"},
		{"the bearer of news", "the bearer of news"},
		{"password=hunter2, then", "password=[cut: password], then"},
		{`{"password": "hun ter2", "a": 1}`, `{"password": [cut: password], "a": 1}`},
		{"DB_PASSWORD='s3 cret' x", "DB_PASSWORD=[cut: password] x"},
		{"the password policy is fine", "the password policy is fine"},
		{"postgres://app:s3cret@db/x", "postgres://app:[cut: password]@db/x"},
		{"https://example.com:8443/a@b", "https://example.com:8443/a@b"},
		{"GET /?token=abc123&x=1", "GET /?token=[cut: token]&x=1"},
		{jwt, "[cut: JWT]"},
		{"a\r\nb\tc\x00\x1b[31md\u202e", "a\nb c[31md"},
		{"bad \xff utf8", "bad � utf8"},
	} {
		got, cut := Clean(c.in, maxText)
		if got != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
		}
		if want := strings.Contains(c.want, "[cut:"); cut != want {
			t.Errorf("%q: cut %v", c.in, cut)
		}
	}
	long, _ := Clean(strings.Repeat("ä", 5000), maxText)
	if n := utf8.RuneCountInString(long); n > maxText || n < maxText-20 || !strings.HasSuffix(long, "[cut: too long]") {
		t.Errorf("capped to %d runes ending %q", n, long[len(long)-30:])
	}
}

// No way of pasting a private key leaves any of it.
func TestCleanPrivateKeys(t *testing.T) {
	t.Parallel()
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	keys := map[string]*pem.Block{"RSA": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}}
	ecDER, _ := x509.MarshalECPrivateKey(ecKey)
	keys["EC"] = &pem.Block{Type: "EC PRIVATE KEY", Bytes: ecDER}
	for name, k := range map[string]any{"PKCS8 RSA": rsaKey, "PKCS8 EC": ecKey, "PKCS8 Ed25519": edKey} {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	}
	keys["encrypted"] = &pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: keys["RSA"].Bytes}
	keys["OpenSSH"] = &pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: keys["RSA"].Bytes}
	for name, block := range keys {
		whole := string(pem.EncodeToMemory(block))
		b64 := base64.StdEncoding.EncodeToString(block.Bytes)
		for way, text := range map[string]string{
			"whole":        "see\n" + whole + "thanks",
			"windows":      strings.ReplaceAll(whole, "\n", "\r\n"),
			"cut short":    whole[:len(whole)-40],
			"cut shorter":  whole[:len(whole)/2],
			"one line":     strings.ReplaceAll(whole, "\n", " "),
			"escaped":      strings.ReplaceAll(whole, "\n", `\n`),
			"joined":       strings.ReplaceAll(whole, "\n", ""),
			"long dashes":  strings.ReplaceAll(whole, "-----", "—–-"),
			"quoted":       "> " + strings.ReplaceAll(whole, "\n", "\n> "),
			"twice":        whole + "and\n" + whole,
			"without head": whole[strings.Index(whole, "\n")+1:],
			"bare":         b64,
		} {
			if way == "bare" && (name == "OpenSSH" || name == "encrypted") {
				continue
			}
			if name == "encrypted" && way == "without head" {
				continue
			}
			got, cut := Clean(text, maxText)
			if !cut {
				t.Errorf("%s, %s: not seen", name, way)
			}
			for n := 0; n+24 < len(b64); n += 24 {
				if strings.Contains(got, b64[n:n+24]) {
					t.Errorf("%s, %s: left %q", name, way, got)
					break
				}
			}
		}
	}
	cert := "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ\n-----END CERTIFICATE-----\nBEGIN PUBLIC KEY"
	if got, cut := Clean(cert, maxText); cut || got != cert {
		t.Errorf("a certificate is no secret: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"note", "-----BEGIN PRIVATE KEY-----\nabc", "password=[cut: x]", "xoxb-1-2-3-4-5-6", "a\x00\xff\u202e", "Authorization: Bearer x", "://a:b@c", strings.Repeat("password=1 ", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, cut := Clean(s, maxText)
		if twice, more := Clean(once, maxText); twice != once || more {
			t.Errorf("cleaning again changes\n%q\n%q (cut %v, %v)", once, twice, cut, more)
		}
		if !utf8.ValidString(once) || utf8.RuneCountInString(once) > maxText {
			t.Errorf("%q: invalid or too long", once)
		}
		for _, r := range once {
			if r != '\n' && unicode.IsControl(r) {
				t.Errorf("%q holds %U", once, r)
			}
		}
		if strings.Contains(once, "BEGIN PRIVATE KEY-----") {
			t.Errorf("a key is left: %q", once)
		}
	})
}
