package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/commands"
)

// This file holds how Discord's REST API is called and what its errors mean.
// Pacing is in limits.go.

const (
	apiURL    = "https://discord.com/api/v10"
	userAgent = "DiscordBot (https://github.com/certmedic/certmedic, 1)"
	maxAnswer = 8 << 20 // bytes of an answer that are read
)

// Codes of Discord's JSON errors (docs: topics/opcodes-and-status-codes).
const (
	unknownChannel     = 10003
	unknownMessage     = 10008
	unknownWebhook     = 10015
	unknownInteraction = 10062
	tooManyChannels    = 30013
	tooManyPins        = 30003
	oldMessage         = 30046
	alreadyAnswered    = 40060
	missingAccess      = 50001
	emptyMessage       = 50006
	cannotTell         = 50007 // a direct message
	missingPermissions = 50013
	notThisKind        = 50024
	badWebhookToken    = 50027
	badForm            = 50035
	threadArchived     = 50083
	threadLocked       = 160005
)

// limited says that Discord took nothing, and for how long. All: no request is
// taken until then.
type limited struct {
	after time.Duration
	all   bool
	code  int
	why   string // what is told instead of Discord's request to wait
}

func (l *limited) Error() string {
	if l.why != "" {
		return l.why
	}
	return fmt.Sprintf("Discord asks to wait for %s", l.after.Round(time.Millisecond))
}

// down is an answer after which it is not known whether it was done.
type down struct{ status int }

func (d *down) Error() string { return fmt.Sprintf("Discord answers %d", d.status) }

// api calls Discord with the library's requests. Every call has a session of
// its own, since a session's rate limiter sleeps without a context, shares one
// bucket among all edits of answers and keeps a bucket for each token for
// ever; our transport paces instead, knows errors without a body, and calls
// API version 10 where the library has 9.
type api struct {
	client *http.Client
	secret func() (string, error) // reads the token anew; nil: it stays

	mu    sync.Mutex
	token string
}

func newAPI(base, token string, timeout time.Duration, now func() time.Time) *api {
	if base == "" {
		base = apiURL
	}
	return &api{token: token, client: &http.Client{Timeout: timeout, Transport: &transport{base: strings.TrimSuffix(base, "/"), limits: newLimits(now), next: http.DefaultTransport}}}
}

func (a *api) session(token string) *discordgo.Session {
	return &discordgo.Session{Token: "Bot " + token, UserAgent: userAgent, Client: a.client, Ratelimiter: discordgo.NewRatelimiter()}
}

// current is the token to be used now.
func (a *api) current() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token
}

// renew reads the token anew when Discord refuses one; true: there is another.
func (a *api) renew(refused string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != refused {
		return true
	}
	if a.secret == nil {
		return false
	}
	t, err := a.secret()
	t = strings.TrimPrefix(t, "Bot ")
	if err != nil || t == "" || t == refused {
		return false
	}
	a.token = t
	return true
}

// do makes a request, once more when its token was refused and there is another.
func (a *api) do(request func(*discordgo.Session) ([]byte, error)) ([]byte, error) {
	token := a.current()
	b, err := request(a.session(token))
	if status(err) == http.StatusUnauthorized && code(err) != badWebhookToken && a.renew(token) {
		b, err = request(a.session(a.current()))
	}
	return b, err
}

// call sends body (nil: none) as JSON and reads the answer into out (nil: not read).
func (a *api) call(ctx context.Context, method, path string, body, out any) error {
	b, err := a.do(func(s *discordgo.Session) ([]byte, error) {
		return s.RequestWithBucketID(method, discordgo.EndpointAPI+path, body, path, discordgo.WithContext(ctx))
	})
	if err != nil {
		return noURL(err)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read Discord's answer to %s: %w", method, err)
	}
	return nil
}

// upload is call with files beside the JSON.
func (a *api) upload(ctx context.Context, method, path string, body any, files []commands.File, out any) error {
	if len(files) == 0 {
		return a.call(ctx, method, path, body, out)
	}
	var parts []*discordgo.File
	for _, f := range files {
		parts = append(parts, &discordgo.File{Name: fileName(f.Name), ContentType: mediaType(f.Type), Reader: bytes.NewReader(f.Data)})
	}
	kind, form, err := discordgo.MultipartBodyWithJSON(body, parts)
	if err != nil {
		return err
	}
	b, err := a.do(func(s *discordgo.Session) ([]byte, error) {
		return s.RequestRaw(method, discordgo.EndpointAPI+path, kind, form, path, 0, discordgo.WithContext(ctx))
	})
	if err != nil || out == nil {
		return noURL(err)
	}
	return json.Unmarshal(b, out)
}

