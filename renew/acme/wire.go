package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what is read from a server.
const (
	maxBody      = 1 << 20          // an answer
	maxErrorBody = 8 << 10          // an error
	directoryFor = 10 * time.Minute // how long the directory is believed
	nonceFor     = 5 * time.Minute  // how long a nonce is kept; servers forget them
	maxNonces    = 32
)

const badNonce = "urn:ietf:params:acme:error:badNonce"

// server is what all clients of one directory share: connections, the
// directory and unused nonces.
type server struct {
	o         Options
	directory string
	http      http.RoundTripper

	mu      sync.Mutex
	dir     []byte // body of the directory
	dirAt   time.Time
	nonceAt string // newNonce URL
	nonces  []nonce
}

type nonce struct {
	value string
	at    time.Time
}

func (s *server) push(value string, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh { // the server refused one: the others may be as old
		s.nonces = nil
	}
	if value != "" && len(s.nonces) < maxNonces {
		s.nonces = append(s.nonces, nonce{value, time.Now()})
	}
}

func (s *server) pop() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.nonces) > 0 {
		n := s.nonces[len(s.nonces)-1]
		s.nonces = s.nonces[:len(s.nonces)-1]
		if time.Since(n.at) < nonceFor {
			return n.value
		}
	}
	return ""
}

// wire is the HTTP transport of one call. lego's client knows no ctx, fetches
// the directory anew each time, sleeps over refused nonces and reads without
// a limit; wire gives it all four.
type wire struct {
	ctx      context.Context // of the call; the one place where it is kept, for the call's own life
	srv      *server
	fresh    bool        // do not believe the kept directory
	refused  bool        // the last answer was badNonce
	answered bool        // there was an answer
	status   int         // of the last answer
	header   http.Header // of the last answer
	snippet  string      // first bytes of an error's body
}

// RoundTrip sends the request with the call's ctx and reads the whole answer.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is not https", r.URL.Redacted())
	}
	w.srv.mu.Lock()
	dir, young, nonceAt := w.srv.dir, time.Since(w.srv.dirAt) < directoryFor, w.srv.nonceAt
	w.srv.mu.Unlock()
	url := r.URL.String()
	if r.Method == http.MethodGet && url == w.srv.directory && dir != nil && young && !w.fresh {
		return made(r, http.Header{"Content-Type": {"application/json"}}, dir), nil
	}
	if r.Method == http.MethodHead && url == nonceAt {
		if n := w.srv.pop(); n != "" {
			return made(r, http.Header{"Replay-Nonce": {n}}, nil), nil
		}
	}
	return w.send(r, url)
}

// made is an answer that needed no server.
func made(r *http.Request, h http.Header, body []byte) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

func (w *wire) send(r *http.Request, url string) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(w.ctx, w.srv.o.Timeout, fmt.Errorf("%s did not answer within %s", r.URL.Host, w.srv.o.Timeout))
	defer cancel()
	r = r.Clone(ctx)
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", w.srv.o.UserAgent)
	}
	resp, err := w.srv.http.RoundTrip(r)
	if err != nil {
		return nil, timedOut(ctx, err)
	}
	defer resp.Body.Close()
	limit := int64(maxBody)
	if resp.StatusCode >= 400 {
		limit = maxErrorBody
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, timedOut(ctx, err)
	}
	if int64(len(body)) > limit {
		if resp.StatusCode < 400 {
			return nil, fmt.Errorf("%s answers with more than %d bytes", url, limit)
		}
		body = body[:limit]
	}
	w.note(r, resp, &body, url)
	out := *resp
	out.Body = io.NopCloser(bytes.NewReader(body))
	out.ContentLength = int64(len(body))
	return &out, nil
}

// timedOut prefers the reason why ctx ended to net/http's words about it.
func timedOut(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// note keeps what the call and the server's other calls need of an answer.
func (w *wire) note(r *http.Request, resp *http.Response, body *[]byte, url string) {
	w.answered, w.status, w.refused = true, resp.StatusCode, false
	if resp.StatusCode >= 400 {
		w.snippet = printable(*body, 200)
		*body = w.tame(*body)
	}
	if r.Method == http.MethodHead {
		return // newNonce: the nonce is for this very call
	}
	// lego's own store of nonces ends with the call.
	if n := resp.Header.Get("Replay-Nonce"); n != "" || w.refused {
		w.srv.push(n, w.refused)
		resp.Header.Del("Replay-Nonce")
	}
	w.header = resp.Header
	if r.Method == http.MethodGet && url == w.srv.directory && resp.StatusCode == http.StatusOK {
		w.srv.keepDirectory(*body)
	}
}

func (s *server) keepDirectory(body []byte) {
	var d struct {
		NewNonce string `json:"newNonce"`
	}
	if json.Unmarshal(body, &d) != nil || d.NewNonce == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dir, s.dirAt, s.nonceAt = body, time.Now(), d.NewNonce
}

// tame makes an error's body one that lego's client can bear: it falls over
// JSON null, and would sleep over a refused nonce, which client.call repeats at
// once instead.
func (w *wire) tame(body []byte) []byte {
	var p *struct {
		Type   string `json:"type"`
		Detail string `json:"detail"`
		Status int    `json:"status,omitempty"`
	}
	if json.Unmarshal(body, &p) != nil || p == nil {
		return []byte("no problem document")
	}
	if p.Type != badNonce {
		return body
	}
	w.refused = true
	p.Type += ":refused"
	out, _ := json.Marshal(p) // strings and a number: never fails
	return out
}

// printable returns at most n bytes of b as one line for people.
func printable(b []byte, n int) string {
	s := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, string(b[:min(len(b), 4*n)]))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}

// retryAfter reads a Retry-After header (RFC 9110 section 10.2.3): seconds or
// a date. What is malformed, past or negative is 0; the most is a year.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	const most = 365 * 24 * time.Hour
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		if n > int64(most/time.Second) {
			return most
		}
		return max(0, time.Duration(n)*time.Second)
	} else if errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(value, "-") {
		return most
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(most, max(0, t.Sub(now)))
	}
	return 0
}

// sleep waits for d or for ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// pace spaces out looks at something that changes by itself: tightly at
// first, 5 ms doubling to 250 ms, after ten seconds every 2 s.
type pace struct {
	step  time.Duration
	spent time.Duration
	most  time.Duration // 0: 2 s
}

// wait waits until the next look. asked is what the server asked for, 0 when
// it said nothing; more than 30 s is not believed.
func (p *pace) wait(ctx context.Context, asked time.Duration) error {
	d := min(asked, 30*time.Second)
	if d <= 0 {
		p.step = min(max(2*p.step, 5*time.Millisecond), 250*time.Millisecond)
		d = p.step
		if p.spent > 10*time.Second {
			d = 2 * time.Second
		}
		if p.most > 0 {
			d = min(d, p.most)
		}
	}
	p.spent += d
	return sleep(ctx, d)
}
