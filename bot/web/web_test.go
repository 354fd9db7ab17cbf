package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

type house struct {
	*httptest.Server
	site   *Site
	rooms  *bot.Rooms
	desk   *bottest.Desk
	record *record
	clock  *clock
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func build(t testing.TB, change func(*Options)) *house {
	t.Helper()
	h := &house{desk: bottest.NewDesk(), record: &record{}, clock: &clock{t: atNight}}
	h.rooms = bot.New(bot.Options{Desk: nightDesk{h.desk}, Log: bottest.NewLog(), Now: h.clock.now, Answer: 50 * time.Millisecond})
	o := Options{Rooms: h.rooms, Pages: h.record, Numbers: someNumbers{owner: "platform-networking"}, Now: h.clock.now}
	if change != nil {
		change(&o)
	}
	var err error
	if h.site, err = New(o); err != nil {
		t.Fatal(err)
	}
	h.Server = httptest.NewServer(h.site)
	t.Cleanup(func() {
		h.desk.ReleaseAll()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.rooms.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := h.Config.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		h.Server.Close()
	})
	return h
}

// browser is a client with cookies that does not run scripts.
func (h *house) browser(t testing.TB) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute}
}

func (h *house) get(t testing.TB, c *http.Client, path string) (int, string) {
	t.Helper()
	r, _ := http.NewRequest("GET", h.URL+path, nil)
	r.Header.Set("Accept", "text/html")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// submit posts a form as a browser without script does, from a page that was
// fetched before.
func (h *house) submit(t testing.TB, c *http.Client, path string, fields url.Values) (int, string) {
	t.Helper()
	from := "/"
	if path == "/login" {
		from = "/login"
	}
	_, html := h.get(t, c, from)
	if m := csrfField.FindStringSubmatch(html); m != nil && fields.Get("csrf") == "" {
		fields.Set("csrf", m[1])
	}
	r, _ := http.NewRequest("POST", h.URL+path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", h.URL)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// api posts as a program does.
func (h *house) api(t testing.TB, path string, v any) *http.Response {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("POST", h.URL+path, bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Certmedic", "1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

var everyPage = []string{"/", "/room/INC-7", "/estate", "/certificate/media", "/certificate/www", "/incidents", "/incident/INC-7", "/incident/INC-7/draft", "/numbers", "/numbers?by=cause"}

func Example() {
	rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog()})
	defer rooms.Close(context.Background())
	site, err := New(Options{Rooms: rooms, Pages: &record{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:8080/estate", nil))
	title := regexp.MustCompile(`<title>(.*)</title>`).FindStringSubmatch(w.Body.String())
	fmt.Println(w.Code, title[1])
	// Output: 200 Estate: ✕ 1 critical, ! 1 warning, ? 1 unknown · certmedic
}

func TestPages(t *testing.T) {
	h := build(t, nil)
	c := h.browser(t)
	for path, words := range map[string][]string{
		"/":                     {"<title>Room: ✕ 1 critical", "INC-7 SEV1 investigating", `name="text"`, "Check the estate"},
		"/room/INC-7":           {"<title>INC-7 SEV1 investigating · room", "Commander", "2026-11-22 01:52 UTC", "19 min", "1 of 4", `value="INC-7"`},
		"/estate":               {"media.example.com", "expired", "renewal overdue", "not checked", "ended 19 min ago", "61 d left", "1 of 4", "R-12 renewing", `class="window"`, "5 h ago"},
		"/certificate/media":    {"<title>media ✕ expired", "192.0.2.13:443", "node divergence", "05aa10c2d3e4f50617", "192.0.2.13 answers 404", "Wave 2", "R-12", "INC-7"},
		"/incidents":            {"<title>Incidents: 1 open", "INC-6", "closed", "drill"},
		"/incident/INC-7":       {"<title>INC-7 SEV1 investigating", "notAfter of serial", "First report in support", "version 2", "recorded", "Saturday 2026-11-21", "Sunday 2026-11-22", "https://acme.example/order/88", "time to declare", "3 min 10 s", "ben said 01:45", "to fill", "draft.json"},
		"/incident/INC-7/draft": {"postmortem draft", `<h2 id="pm-impact">`, "TO FILL"},
	} {
		status, html := h.get(t, c, path)
		if status != 200 {
			t.Errorf("%s: %d", path, status)
		}
		for _, w := range words {
			if !strings.Contains(html, w) {
				t.Errorf("%s does not have %q", path, w)
			}
		}
	}
	_, estate := h.get(t, c, "/estate")
	last := -1
	for _, name := range []string{">media<", ">api<", ">vpn<", ">mail<", ">www<"} {
		i := strings.Index(estate, name)
		if i < last {
			t.Errorf("%s does not stand in its place: worst first", name)
		}
		last = i
	}
	for path, status := range map[string]int{"/nothing": 404, "/room/INC-99": 404, "/room/x": 404, "/certificate/none": 404, "/incident/INC-8": 404, "/incident/INC-7/other": 404, "/incident/INC-7/draft.exe": 404, "/message/main/m-9": 404, "/file/main/m-1/0": 404} {
		if got, html := h.get(t, c, path); got != status || !strings.Contains(html, "There is no") {
			t.Errorf("%s: %d", path, got)
		}
	}
	for _, path := range []string{"/certificates/media", "/incidents/INC-7"} { // as replies link to them
		if status, _ := h.get(t, c, path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// TestPagesKeepTheirPolicy reads every page and asset for what the policy
// refuses, for the headers, and for the size.
func TestPagesKeepTheirPolicy(t *testing.T) {
	h := build(t, func(o *Options) { o.Pages.(*record).more = 1000 })
	c := h.browser(t)
	for i := range 60 {
		h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: renewing(i % 4)})
		h.rooms.Say(context.Background(), commands.Request{Text: "/public " + strings.Repeat("x", 100), By: commands.Person{ID: "web:ana", Name: "ana"}})
	}
	bad := regexp.MustCompile(`(?i)\sstyle\s*=|<style|\son[a-z]+\s*=|<script>|<script [^>]*>[^<]|javascript:|src="http|href="http|<base|<iframe|<object`)
	for _, path := range append(everyPage, "/nothing") {
		r, err := c.Get(h.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		html, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if m := bad.FindString(string(html)); m != "" {
			t.Errorf("%s has %q", path, m)
		}
		size := len(html) + len(h.site.assets["style.css"].data) + len(h.site.assets["app.js"].data)
		if size > 100_000 {
			t.Errorf("%s with its assets is %d bytes", path, size)
		}
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := r.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	if js := string(h.site.assets["app.js"].data); regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function`).MatchString(js) {
		t.Error("app.js makes markup of strings")
	}
}

func TestAssetsAreKept(t *testing.T) {
	h := build(t, nil)
	tag := h.site.assets["app.js"].tag
	r, err := http.Get(h.URL + "/assets/app.js?v=" + tag)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if !strings.Contains(r.Header.Get("Cache-Control"), "immutable") || r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("headers %v", r.Header)
	}
	q, _ := http.NewRequest("GET", h.URL+"/assets/app.js", nil)
	q.Header.Set("If-None-Match", `"`+tag+`"`)
	if r, err = http.DefaultClient.Do(q); err != nil || r.StatusCode != 304 {
		t.Errorf("%v, %v", r.StatusCode, err)
	}
}

func TestHost(t *testing.T) {
	h := build(t, func(o *Options) { o.Hosts = []string{"medic.example.com", "two.example.com:8443"} })
	for host, status := range map[string]int{
		"127.0.0.1:9": 200, "127.9.9.9": 200, "localhost": 200, "LOCALHOST:80": 200, "[::1]:8080": 200, "[::1]": 200,
		"medic.example.com": 200, "MEDIC.example.com:1234": 200, "two.example.com:8443": 200,
		"evil.example": 421, "evil.example:8080": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "192.0.2.1": 421, "10.0.0.1:8080": 421, "two.example.com": 421, "[::2]": 421, "0.0.0.0": 421, "2130706433": 421,
	} {
		for _, path := range []string{"/", "/estate", "/assets/style.css", "/events?room=main"} {
			ctx, cancel := context.WithCancel(context.Background())
			r, _ := http.NewRequestWithContext(ctx, "GET", h.URL+path, nil)
			r.Host = host
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != status {
				t.Errorf("Host %s, %s: %d", host, path, resp.StatusCode)
			}
			if status == 421 {
				if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), "does not answer to the name") {
					t.Errorf("Host %s, %s: %s", host, path, b)
				}
			}
			cancel()
			resp.Body.Close()
		}
	}
}

func TestHostOfTheListener(t *testing.T) {
	h := build(t, nil)
	r := httptest.NewRequest("GET", "http://192.0.2.7:8080/estate", nil)
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8080}
	w := httptest.NewRecorder()
	h.site.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local)))
	if w.Code != 200 {
		t.Errorf("the listener's own address: %d", w.Code)
	}
}

func TestForgedRequests(t *testing.T) {
	h := build(t, nil)
	c := h.browser(t)
	_, html := h.get(t, c, "/")
	token := csrfField.FindStringSubmatch(html)[1]
	u, _ := url.Parse(h.URL)
	mine := c.Jar.Cookies(u)
	for _, x := range []struct {
		name    string
		headers map[string]string
		csrf    string
		cookies bool
		status  int
	}{
		{"own form", map[string]string{"Origin": h.URL, "Sec-Fetch-Site": "same-origin"}, token, true, 303},
		{"own form, old browser", map[string]string{"Origin": h.URL}, token, true, 303},
		{"own script", map[string]string{"Origin": h.URL, "Sec-Fetch-Site": "same-origin", "X-Certmedic": "1"}, "", true, 303},
		{"program", map[string]string{"X-Certmedic": "1"}, "", false, 303},
		{"no token", map[string]string{"Origin": h.URL}, "", true, 403},
		{"wrong token", map[string]string{"Origin": h.URL}, strings.Repeat("0", 32), true, 403},
		{"token without its cookie", map[string]string{"Origin": h.URL}, token, false, 403},
		{"neither Origin nor Sec-Fetch-Site", nil, token, true, 403},
		{"another site", map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, token, true, 403},
		{"another port", map[string]string{"Origin": "http://127.0.0.1:1"}, token, true, 403},
		{"null origin", map[string]string{"Origin": "null"}, token, true, 403},
		{"same site, other origin", map[string]string{"Sec-Fetch-Site": "same-site"}, token, true, 403},
		{"typed address", map[string]string{"Sec-Fetch-Site": "none"}, token, true, 403},
		{"header from another site", map[string]string{"Origin": "https://evil.example", "X-Certmedic": "1"}, "", true, 403},
	} {
		for _, path := range []string{"/say", "/press", "/name", "/incident/INC-7/draft/section", "/incident/INC-7/draft/state"} {
			form := url.Values{"text": {"/echo x"}, "as": {"ana"}, "csrf": {x.csrf}, "room": {"main"}, "message": {"m-1"}, "button": {"0"}}
			r, _ := http.NewRequest("POST", h.URL+path, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range x.headers {
				r.Header.Set(k, v)
			}
			if x.cookies {
				for _, k := range mine {
					r.AddCookie(k)
				}
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if (path == "/press" || strings.HasPrefix(path, "/incident/")) && x.status == 303 {
				if resp.StatusCode == 403 {
					t.Errorf("%s to %s: %d %s", x.name, path, resp.StatusCode, b)
				}
				continue // there is no such button, and no such form
			}
			if resp.StatusCode != x.status {
				t.Errorf("%s to %s: %d %s", x.name, path, resp.StatusCode, b)
			}
		}
	}
	if n := h.desk.Count("/echo x"); n != 4 {
		t.Errorf("the line was said %d times", n)
	}
	for _, k := range mine {
		_ = k
	}
	r, err := http.Get(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	for _, k := range r.Cookies() {
		if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode {
			t.Errorf("cookie %s is not HttpOnly and SameSite=Strict", k.Name)
		}
	}
}

func TestBodyCap(t *testing.T) {
	h := build(t, nil)
	big := strings.Repeat("x", 70<<10)
	if r := h.api(t, "/say", map[string]string{"text": big, "as": "ana"}); r.StatusCode != 413 {
		t.Errorf("JSON: %d", r.StatusCode)
	}
	if r := h.api(t, "/api/run", map[string]string{"text": big, "as": "ana"}); r.StatusCode != 413 {
		t.Errorf("run: %d", r.StatusCode)
	}
	if status, _ := h.submit(t, h.browser(t), "/say", url.Values{"text": {big}, "as": {"ana"}}); status != 413 {
		t.Errorf("form: %d", status)
	}
	if r := h.api(t, "/say", map[string]string{"text": strings.Repeat("x", 20<<10), "as": "ana"}); r.StatusCode != 400 {
		t.Errorf("a line of 20 KiB: %d", r.StatusCode)
	}
}

func TestNamesAndIDs(t *testing.T) {
	h := build(t, nil)
	for name, ok := range map[string]bool{
		"ana": true, "Ana María": true, "安娜": true, strings.Repeat("n", 40): true,
		strings.Repeat("n", 41): false, "a\nb": false, "a\x00": false, "\u202eana": false, "a\tb": false, "\xff": false,
	} {
		r := h.api(t, "/api/run", map[string]any{"text": "/echo hi", "as": name})
		if (r.StatusCode == 200) != ok && name != "\xff" { // JSON itself replaces it
			t.Errorf("name %q: %d", name, r.StatusCode)
		}
		form, _ := h.submit(t, h.browser(t), "/name", url.Values{"as": {name}})
		if (form == 200) != ok {
			t.Errorf("name %q in a form: %d", name, form)
		}
	}
	for _, q := range []map[string]any{
		{"text": "/echo", "as": "ana", "id": "a b"}, {"text": "/echo", "as": "ana", "id": strings.Repeat("i", 101)}, {"text": "", "as": "ana"},
		{"text": "/echo", "as": "ana", "room": "../x"}, {"text": "/echo", "as": "ana", "room": "INC-99"}, {"text": "/echo"},
	} {
		if r := h.api(t, "/api/run", q); r.StatusCode != 400 {
			t.Errorf("%v: %d", q, r.StatusCode)
		}
	}
	if r := h.api(t, "/say", map[string]any{"text": "/echo"}); r.StatusCode != 400 {
		t.Errorf("nobody says it: %d", r.StatusCode)
	}
}

func TestToken(t *testing.T) {
	const token = "correct-horse-battery"
	h := build(t, func(o *Options) { o.Token = token })
	guarded := httptest.NewServer(h.site.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "metrics") })))
	defer guarded.Close()
	ask := func(url string, headers ...string) *http.Response {
		t.Helper()
		r, _ := http.NewRequest("GET", url, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, path := range append(everyPage, "/assets/app.js", "/assets/style.css", "/events?room=main", "/complete?line=/", "/message/main/m-1", "/incident/INC-7/draft.md", "/nothing") {
		if r := ask(h.URL + path); r.StatusCode != 401 {
			t.Errorf("%s without a token: %d", path, r.StatusCode)
		}
	}
	if r := ask(guarded.URL); r.StatusCode != 401 {
		t.Errorf("guarded handler without a token: %d", r.StatusCode)
	}
	if r := h.api(t, "/api/run", map[string]string{"text": "/echo", "as": "ana"}); r.StatusCode != 401 || h.desk.Count("") != 0 {
		t.Errorf("run without a token: %d", r.StatusCode)
	}
	if r := ask(h.URL+"/estate", "Accept", "text/html"); r.StatusCode != 303 || r.Header.Get("Location") != "/login?to=%2Festate" {
		t.Errorf("a browser is sent to %q", r.Header.Get("Location"))
	}
	if r := ask(h.URL+"/estate", "Authorization", "Bearer "+token); r.StatusCode != 200 {
		t.Errorf("with the token: %d", r.StatusCode)
	}
	for _, path := range []string{"/login", "/login/style.css"} {
		if r := ask(h.URL + path); r.StatusCode != 200 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if r := ask(h.URL+"/estate", "Cookie", sessionCookie+"=9999999999.00000000000000000000000000000000"); r.StatusCode != 401 {
		t.Errorf("an invented session: %d", r.StatusCode)
	}
	if r := ask(h.URL+"/estate", "Cookie", sessionCookie+"="+h.site.session(atNight.Add(-time.Second))); r.StatusCode != 401 {
		t.Errorf("an old session: %d", r.StatusCode)
	}

	c := h.browser(t)
	if status, html := h.submit(t, c, "/login", url.Values{"token": {"wrong"}}); status != 401 || !strings.Contains(html, "The token is wrong") {
		t.Errorf("wrong login: %d", status)
	}
	if status, html := h.submit(t, c, "/login", url.Values{"token": {token}, "to": {"/estate"}}); status != 200 || !strings.Contains(html, "<h1>Estate</h1>") {
		t.Errorf("login: %d", status)
	}
	if status, _ := h.submit(t, c, "/logout", url.Values{}); status != 200 {
		t.Errorf("logout: %d", status)
	}
	if _, html := h.get(t, c, "/estate"); !strings.Contains(html, "<h1>Log in</h1>") {
		t.Error("the session goes on after the logout")
	}
	for _, to := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "evil", "/a\r\nX: y"} {
		if got := localPath(to); got != "/" {
			t.Errorf("after the login it goes to %q", got)
		}
	}
}

func TestGuessesAreSlowed(t *testing.T) {
	h := build(t, func(o *Options) { o.Token = "right" })
	bearer := func(v string) *http.Response {
		r, _ := http.NewRequest("GET", h.URL+"/estate", nil)
		r.Header.Set("Authorization", "Bearer "+v)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for range 3 {
		if r := bearer("wrong"); r.StatusCode != 401 {
			t.Fatalf("%d", r.StatusCode)
		}
	}
	if r := bearer("right"); r.StatusCode != 429 || r.Header.Get("Retry-After") == "" {
		t.Errorf("after three wrong ones: %d", r.StatusCode)
	}
	if status, _ := h.submit(t, h.browser(t), "/login", url.Values{"token": {"right"}}); status != 429 {
		t.Errorf("the login goes round it: %d", status)
	}
	h.clock.pass(1100 * time.Millisecond)
	if r := bearer("wrong"); r.StatusCode != 401 {
		t.Errorf("after the wait: %d", r.StatusCode)
	}
	h.clock.pass(1100 * time.Millisecond)
	if r := bearer("right"); r.StatusCode != 429 {
		t.Errorf("the wait does not grow: %d", r.StatusCode)
	}
	h.clock.pass(time.Second)
	if r := bearer("right"); r.StatusCode != 200 {
		t.Errorf("after the longer wait: %d", r.StatusCode)
	}
}

func TestSecureCookieWithTLS(t *testing.T) {
	h := build(t, nil)
	s := httptest.NewTLSServer(h.site)
	defer s.Close()
	r, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	for _, k := range r.Cookies() {
		if !k.Secure {
			t.Errorf("cookie %s is not Secure", k.Name)
		}
	}
	if len(r.Cookies()) == 0 {
		t.Error("no cookie")
	}
}

// TestWithoutScript goes through an outage with forms alone.
func TestWithoutScript(t *testing.T) {
	h := build(t, nil)
	c := h.browser(t)
	if status, html := h.submit(t, c, "/say", url.Values{"text": {"/certcheck"}, "room": {"main"}}); status != 400 || !strings.Contains(html, "name") {
		t.Errorf("without a name: %d", status)
	}
	status, html := h.submit(t, c, "/say", url.Values{"text": {"/certcheck"}, "room": {"main"}, "as": {"ana"}})
	if status != 200 || !strings.Contains(html, "1 of 5 certificates is critical") || !strings.Contains(html, "You are ana") {
		t.Fatalf("%d %s", status, html)
	}
	status, html = h.submit(t, c, "/say", url.Values{"text": {"/renew media"}, "room": {"main"}})
	if status != 200 || !strings.Contains(html, "cannot be renewed with http-01") {
		t.Fatalf("%d", status)
	}
	press := url.Values{"room": {"main"}, "message": {"m-4"}, "button": {"0"}, "label": {"Renew with DNS-01"}, "confirm": {"Renew media?"}}
	if status, html = h.submit(t, c, "/press", press); status != 200 || !strings.Contains(html, "Renew media?") || h.desk.Count("") != 0 {
		t.Fatalf("the button does not ask: %d %s", status, html)
	}
	press.Set("sure", "1")
	press.Set("label", "Stop")
	if status, _ = h.submit(t, c, "/press", press); status != 409 {
		t.Errorf("a button that is another by now: %d", status)
	}
	press.Set("label", "Renew with DNS-01")
	if status, html = h.submit(t, c, "/press", press); status != 200 || !strings.Contains(html, "ana pressed Renew with DNS-01 at 02:11 UTC") || !strings.Contains(html, "R-12: renewing media") || !strings.Contains(html, `<progress max="4" value="1"`) {
		t.Fatalf("%d %s", status, html)
	}
	if strings.Contains(html, `value="Renew with DNS-01"`) {
		t.Error("the button is still there")
	}
	if status, html = h.submit(t, c, "/press", press); status != 409 || !strings.Contains(html, "ana pressed Renew with DNS-01 at 02:11 UTC") {
		t.Errorf("a second press: %d", status)
	}
	ben := h.browser(t)
	if _, html = h.get(t, ben, "/"); !strings.Contains(html, "R-12: renewing media") || strings.Contains(html, "1 of 5 certificates") {
		t.Error("ben does not see what he should")
	}
	if _, html = h.get(t, c, "/estate?q=plat%20www"); !strings.Contains(html, ">www<") || strings.Contains(html, ">media<") || !strings.Contains(html, `value="plat www"`) {
		t.Error("the filter does not work without script")
	}
	if _, html = h.get(t, c, "/incidents?q=mail"); strings.Contains(html, "INC-7") {
		t.Error("the incidents' filter does not work without script")
	}
}

func TestLongReplyIsFolded(t *testing.T) {
	h := build(t, nil)
	c := h.browser(t)
	_, html := h.submit(t, c, "/say", url.Values{"text": {"/long"}, "as": {"ana"}})
	head, rest, ok := strings.Cut(html, "<details id=\"m-2-rest\">")
	if !ok || !strings.Contains(head, "line 16 of") || strings.Contains(head, "line 17 of") || !strings.Contains(rest, "line 17 of") {
		t.Error("the long body is not folded")
	}
}

func TestDownloads(t *testing.T) {
	h := build(t, nil)
	for form, kind := range map[string]string{"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json", "png": "image/png"} {
		r, err := http.Get(h.URL + "/incident/INC-7/draft." + form)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.Header.Get("Content-Type") != kind || r.Header.Get("Content-Disposition") != "attachment; filename=INC-7."+form || string(b) != "draft as "+form || r.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%s: %v %s", form, r.Header, b)
		}
	}
	h.rooms.Say(context.Background(), commands.Request{Text: "/hostile", By: commands.Person{ID: "web:x", Name: "x"}})
	r, err := http.Get(h.URL + "/file/main/m-2/0")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if d := r.Header.Get("Content-Disposition"); r.StatusCode != 200 || !regexp.MustCompile(`^attachment; filename=[A-Za-z0-9._-]+$`).MatchString(d) {
		t.Errorf("%d %q", r.StatusCode, d)
	}
}

func TestComplete(t *testing.T) {
	h := build(t, nil)
	r, err := http.Get(h.URL + "/complete?room=main&line=" + url.QueryEscape("/re"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var got []string
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || fmt.Sprint(got) != "[/renew media]" {
		t.Errorf("%v %v", got, err)
	}
}

// TestCompleteToWhoMayLook: the names of certificates and incidents are not
// completed to who may not look.
func TestCompleteToWhoMayLook(t *testing.T) {
	h := build(t, func(o *Options) {
		o.Rooms = bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog(), MayRead: func(_ context.Context, _, person string) bool { return person == "web:ana" }})
	})
	t.Cleanup(func() { h.site.o.Rooms.Close(context.Background()) })
	for who, want := range map[string]string{"": "[]", "zoe": "[]", "ana": "[/renew media]"} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", h.URL+"/complete?room=main&line="+url.QueryEscape("/re"), nil)
		if who != "" {
			r.AddCookie(&http.Cookie{Name: nameCookie, Value: who})
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.NewDecoder(a.Body).Decode(&got); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q gets %v %v, want %s", who, got, err, want)
		}
		a.Body.Close()
	}
}

// listen opens a stream of events as a person ("" for nobody).
func (h *house) listen(t testing.TB, who, query, lastID string) (*bufio.Scanner, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "GET", h.URL+"/events?"+query, nil)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	if who != "" {
		r.AddCookie(&http.Cookie{Name: nameCookie, Value: who})
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	end := func() { cancel(); resp.Body.Close() }
	t.Cleanup(end)
	return bufio.NewScanner(resp.Body), end
}

// event reads the next message of a stream.
func event(t testing.TB, s *bufio.Scanner) (id string, m bot.Message) {
	t.Helper()
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), "id: "); ok {
			id = v
		}
		if v, ok := strings.CutPrefix(s.Text(), "data: {\"id\""); ok {
			if err := json.Unmarshal([]byte("{\"id\""+v), &m); err != nil {
				t.Fatal(err)
			}
			return id, m
		}
	}
	t.Fatalf("the stream ends: %v", s.Err())
	return
}

func TestEventsResume(t *testing.T) {
	h := build(t, nil)
	post := func(n int) {
		if err := h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: renewing(n)}); err != nil {
			t.Fatal(err)
		}
	}
	post(1)
	s, end := h.listen(t, "", "room=main&after=0", "")
	id1, m := event(t, s)
	if m.Reply.Done != 1 || id1 != "1" {
		t.Errorf("id %s, %+v", id1, m)
	}
	post(2)
	id2, m := event(t, s)
	if m.ID != "m-1" || m.Rev != 2 || id2 != "2" {
		t.Errorf("the edit comes as id %s, %+v", id2, m)
	}
	end()
	post(3) // missed: an edit of an older message
	h.rooms.Say(context.Background(), commands.Request{Text: "/public missed", By: commands.Person{ID: "web:ben", Name: "ben"}})
	h.rooms.Say(context.Background(), commands.Request{Text: "/echo private", By: commands.Person{ID: "web:ben", Name: "ben"}})
	s, _ = h.listen(t, "ana", "room=main&after=0", id2)
	var got []string
	for range 3 {
		_, m = event(t, s)
		got = append(got, m.ID)
	}
	if fmt.Sprint(got) != "[m-1 m-2 m-3]" {
		t.Errorf("after the break come %v", got)
	}
	post(4)
	if _, m = event(t, s); m.ID != "m-1" {
		t.Errorf("somebody else's private line came: %+v", m)
	}
	s, _ = h.listen(t, "ben", "room=main&after=999999", "")
	if _, m = event(t, s); m.ID == "" {
		t.Error("marks of another record get nothing")
	}
	s, _ = h.listen(t, "ben", "room=main&after=latest", "")
	post(1)
	if _, m = event(t, s); m.ID != "m-1" || m.Reply.Done != 1 {
		t.Errorf("from now on comes %+v", m)
	}
	for _, query := range []string{"room=x", "", "room=INC-99"} {
		r, err := http.Get(h.URL + "/events?" + query)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 400 && r.StatusCode != 404 {
			t.Errorf("%q: %d", query, r.StatusCode)
		}
	}
}

func TestShutdownEndsStreams(t *testing.T) {
	h := build(t, nil)
	s, _ := h.listen(t, "ana", "room=main&after=0", "")
	waiting := make(chan *http.Response, 1)
	go func() { waiting <- h.api(t, "/api/run", map[string]any{"text": "/slow w", "as": "ana", "wait": true}) }()
	if !h.desk.Started("w", 20*time.Second) {
		t.Fatal("not asked")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	begin := time.Now()
	if err := h.Config.Shutdown(ctx); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	for s.Scan() { // ends
	}
	b, _ := io.ReadAll((<-waiting).Body)
	if !strings.Contains(string(b), `{"reply":`) {
		t.Errorf("who waited is told %q", b)
	}
}

func TestStreamsAreCounted(t *testing.T) {
	h := build(t, nil)
	h.site.streams.open = mostStreams
	r, err := http.Get(h.URL + "/events?room=main")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 503 {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestRun(t *testing.T) {
	h := build(t, nil)
	h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "another renewal", Key: "renewal/R-3"}})
	r := h.api(t, "/api/run", map[string]any{"text": "/slow R-3", "as": "ana", "room": "main", "wait": true, "id": "run-1", "zone": "Europe/Berlin"})
	lines := bufio.NewScanner(r.Body)
	next := func() (post *commands.Post, reply *commands.Reply) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no more lines: %v", lines.Err())
		}
		var l struct {
			Post  *commands.Post
			Reply *commands.Reply
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		return l.Post, l.Reply
	}
	for i := 1; i <= 2; i++ {
		h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: renewing(i)})
		if p, _ := next(); p == nil || p.Reply.Done != i || p.Room != "main" {
			t.Errorf("line %d is %+v", i, p)
		}
	}
	h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "changed", Key: "renewal/R-3"}})
	if p, _ := next(); p == nil || p.Reply.Headline != "changed" { // the line names R-3
		t.Errorf("%+v", p)
	}
	h.desk.Release("R-3")
	if _, reply := next(); reply == nil || reply.Headline != "slow: R-3" {
		t.Errorf("%+v", reply)
	}
	if lines.Scan() {
		t.Errorf("after the reply: %s", lines.Text())
	}
	q := h.desk.Asked("/slow R-3")[0]
	if q.By.ID != "cli:ana" || q.By.Platform != "cli" || !q.Wait || q.ID != "run-1" || q.By.Zone != "Europe/Berlin" {
		t.Errorf("the desk is asked %+v", q)
	}
	again := h.api(t, "/api/run", map[string]any{"text": "/slow R-3", "as": "ana", "room": "main", "wait": true, "id": "run-1"})
	if b, _ := io.ReadAll(again.Body); !strings.Contains(string(b), "slow: R-3") || h.desk.Count("/slow R-3") != 1 {
		t.Errorf("the same id: %s", b)
	}
}

// TestContrast computes the contrast of every text colour on every ground, in
// light and dark, from the style sheet.
func TestContrast(t *testing.T) {
	css, err := files.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	all := token.FindAllStringSubmatch(string(css), -1)
	half := 0
	for i, m := range all {
		if i > 0 && m[1] == "page" {
			half = i
		}
	}
	for name, part := range map[string][][]string{"light": all[:half], "dark": all[half:]} {
		c := map[string]string{}
		for _, m := range part {
			c[m[1]] = m[2]
		}
		for _, ground := range []string{"page", "sheet"} {
			for _, text := range []string{"text", "quiet", "good", "warning", "critical", "running", "unknown", "accent"} {
				if r := contrast(t, c[text], c[ground]); r < 4.5 {
					t.Errorf("%s: %s on %s is %.1f", name, text, ground, r)
				}
			}
		}
		if r := contrast(t, c["on-accent"], c["accent"]); r < 4.5 {
			t.Errorf("%s: the primary button is %.1f", name, r)
		}
	}
}

// contrast is WCAG's contrast ratio of two colours.
func contrast(t *testing.T, a, b string) float64 {
	light := func(hex string) float64 {
		var rgb [3]int
		if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
			t.Fatalf("colour %q: %v", hex, err)
		}
		var sum float64
		for i, w := range []float64{0.2126, 0.7152, 0.0722} {
			v := float64(rgb[i]) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = pow24((v + 0.055) / 1.055)
			}
			sum += w * v
		}
		return sum
	}
	x, y := light(a), light(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

func FuzzHost(f *testing.F) {
	h := build(f, nil)
	for _, s := range []string{"127.0.0.1", "[::1]:1", "localhost", "evil.example:80", "[", ":", "127.0.0.1:x:y", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/assets/icon.svg", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.site.ServeHTTP(w, r)
		name := strings.ToLower(hostOf(host))
		ip := net.ParseIP(strings.SplitN(name, "%", 2)[0])
		if allowed := name == "localhost" || ip != nil && ip.IsLoopback(); (w.Code == 200) != allowed {
			t.Errorf("Host %q: %d", host, w.Code)
		}
	})
}

func BenchmarkRoomPage(b *testing.B)     { benchPage(b, "/") }
func BenchmarkEstatePage(b *testing.B)   { benchPage(b, "/estate") }
func BenchmarkIncidentPage(b *testing.B) { benchPage(b, "/incident/INC-7") }

func benchPage(b *testing.B, path string) {
	h := build(b, func(o *Options) { o.Pages.(*record).more = 1000 })
	for range 100 {
		h.rooms.Say(context.Background(), commands.Request{Text: "/public x", By: commands.Person{ID: "web:ana", Name: "ana"}})
	}
	b.ResetTimer()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.site.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1"+path, nil))
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