// noURL takes the address out of an error: an interaction's token stands in it.
func noURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return &unreachable{u.Err}
	}
	return err
}

// unreachable is an error of the connection.
type unreachable struct{ err error }

func (u *unreachable) Error() string { return "Discord cannot be reached: " + u.err.Error() }

func (u *unreachable) Unwrap() error { return u.err }

// mediaType lets nothing through that would not be a header's value.
func mediaType(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "application/octet-stream"
	}
	return s
}

// transport rewrites the library's URLs to the configured API, paces, and
// turns 429 and 5xx into errors that say so whatever their body holds.
type transport struct {
	base   string
	limits *limits
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(r.URL.String(), discordgo.EndpointAPI)
	if !ok {
		return nil, errors.New("not a request to Discord's API")
	}
	u, err := url.Parse(t.base + "/" + path)
	if err != nil {
		return nil, err
	}
	key := bucketOf(r.Method, path)
	free := isFree(path)
	if err := t.limits.wait(r.Context(), key, free); err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.URL, out.Host = u, u.Host
	if free {
		out.Header.Del("Authorization") // the token is in the path
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	t.limits.learn(key, resp.Header)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		l := readLimit(resp)
		_ = resp.Body.Close()
		if l.code != oldMessage { // that is about one message, not about the bucket
			t.limits.told(key, l)
		}
		return nil, l
	case resp.StatusCode >= 500:
		_ = resp.Body.Close()
		return nil, &down{resp.StatusCode}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// code is the code of Discord's error, 401 or 403 when it has none, else 0.
func code(err error) int {
	var r *discordgo.RESTError
	if errors.As(err, &r) {
		if r.Message != nil && r.Message.Code != 0 {
			return r.Message.Code
		}
		if r.Response != nil {
			return r.Response.StatusCode
		}
	}
	var l *limited
	if errors.As(err, &l) {
		return l.code
	}
	return 0
}

// status is the HTTP status of Discord's refusal, else 0.
func status(err error) int {
	var r *discordgo.RESTError
	if errors.As(err, &r) && r.Response != nil {
		return r.Response.StatusCode
	}
	return 0
}

// dead reports that an interaction can no longer be answered.
func dead(err error) bool {
	switch code(err) {
	case unknownWebhook, unknownInteraction, badWebhookToken, unknownMessage:
		return true
	}
	return status(err) == http.StatusUnauthorized || status(err) == http.StatusNotFound
}

// newToken is what to do when the bot's token is refused.
const newToken = "reset the token in the developer portal, and write the new one into the file that DISCORD_BOT_TOKEN_FILE names, which is read again by itself; the variable DISCORD_BOT_TOKEN needs a restart"

var next = map[int]string{
	unknownChannel:          "the channel is not there any more, or its id is wrong: correct chat.discord.channel",
	missingAccess:           "let the bot see the channel (and the category of incidents)",
	missingPermissions:      "give the bot's role the permissions of `certmedic discord invite`",
	tooManyChannels:         "the server has 500 channels: delete old ones, or set chat.discord.place: thread",
	tooManyPins:             "the channel has 250 pins",
	http.StatusUnauthorized: newToken,
}

// words is an error for people: no token, no request, no URL.
func words(err error) string {
	var r *discordgo.RESTError
	if errors.As(err, &r) {
		text := "Discord says " + http.StatusText(status(err))
		if r.Message != nil && r.Message.Message != "" {
			text = fmt.Sprintf("Discord says %d %s", code(err), r.Message.Message)
			if code(err) == badForm {
				text += clip(formErrors(r.ResponseBody), 400)
			}
		}
		if n := next[code(err)]; n != "" {
			text += ": " + n
		} else if n := next[status(err)]; n != "" {
			text += ": " + n
		}
		return text
	}
	var l *limited
	var d *down
	if errors.As(err, &l) {
		return l.Error()
	}
	if errors.As(err, &d) {
		return d.Error()
	}
	return err.Error()
}

// formErrors is the tree of a 50035, without what was sent.
func formErrors(body []byte) string {
	var v struct {
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &v) != nil || len(v.Errors) == 0 {
		return ""
	}
	return " " + string(v.Errors)
}
