package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// A body that comes a byte at a time holds its connection only for so long, and
// an answer that takes longer than that is not cut short by it.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	h := build(t, nil)
	h.site.bodyWithin = 300 * time.Millisecond
	for _, path := range []string{"/say", "/api/run", "/press", "/name"} {
		c, err := net.Dial("tcp", h.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nX-Certmedic: 1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path, h.Listener.Addr())
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if res.Body.Close(); res.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	answer := make(chan int, 1)
	go func() {
		r := h.api(t, "/api/run", map[string]any{"text": "/slow R-9", "as": "ana", "wait": true})
		s := bufio.NewScanner(r.Body)
		n := 0
		for s.Scan() {
			if strings.Contains(s.Text(), "slow: R-9") {
				n++
			}
		}
		answer <- n
	}()
	time.Sleep(time.Second) // longer than bodyWithin
	h.desk.Release("R-9")
	if n := <-answer; n != 1 {
		t.Errorf("the slow answer came %d times", n)
	}
}

// The server's read timeout ends refused requests that trickle in, and no stream.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *Options) { o.Token = "correct-horse-battery" })
	srv := httptest.NewUnstartedServer(h.site)
	srv.Config.ReadTimeout = 300 * time.Millisecond
	srv.Start()
	defer srv.Close()
	defer h.site.streams.end()
	trickle, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer trickle.Close()
	fmt.Fprintf(trickle, "POST /say HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\nx", srv.Listener.Addr())
	_ = trickle.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadAll(trickle); err != nil {
		t.Errorf("the connection is held: %v", err)
	}
	r, _ := http.NewRequest("GET", srv.URL+"/events?room=main", nil)
	r.Header.Set("Authorization", "Bearer correct-horse-battery")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	time.Sleep(time.Second) // longer than the timeout
	if err := h.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "still here"}}); err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(res.Body)
	for s.Scan() && !strings.Contains(s.Text(), "still here") {
	}
	if !strings.Contains(s.Text(), "still here") {
		t.Errorf("the stream ended: %v", s.Err())
	}
}

// Names that look like nobody, or like the bot, are nobody's.
func TestNamesThatMislead(t *testing.T) {
	h := build(t, nil)
	for _, name := range []string{
		"certmedic", "CertMedic", " certmedic ", "@certmedic", "cert\u00admedic", "ana\u200b", "a\u200dna", "\u3164", "ana\u3164", "\u2800", "\u115f", "\uffa0",
		"ana\u0307\u0307\u0307\u0307\u0307", "\u0301", "ana\u2066", "ana\ufeff", "ana\ufe0f", "\U000e0041",
	} {
		if r := h.api(t, "/api/run", map[string]any{"text": "/echo hi", "as": name}); r.StatusCode != 400 {
			t.Errorf("run as %+q: %d", name, r.StatusCode)
		}
		if r := h.api(t, "/say", map[string]any{"text": "/echo hi", "as": name}); r.StatusCode != 400 {
			t.Errorf("say as %+q: %d", name, r.StatusCode)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: nameCookie, Value: url.QueryEscape(name)})
		if got := nameOf(r); got != "" {
			t.Errorf("the cookie %+q is taken as %q", name, got)
		}
	}
	for _, name := range []string{"ana", "Ana María", "Ana Mari\u0301a", "Zoë", "安娜", "अना", "Nguyễn", "o'neil", "ana@example.com", "certmedic-team"} {
		if !bot.ValidName(name) {
			t.Errorf("%q is refused", name)
		}
	}
}
