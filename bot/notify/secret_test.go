package notify_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// logged is a log in memory.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The address of a webhook may hold a secret: neither the log nor a room has
// more of it than the host.
func TestAddressStaysSecret(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close() // nobody answers there
	var log logged
	x := newStand(t, hook)
	x.log = slog.New(slog.NewTextHandler(&log, nil))
	x.targets["hook"] = &notify.Webhook{URL: s.URL + "/in/hidden-path?key=hidden-key", Secret: hookSecret, Now: time.Now}
	x.giveUp = 1
	x.say("/incident update images do not load")
	x.run()
	if us := x.settled(); us[0].Deliveries[0].State != incident.DeliveryFailed {
		t.Errorf("%+v", us[0].Deliveries)
	}
	x.End()
	x.giveUp = 0
	x.say("/incident update second")
	x.run()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "not done outside yet") && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond)
	}
	x.End()
	for name, text := range map[string]string{"the log": log.String(), "the room": x.Heard()} {
		if strings.Contains(text, "hidden") || !strings.Contains(text, "refused") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// What a receiver answers is cut between characters, and is text.
func TestAnswerIsText(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("x\x1b[2J\u202e" + strings.Repeat("ż", 400)))
	}))
	t.Cleanup(s.Close)
	w := &notify.Webhook{URL: s.URL, Secret: hookSecret, Now: time.Now}
	_, err := w.Deliver(t.Context(), commands.Dispatch{})
	if err == nil || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x1b\u202e\ufffd") || !strings.Contains(err.Error(), "żżż") {
		t.Errorf("%q", err)
	}
}
