package tracker

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer is the longest answer read of a tracker: a hundred issues of 64 KiB
// and what stands around them.
const maxAnswer = 16 << 20

// maxSaid is how much of a tracker's own words is shown, in characters.
const maxSaid = 300

// client asks a tracker. A redirect is followed on the same host alone, by the
// same method: the token goes nowhere else.
func client() *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: bounded{http.DefaultTransport}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		first := via[0]
		if len(via) > 3 || r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme || r.Method != first.Method {
			return &Trouble{Final: true, None: true, Text: fmt.Sprintf("%s leads to %s, where the token does not go", first.URL.Host, r.URL.Host), Next: "See that the address under tasks: is right, and restart certmedic."}
		}
		return nil
	}}
}

// bounded cuts answers that are longer than maxAnswer.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// retryAfter is how long an answer asks to wait, in seconds (RFC 9110 section
// 10.2.3), an hour at most; 0 when it does not say.
func retryAfter(resp *http.Response) time.Duration {
	s, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || s <= 0 {
		return 0
	}
	return time.Duration(min(s, 3600)) * time.Second
}

// webAddress is an address that a person may be led to; "" when it is none.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(s) > 500 {
		return ""
	}
	return u.String()
}

// short is what a tracker says, on one line and not too long.
func short(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if rs := []rune(s); len(rs) > most {
		return string(rs[:most]) + "…"
	}
	return s
}
