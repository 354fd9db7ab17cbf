package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/certmedic/certmedic/commands"
)

// TestHookAtTheEnd: the server's requests end with the program. Alerts that are
// not taken because of that are not acknowledged: their sender sends them again.
func TestHookAtTheEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for range 40 { // either of what is ready is chosen
		take := &taker{}
		w := serve(newHooks(take), hookRequest(Alertmanager, fixture(t, "alertmanager_firing.json")).WithContext(ctx))
		if w.Code != http.StatusServiceUnavailable && (w.Code != http.StatusNoContent || len(take.got) == 0) {
			t.Fatalf("%d with %d alerts taken", w.Code, len(take.got))
		}
	}
}

// TestFailAtTheEnd: a page that was given up is no page, nor an empty one.
func TestFailAtTheEnd(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/events?room=INC-1", nil)
	w := httptest.NewRecorder()
	(&Site{}).fail(w, r, fmt.Errorf("read the record: %w", context.Canceled))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	var p error = commands.Problem{Code: "not_allowed", Message: "No."}
	w = httptest.NewRecorder()
	(&Site{}).fail(w, r, p)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
}
