package notify

// This file is the signed webhook. The body is JSON; its signature is over the
// time and the body, so that a receiver knows both who sent it and that it is
// not an old one played again:
//
//	X-Certmedic-Delivery:  INC-7/U-2/hook
//	X-Certmedic-Timestamp: 1795312460
//	X-Certmedic-Signature: v1=HEX(HMAC-SHA256(secret, "v1:" + timestamp + ":" + body))

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Headers of a webhook.
const (
	HeaderDelivery  = "X-Certmedic-Delivery" // the same id is the same delivery
	HeaderTimestamp = "X-Certmedic-Timestamp"
	HeaderSignature = "X-Certmedic-Signature"
)

// Webhook is the target that posts JSON.
type Webhook struct {
	URL    string
	Secret string
	Client *http.Client // nil: one of its own
	Now    func() time.Time
	Site   string // where the pages are; "": the body has no link
}

// Sign returns the value of the header X-Certmedic-Signature.
func Sign(secret, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte("v1:" + timestamp + ":"))
	h.Write(body)
	return "v1=" + hex.EncodeToString(h.Sum(nil))
}

// Verify checks a webhook as a receiver is to: its signature, and that it is not
// older than 5 minutes nor from the future.
func Verify(secret string, h http.Header, body []byte, now time.Time) error {
	stamp := h.Get(HeaderTimestamp)
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("no timestamp")
	}
	if d := now.Sub(time.Unix(n, 0)); d > 5*time.Minute || d < -5*time.Minute {
		return fmt.Errorf("the timestamp is %s off", d)
	}
	if !hmac.Equal([]byte(Sign(secret, stamp, body)), []byte(h.Get(HeaderSignature))) {
		return errors.New("the signature does not fit")
	}
	return nil
}

// Hook is the body of a webhook, version 1: fields may join, none changes its
// meaning.
type Hook struct {
	V        int          `json:"v"`
	ID       string       `json:"id"` // as in X-Certmedic-Delivery
	Kind     string       `json:"kind"`
	Incident HookIncident `json:"incident"`
	Update   HookUpdate   `json:"update"`
	Link     string       `json:"link,omitempty"`
}

// HookIncident is the incident as it was when the update was written.
type HookIncident struct {
	ID       string    `json:"id"`
	Title    string    `json:"title"`
	Severity int       `json:"severity"` // 1 (worst) to 4
	Status   string    `json:"status"`   // investigating, identified, monitoring or resolved
	Declared time.Time `json:"declared"`
	Drill    bool      `json:"drill"`
	Private  bool      `json:"private"`
}

// HookUpdate is what was said.
type HookUpdate struct {
	ID   string    `json:"id"`
	Text string    `json:"text"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// Deliver implements Target.
func (w *Webhook) Deliver(ctx context.Context, m commands.Dispatch) (Receipt, error) {
	id := m.Incident + "/" + m.Update + "/" + m.Target
	h := Hook{V: 1, ID: id, Kind: "incident.update", Incident: HookIncident{m.Incident, m.Title, m.Severity, m.Status, m.Declared.UTC(), m.Drill, m.Private}, Update: HookUpdate{m.Update, m.Text, m.By, m.At.UTC()}}
	if w.Site != "" {
		h.Link = w.Site + "/incident/" + m.Incident
	}
	body, err := json.Marshal(h)
	if err != nil {
		return Receipt{}, fmt.Errorf("encode the webhook: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return Receipt{}, err
	}
	stamp := strconv.FormatInt(w.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "certmedic")
	r.Header.Set(HeaderDelivery, id)
	r.Header.Set(HeaderTimestamp, stamp)
	r.Header.Set(HeaderSignature, Sign(w.Secret, stamp, body))
	resp, err := client(w.Client).Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			u.URL = host(w.URL) // the rest may be a secret, and errors are logged
		}
		return Receipt{}, err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // for people alone
	if resp.StatusCode/100 == 2 {
		return Receipt{Text: fmt.Sprintf("taken by %s (%d)", host(w.URL), resp.StatusCode), Ref: id}, nil
	}
	t := answered(resp, host(w.URL), string(said))
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		t.Final, t.Next = true, "See that the receiver checks the signature with the same WEBHOOK_SECRET."
	case code/100 == 3:
		t.Final, t.Next = true, "Give the address that it leads to as the webhook's url: a redirect is not followed."
	case code/100 == 4 && code != http.StatusRequestTimeout && code != http.StatusTooEarly && code != http.StatusTooManyRequests:
		t.Final, t.Next = true, "Look into the receiver's log, and see that updates.targets has the right url."
	}
	return Receipt{}, t
}

// client is an HTTP client that follows no redirect: what is signed for one
// address is not for another.
func client(c *http.Client) *http.Client {
	if c == nil {
		c = http.DefaultClient
	}
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if own.Timeout == 0 {
		own.Timeout = 20 * time.Second
	}
	return &own
}

// host is the part of an address that may be shown.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the receiver"
	}
	return u.Host
}

// answered is the trouble that an HTTP answer means, with when to try again
// where it says so (RFC 9110 section 10.2.3).
func answered(resp *http.Response, who, said string) *Trouble {
	t := &Trouble{Text: fmt.Sprintf("%s answers %d", who, resp.StatusCode)}
	if said = strings.Join(strings.Fields(bot.Clean(said)), " "); said != "" && !strings.HasPrefix(said, "<") {
		t.Text += ": " + strings.ToValidUTF8(said[:min(len(said), 200)], "")
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		t.After = min(time.Duration(s)*time.Second, time.Hour)
	}
	return t
}
