package notify_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

func asTrouble(err error, to **notify.Trouble) bool { return errors.As(err, to) }

var hook = commands.Target{Name: "hook", Kind: commands.WebhookTarget, Whom: "test", Audience: commands.Internal}

const hookSecret = "a secret of the tests"

// receiver verifies and keeps what it gets; answers are its next ones.
type receiver struct {
	t       *testing.T
	mu      sync.Mutex
	got     []notify.Hook
	ids     []string
	answers []int
	retry   string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	b, err := io.ReadAll(q.Body)
	if err == nil {
		err = notify.Verify(hookSecret, q.Header, b, time.Now())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || q.Method != "POST" || q.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%v %s %s", err, q.Method, q.Header.Get("Content-Type"))
	}
	code := 204
	if len(r.answers) > 0 {
		code, r.answers = r.answers[0], r.answers[1:]
	}
	r.ids = append(r.ids, q.Header.Get(notify.HeaderDelivery))
	if code/100 == 2 {
		var h notify.Hook
		if err := json.Unmarshal(b, &h); err != nil {
			r.t.Error(err)
		}
		r.got = append(r.got, h)
	}
	if code == 302 {
		w.Header().Set("Location", "http://127.0.0.1:1/")
	}
	if r.retry != "" && code == 429 {
		w.Header().Set("Retry-After", r.retry)
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, "because")
}

func (x *stand) hookTo(t *testing.T, r *receiver) *notify.Webhook {
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return &notify.Webhook{URL: s.URL + "/in?key=hidden", Secret: hookSecret, Now: time.Now, Site: "https://certmedic.example.com"}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	r := &receiver{t: t, answers: []int{500, 503, 204, 204}}
	x := newStand(t, hook)
	x.targets["hook"] = x.hookTo(t, r)
	x.say("/incident update images\ndo not load")
	x.say("/incident update second")
	x.run()
	us := x.settled()
	if len(r.got) != 2 || !slices.Equal(r.ids, []string{"INC-1/U-1/hook", "INC-1/U-1/hook", "INC-1/U-1/hook", "INC-1/U-2/hook"}) {
		t.Fatalf("%+v %v", r.got, r.ids)
	}
	h := r.got[0]
	if h.V != 1 || h.ID != "INC-1/U-1/hook" || h.Kind != "incident.update" || h.Incident.Title != "images do not load" || h.Incident.Severity != 2 || h.Incident.Status != "investigating" || h.Update.Text != "images\ndo not load" || h.Update.By != "ana" || !h.Update.At.Equal(us[0].Out) || h.Link != "https://certmedic.example.com/incident/INC-1" {
		t.Errorf("%+v", h)
	}
	if !x.said("webhook hook: taken by 127.0.0.1:", "(204) at ") || strings.Contains(x.Heard(), "hidden") {
		t.Errorf("the room heard:\n%s", x.Heard())
	}
}

func TestWebhookFaults(t *testing.T) {
	t.Parallel()
	for code, says := range map[int]string{302: "a redirect is not followed", 401: "WEBHOOK_SECRET", 404: "Look into the receiver's log", 410: "Look into the receiver's log"} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			r := &receiver{t: t, answers: []int{code}}
			x := newStand(t, hook)
			x.targets["hook"] = x.hookTo(t, r)
			x.say("/incident update one")
			x.run()
			if us := x.settled(); us[0].Deliveries[0].State != incident.DeliveryFailed || !x.said("did not reach webhook hook: 127.0.0.1:", "answers "+strconv.Itoa(code)+": because", says) || strings.Contains(x.Heard(), "hidden") {
				t.Errorf("%+v; the room heard:\n%s", us[0].Deliveries, x.Heard())
			}
			x.say("/incident update retry U-1")
			if us := x.settled(); us[0].Deliveries[0].State != incident.DeliveryDone || len(r.got) != 1 || r.ids[0] != r.ids[1] {
				t.Errorf("tried again: %+v %v", us[0].Deliveries, r.ids)
			}
		})
	}
	r := &receiver{t: t, answers: []int{429}, retry: "7"}
	x := newStand(t, hook)
	_, err := x.hookTo(t, r).Deliver(t.Context(), commands.Dispatch{})
	var trouble *notify.Trouble
	if !asTrouble(err, &trouble) || trouble.After != 7*time.Second {
		t.Errorf("Retry-After: %v", err)
	}
}

// A signature fits one body, one time, one secret.
func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1795312460, 0)
	body := []byte(`{"v":1}`)
	good := http.Header{}
	good.Set(notify.HeaderTimestamp, "1795312460")
	good.Set(notify.HeaderSignature, notify.Sign(hookSecret, "1795312460", body))
	if got := good.Get(notify.HeaderSignature); got != "v1=aa74b2ca85ea95f661176b9aaf850a17004007d45fabbdf0e566327bc783f407" {
		t.Errorf("signature %q", got)
	}
	if err := notify.Verify(hookSecret, good, body, now.Add(4*time.Minute)); err != nil {
		t.Error(err)
	}
	with := func(k, v string) http.Header { h := good.Clone(); h.Set(k, v); return h }
	for name, err := range map[string]error{
		"another body":   notify.Verify(hookSecret, good, []byte(`{"v":2}`), now),
		"another secret": notify.Verify("x", good, body, now),
		"another time":   notify.Verify(hookSecret, with(notify.HeaderTimestamp, "1795312461"), body, now),
		"played again":   notify.Verify(hookSecret, good, body, now.Add(6*time.Minute)),
		"of the future":  notify.Verify(hookSecret, good, body, now.Add(-6*time.Minute)),
		"no signature":   notify.Verify(hookSecret, with(notify.HeaderSignature, ""), body, now),
		"no timestamp":   notify.Verify(hookSecret, http.Header{}, body, now),
	} {
		if err == nil {
			t.Errorf("%s is believed", name)
		}
	}
}

// A target that is down keeps no other waiting; one that the configuration has
// no more is told so.
func TestTargetsApart(t *testing.T) {
	t.Parallel()
	r := &receiver{t: t}
	x := newStand(t, board, hook, commands.Target{Name: "gone", Kind: commands.WebhookTarget})
	h := x.hookTo(t, r)
	x.targets["hook"], x.targets["board"] = h, &notify.Webhook{URL: "http://127.0.0.1:1/", Secret: "x", Now: time.Now}
	x.say("/incident update one")
	x.run()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		us, _ := x.Book.Updates(t.Context(), "INC-1")
		d := us[0].Deliveries
		if d[1].State == incident.DeliveryDone && d[2].State == incident.DeliveryFailed {
			break
		}
	}
	us, _ := x.Book.Updates(t.Context(), "INC-1")
	if d := us[0].Deliveries; d[0].State != incident.DeliveryPending || d[1].State != incident.DeliveryDone || d[2].State != incident.DeliveryFailed || !x.said("the configuration has no target gone") {
		t.Errorf("%+v", d)
	}
}
