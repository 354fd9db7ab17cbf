package bottest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// This file is a client of the fake Discord made of net/http and a websocket:
// the fake's tests use it, so that they do not lean on a library's habits.

// spy is a TB that keeps errors instead of failing.
type spy struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (s *spy) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = append(s.errors, fmt.Sprintf(format, args...))
}

// breaches are the errors so far, and forgets them.
func (s *spy) breaches() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.errors
	s.errors = nil
	return all
}

// wait waits for an error.
func (s *spy) wait() {
	for end := time.Now().Add(Wait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.errors)
		s.mu.Unlock()
		if n > 0 {
			return
		}
	}
}

type object = map[string]any

// none is allowed_mentions for nobody.
var none = object{"parse": []any{}}

// stand is a fake with a client.
type stand struct {
	*Discord
	t    *testing.T
	spy  *spy
	http *http.Client
}

// discord starts a fake; a breach of the contract that the test does not take
// fails it.
func discord(t *testing.T) *stand {
	t.Helper()
	s := &spy{TB: t}
	st := &stand{Discord: NewDiscord(s), t: t, spy: s, http: &http.Client{Timeout: 10 * time.Second}}
	t.Cleanup(func() {
		for _, e := range s.breaches() {
			t.Error(e)
		}
	})
	return st
}

type response struct {
	status int
	code   int
	body   any
	text   string
	header http.Header
	err    error
}

func (a response) str(path ...string) string {
	v := a.body
	for _, p := range path {
		m, _ := v.(object)
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

// call makes one request of the bot.
func (st *stand) call(method, path string, body any) response {
	st.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			st.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	return st.do(method, path, "application/json", r)
}

func (st *stand) do(method, path, kind string, body io.Reader) response {
	st.t.Helper()
	req, err := http.NewRequest(method, st.URL()+path, body)
	if err != nil {
		st.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Authorization", "Bot "+DiscordToken)
	req.Header.Set("User-Agent", "DiscordBot (https://example.org, 1)")
	resp, err := st.http.Do(req)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	a := response{status: resp.StatusCode, text: string(b), header: resp.Header, err: err}
	st.conforms(method, path, a)
	if json.Unmarshal(b, &a.body) == nil {
		if m, ok := a.body.(object); ok {
			if c, ok := m["code"].(float64); ok {
				a.code = int(c)
			}
		}
	}
	return a
}

// form makes a request with payload_json and files.
func (st *stand) form(method, path string, payload any, files map[string]string) response {
	st.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="payload_json"`)
	h.Set("Content-Type", "application/json")
	p, _ := w.CreatePart(h)
	_ = json.NewEncoder(p).Encode(payload)
	n := 0
	for name, data := range files {
		f, _ := w.CreateFormFile(fmt.Sprintf("files[%d]", n), name)
		_, _ = io.WriteString(f, data)
		n++
	}
	_ = w.Close()
	return st.do(method, path, w.FormDataContentType(), &b)
}

// good makes a request that must be answered with 2xx.
func (st *stand) good(method, path string, body any) response {
	st.t.Helper()
	a := st.call(method, path, body)
	if a.err != nil || a.status/100 != 2 {
		st.t.Fatalf("%s %s: %d %s %v", method, path, a.status, a.text, a.err)
	}
	return a
}

// fails makes a request that must be answered with an error code.
func (st *stand) fails(code int, method, path string, body any) {
	st.t.Helper()
	if a := st.call(method, path, body); a.code != code || a.status < 400 {
		st.t.Errorf("%s %s: want %d, got %d %s %v", method, path, code, a.status, a.text, a.err)
	}
}

// broken takes the breaches so far; one of them must have the words.
func (st *stand) broken(words string) {
	st.t.Helper()
	all := st.spy.breaches()
	for _, e := range all {
		if strings.Contains(e, words) {
			return
		}
	}
	st.t.Errorf("nothing was broken with %q, but %q", words, all)
}

func say(text string) object { return object{"content": text, "allowed_mentions": none} }

// link is a gateway client.
type link struct {
	t  *testing.T
	ws *websocket.Conn
}

type packet struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  int64           `json:"s"`
	Name string          `json:"t"`
}

func (p packet) get(path ...string) any {
	var v any
	_ = json.Unmarshal(p.Data, &v)
	for _, k := range path {
		m, _ := v.(object)
		v = m[k]
	}
	return v
}

func (st *stand) dial() *link {
	st.t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(st.GatewayURL()+"/?v=10&encoding=json", nil)
	if err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(func() { ws.Close() })
	return &link{st.t, ws}
}

// next reads a packet, or the error that ended the connection.
func (l *link) next() (packet, error) {
	var p packet
	_ = l.ws.SetReadDeadline(time.Now().Add(Wait))
	err := l.ws.ReadJSON(&p)
	return p, err
}

// want reads a packet of an operation (and event).
func (l *link) want(op int, name string) packet {
	l.t.Helper()
	p, err := l.next()
	if err != nil || p.Op != op || p.Name != name {
		l.t.Fatalf("want op %d %s, got %+v %s %v", op, name, p, p.Data, err)
	}
	return p
}

// closed reads to the end of the connection, which must have the code.
func (l *link) closed(code int) {
	l.t.Helper()
	for {
		if _, err := l.next(); err != nil {
			if !websocket.IsCloseError(err, code) {
				l.t.Errorf("closed with %v, not %d", err, code)
			}
			return
		}
	}
}

// cut is that the connection ends without a close frame.
func (l *link) cut() {
	l.t.Helper()
	_, err := l.next()
	var closed *websocket.CloseError
	if e, ok := err.(interface{ Timeout() bool }); err == nil || ok && e.Timeout() || errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		l.t.Errorf("the connection is not cut: %v", err)
	}
}

func (l *link) send(op int, data any) {
	l.t.Helper()
	if err := l.ws.WriteJSON(object{"op": op, "d": data}); err != nil {
		l.t.Fatal(err)
	}
}

func identity(intents int) object {
	return object{"token": DiscordToken, "intents": intents, "properties": object{"os": "linux", "browser": "test", "device": "test"}}
}

// enter connects and identifies; the ready packet.
func (st *stand) enter(intents int) (*link, packet) {
	st.t.Helper()
	l := st.dial()
	l.want(opHello, "")
	l.send(opIdentify, identity(intents))
	ready := l.want(opDispatch, "READY")
	if intents&intentGuilds != 0 {
		l.want(opDispatch, "GUILD_CREATE")
	}
	return l, ready
}
