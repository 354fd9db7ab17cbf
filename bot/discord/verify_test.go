package discord

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// TestHTTPRefuses: whatever is not signed by Discord, or not lately, or is too
// long, is refused, and nothing of it is done. The portal's PING is answered.
func TestHTTPRefuses(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{Mode: HTTP}).up(t)
	if code, answer, err := f.Ping(); err != nil || code != 200 || !strings.Contains(answer, `"type":1`) {
		t.Errorf("ping: %d %s %v", code, answer, err)
	}
	_, other, _ := ed25519.GenerateKey(nil)
	body := []byte(`{"id":"1","application_id":"2","type":1,"token":"t","version":1}`)
	for name, c := range map[string]struct {
		spoil func(*http.Request)
		code  int
	}{
		"good":         {func(*http.Request) {}, 200},
		"no signature": {func(r *http.Request) { r.Header.Del("X-Signature-Ed25519") }, 401},
		"no timestamp": {func(r *http.Request) { r.Header.Del("X-Signature-Timestamp") }, 401},
		"another timestamp": {func(r *http.Request) {
			r.Header.Set("X-Signature-Timestamp", strconv.FormatInt(time.Now().Unix()+1, 10))
		}, 401},
		"short signature": {func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", "abcd") }, 401},
		"no hex":          {func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", strings.Repeat("zz", 64)) }, 401},
		"another's signature": {func(r *http.Request) {
			r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(other, append([]byte(r.Header.Get("X-Signature-Timestamp")), body...))))
		}, 401},
		"old":   {func(r *http.Request) { f.SignDiscord(r, body, time.Now().Add(-6*time.Minute)) }, 401},
		"ahead": {func(r *http.Request) { f.SignDiscord(r, body, time.Now().Add(6*time.Minute)) }, 401},
		"one byte": {func(r *http.Request) {
			r.Body = io.NopCloser(bytes.NewReader(append([]byte(" "), body...)))
			r.ContentLength++
		}, 401},
		"too long": {func(r *http.Request) {
			big := bytes.Repeat([]byte(" "), maxBody+1)
			f.SignDiscord(r, big, time.Now())
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(big)), int64(len(big))
		}, 401},
		"no JSON": {func(r *http.Request) {
			f.SignDiscord(r, []byte("x"), time.Now())
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1
		}, 400},
	} {
		r, err := http.NewRequest("POST", f.Endpoint, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		f.SignDiscord(r, body, time.Now())
		c.spoil(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.code {
			t.Errorf("%s: %d, not %d", name, resp.StatusCode, c.code)
		}
	}
	if n := st.desk.Count(""); n != 0 {
		t.Errorf("%d requests were done", n)
	}
}

// TestReplay: what was signed by Discord is taken once, also when the answer
// would be given without a record; a spelling of the same signature is the same.
func TestReplay(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{Mode: HTTP}).up(t)
	for kind, typed := range map[int]string{2: "/public once", 4: "/public x"} {
		a := st.types(t, "ana", main, "/public first")
		a.Payload["type"], a.Payload["id"], a.Payload["token"] = kind, fmt.Sprint(1400000000000000000+kind), "tok-of-my-own" // not the fake's: nothing is called back
		body, err := json.Marshal(a.Payload)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", nil)
		f.SignDiscord(r, body, time.Now())
		for n, want := range []bool{true, false, false} {
			again := httptest.NewRequest("POST", "/", bytes.NewReader(body))
			again.Header = r.Header.Clone()
			if n == 2 {
				again.Header.Set("X-Signature-Ed25519", strings.ToUpper(r.Header.Get("X-Signature-Ed25519")))
			}
			w := httptest.NewRecorder()
			st.ServeHTTP(w, again)
			if (w.Code != 401) != want {
				t.Errorf("%s, time %d: %d %s", typed, n+1, w.Code, w.Body)
			}
		}
	}
	s, now := &seen{}, time.Now()
	for n := range 3 {
		if !s.first(fmt.Sprint("a", n/2), now.Add(time.Duration(n)*5*window)) && n != 1 {
			t.Error("kept for ever")
		}
	}
	if s.first("b", now.Add(10*window)); s.first("b", now.Add(12*window)) {
		t.Error("forgotten while it is good")
	}
	if len(s.now)+len(s.old) > 4 {
		t.Errorf("%d are kept", len(s.now)+len(s.old))
	}
}

