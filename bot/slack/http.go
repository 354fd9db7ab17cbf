package slack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody is the longest request taken, in bytes.
const maxBody = 1 << 20

// bodyTime is how long a request's body may take to come.
const bodyTime = 10 * time.Second

// ServeHTTP takes POST /slack/events: slash commands, interactivity and events.
// It answers 200 once the delivery is on the record, and 503 when it cannot be.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not every ResponseWriter can
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is too long or was cut", http.StatusRequestEntityTooLarge)
		return
	}
	now := s.o.Now()
	mac, err := verify(s.o.Secret, r.Header, body, now)
	if err == nil && !s.replays.add(mac, now) {
		err = errReplayed
	}
	if err != nil {
		s.o.Log.Warn("slack: a request is refused", "error", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	e, challenge, err := parse(r.Header.Get("Content-Type"), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if challenge != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, challenge)
		return
	}
	answer, err := s.take(r.Context(), e)
	if err != nil {
		s.replays.forget(mac)
		s.o.Log.Error("slack: a delivery cannot be recorded", "error", err)
		http.Error(w, "not recorded; nothing was done", http.StatusServiceUnavailable)
		return
	}
	if answer != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(answer)
}

// parse makes an envelope of a verified body. It never reads the URL.
func parse(contentType string, body []byte) (e envelope, challenge string, err error) {
	if len(contentType) >= 16 && contentType[:16] == "application/json" {
		var outer struct {
			Type, Challenge string
		}
		if err := json.Unmarshal(body, &outer); err != nil {
			return e, "", errors.New("the body is not JSON")
		}
		if outer.Type == "url_verification" {
			if outer.Challenge == "" {
				return e, "", errors.New("the challenge is empty")
			}
			return e, outer.Challenge, nil
		}
		e, err = open("events_api", "", body)
		return e, "", err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return e, "", errors.New("the body is no form")
	}
	if p := form.Get("payload"); p != "" {
		e, err = open("interactive", "", []byte(p))
		return e, "", err
	}
	one := map[string]string{}
	for k := range form {
		one[k] = form.Get(k)
	}
	delete(one, "token") // the old verification token is nobody's business
	b, err := json.Marshal(one)
	if err != nil {
		return e, "", err
	}
	e, err = open("slash_commands", "", b)
	return e, "", err
}
