package renew

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestErrorsThatPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Register", "NewOrder", "NewOrder answer", "Authorize", "Finalize", "Finalize answer", "Chain"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1, time.Hour)
			b.ca.failing(method, &CAError{Type: "urn:ietf:params:acme:error:serverInternal", Detail: "out of order", Status: 500})
			if strings.HasSuffix(method, "answer") {
				b.ca.failing(method, io.ErrUnexpectedEOF)
			}
			e := b.start(t)
			e.unit = 20 * time.Millisecond
			rn, err := e.Start(soon(t), Ask{Certificate: "media", By: ana, Force: true})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is tried again", func() bool { return strings.Contains(e.told(t, rn.ID), "Trying again") })
			b.ca.failing(method, nil)
			if rn = e.wait(t, rn.ID); rn.State == Stopped { // it was slow to be mended
				if _, err := e.Resume(soon(t), rn.ID, ana); err != nil {
					t.Fatal(err)
				}
				rn = e.wait(t, rn.ID)
			}
			if n, _ := b.ca.count(); n != 1 || rn.State != Done {
				t.Errorf("%d orders, %s: %s\n%s", n, rn.State, rn.Problem, e.told(t, rn.ID))
			}
		})
	}
}

func TestCAThatStaysDownStopsAndIsResumed(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.ca.failing("Authorize", &CAError{Type: "urn:ietf:params:acme:error:rateLimited", Detail: "too many", Status: 429, RetryAfter: time.Hour})
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Stopped || !strings.Contains(rn.Problem, "too many") || !strings.Contains(rn.Next, "UTC") {
		t.Fatalf("%s: %q %q", rn.State, rn.Problem, rn.Next)
	}
	b.serveOld(t, rn, "")
	b.ca.failing("Authorize", nil)
	if _, err := e.Resume(soon(t), rn.ID, ben); err != nil {
		t.Fatal(err)
	}
	if rn = e.wait(t, rn.ID); rn.State != Done {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
}

func TestInvalidAuthorizationFailsWithTheCAsWords(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.ca.failing("Authorize", &CAError{Type: "urn:ietf:params:acme:error:unauthorized", Detail: "203.0.113.7: Invalid response: 404", Status: 403})
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Failed || !strings.Contains(rn.Problem, "203.0.113.7: Invalid response: 404") || !strings.Contains(rn.Problem, "No host was touched") {
		t.Fatalf("%s: %s", rn.State, rn.Problem)
	}
	b.ca.failing("Authorize", nil)
	if rn = e.renew(t, Ask{Force: true}); rn.State != Done {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
}

func TestOwnFaultStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.ca.failing("Authorize", errors.New("provider exec: exit status 3"))
	e := b.start(t)
	if rn := e.renew(t, Ask{Force: true}); rn.State != Stopped || !strings.Contains(rn.Problem, "exit status 3") {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
}

func TestForgedChainTouchesNoHost(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(b *bench, chain []byte) []byte{
		"other key": func(b *bench, _ []byte) []byte {
			c, _ := b.ca.pair(t, []string{"media.example.com"}, time.Now().Add(-time.Hour), time.Now().Add(100*24*time.Hour))
			return c
		},
		"garbage": func(*bench, []byte) []byte { return []byte("<html>busy</html>") },
		"reversed": func(_ *bench, c []byte) []byte {
			i := bytes.LastIndex(c, []byte("-----BEGIN"))
			return append(bytes.Clone(c[i:]), c[:i]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1, time.Hour)
			b.ca.forge = func(c []byte) []byte { return forge(b, c) }
			e := b.start(t)
			rn := e.renew(t, Ask{Force: true})
			if rn.State != Failed || !strings.Contains(rn.Problem, "No host was touched") {
				t.Errorf("%s: %s", rn.State, rn.Problem)
			}
			if b.hosts[0].reloads != 0 || b.hosts[0].onDisk(t) != b.old.SHA256 {
				t.Error("the host was touched")
			}
		})
	}
}

func TestJudgeMaterial(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	now := time.Now()
	ok, keyText := a.pair(t, []string{"a.example.com", "b.example.com"}, now.Add(-time.Minute), now.Add(time.Hour*2))
	certs, err := parseChain(ok)
	if err != nil {
		t.Fatal(err)
	}
	pub := certs[0].RawSubjectPublicKeyInfo
	_ = keyText
	for name, c := range map[string]struct {
		m    material
		want string // finding, "" for none
	}{
		"good":         {material{chain: ok, spki: pub, domains: []string{"a.example.com"}, now: now}, ""},
		"name missing": {material{chain: ok, spki: pub, domains: []string{"c.example.com"}, now: now}, "name_mismatch"},
		"ends earlier": {material{chain: ok, spki: pub, domains: nil, now: now, served: now.Add(24 * time.Hour)}, "declared_mismatch"},
		"expired":      {material{chain: ok, spki: pub, domains: nil, now: now.Add(3 * time.Hour)}, "expired"},
		"future":       {material{chain: ok, spki: pub, domains: nil, now: now.Add(-10 * time.Minute)}, "not_yet_valid"},
		"within grace": {material{chain: ok, spki: pub, domains: nil, now: now.Add(-90 * time.Second)}, ""},
		"leaf alone":   {material{chain: firstPEM(ok), spki: pub, domains: nil, now: now}, "missing_intermediate"},
		"other key":    {material{chain: ok, spki: []byte("x"), domains: nil, now: now}, "key_mismatch"},
		"wrong signer": {material{chain: append(firstPEM(ok), keyless(t)...), spki: pub, domains: nil, now: now}, "wrong_order"},
	} {
		_, fs := c.m.judge()
		got := ""
		if len(fs) > 0 {
			got = fs[0].ID
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, fs)
		}
	}
}

// keyless is another CA's intermediate under another name.
func keyless(t *testing.T) []byte {
	a := newAuthority(t)
	chain, _ := a.pair(t, []string{"x"}, time.Now(), time.Now().Add(time.Hour))
	return firstPEM(chain)
}

func FuzzParseChain(f *testing.F) {
	a := newAuthority(f)
	chain, _ := a.pair(f, []string{"a.example.com"}, time.Now(), time.Now().Add(time.Hour))
	f.Add(chain)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		leaf, fs := material{chain: b, spki: []byte("x"), domains: []string{"a.example.com"}, now: time.Now()}.judge()
		if leaf.SHA256 == "" && Worst(fs) != Critical {
			t.Fatal("unreadable, and nothing said")
		}
	})
}