// FuzzHTTP: no body and no header makes the endpoint panic, or take what is
// not signed.
func FuzzHTTP(f *testing.F) {
	key, private, _ := ed25519.GenerateKey(nil)
	d := bare0(f)
	d.key = key
	f.Add([]byte(`{"type":1}`), "", "")
	f.Add([]byte(`{"id":"1","type":2,"token":"t","member":{"user":{"id":"5"}}}`), "00", "17")
	f.Fuzz(func(t *testing.T, body []byte, sig, stamp string) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header["X-Signature-Ed25519"], r.Header["X-Signature-Timestamp"] = []string{sig}, []string{stamp}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Fatalf("%d for what nobody signed", w.Code)
		}
		now := strconv.FormatInt(time.Now().Unix(), 10)
		if verify(key, http.Header{"X-Signature-Timestamp": {now}, "X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(private, append([]byte(now), body...)))}}, body, time.Now()) != nil {
			t.Fatal("a good signature is refused")
		}
	})
}

// bare0 is an adapter that speaks to nobody.
func bare0(t testing.TB) *Discord {
	t.Helper()
	d, err := New(Options{Mode: Gateway, Token: "t", Channel: main, Guild: bottest.DiscordGuild, Notes: bottest.NewNotes(), APIURL: "http://127.0.0.1:1", Pins: &pins{}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// FuzzInteraction: whatever stands in an interaction, reading it and making a
// line of its options, its fields and its custom id never panics, and a verb's
// options never become another verb's line.
func FuzzInteraction(f *testing.F) {
	for _, s := range []string{
		`{"id":"1","type":2,"token":"t","data":{"name":"incident","options":[{"name":"more","type":2,"options":[{"name":"edit","type":1,"options":[{"name":"entry","type":3,"value":"E-5"},{"name":"text","type":3,"value":"x --private"}]}]}]}}`,
		`{"id":"1","type":2,"token":"t","data":{"name":"certcheck","options":[{"name":"look","type":1,"options":[{"name":"all","type":5,"value":true},{"name":"certificate","type":3,"value":7.5}]}]}}`,
		`{"id":"1","type":3,"token":"t","data":{"custom_id":"p|main|m-1|0|00","component_type":2}}`,
		`{"id":"1","type":3,"token":"t","data":{"custom_id":"menu|main|m-1","values":["p|main|m-1|6|aa"]}}`,
		`{"id":"1","type":5,"token":"t","data":{"custom_id":"f|incident status|INC-7","components":[{"type":1,"components":[{"type":4,"custom_id":"text","value":"x"}]},{"type":18,"component":{"custom_id":"status","values":["resolved"]}}]}}`,
		`{"id":"1","type":2,"token":"t","data":{"name":"Add to timeline","type":3,"target_id":"9","resolved":{"messages":{"9":{"id":"9","content":"x","timestamp":"bad"}}}}}`,
	} {
		f.Add([]byte(s))
	}
	d := bare0(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		i, err := readInteraction(raw)
		if err != nil {
			return
		}
		_ = actionName(i)
		_ = i.userID()
		s := d.cmds.read(i)
		if line := s.line(); s.known && line != "/"+s.leaf.verb.Name && !strings.HasPrefix(line, "/"+s.leaf.verb.Name+" ") {
			t.Fatalf("%q became %q", s.path, line)
		}
		if line, l, ok := d.filled(i); ok && !strings.HasPrefix(line, "/"+l.verb.Name) {
			t.Fatalf("a form of %s became %q", l.verb.Name, line)
		}
		if p, ok := readPress(pressedID(i)); ok && (p.Button < 0 || p.Room == "") {
			t.Fatalf("%+v", p)
		}
		if verb, incident, again, ok := readForm(i.Data.CustomID); ok && formID(verb, incident, again) != i.Data.CustomID && formID(verb, incident, again)+"|" != i.Data.CustomID {
			t.Fatalf("%q was read as %q %q %q", i.Data.CustomID, verb, incident, again)
		}
		for _, m := range i.Data.Resolved.Messages {
			_ = d.textOf(t.Context(), m)
		}
		var n chatNews
		_ = json.Unmarshal(raw, &n)
	})
}

// FuzzPress: a custom id that was made is read back, whatever the label.
func FuzzPress(f *testing.F) {
	f.Add("main", "m-12", 3, "Renew")
	f.Fuzz(func(t *testing.T, room, id string, n int, label string) {
		made := pressID(room, id, n, label)
		p, ok := readPress(made)
		if ok && !strings.ContainsAny(room+id, "|") && (p.Room != room || p.Message != id || p.Button != n || p.Label != labelHash(label)) {
			t.Fatalf("%q became %+v", made, p)
		}
	})
}
