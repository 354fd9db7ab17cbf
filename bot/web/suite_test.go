package web

import (
	"html"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

func pow24(v float64) float64 { return math.Pow(v, 2.4) }

// TestSuite runs every adapter's suite on the room as a browser without script
// sees it.
func TestSuite(t *testing.T) {
	bottest.Run(t, func(t *testing.T, rooms *bot.Rooms) bottest.Adapter {
		site, err := New(Options{Rooms: rooms, Pages: &record{}})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{Server: httptest.NewServer(site), site: site, rooms: rooms}
		t.Cleanup(h.Server.Close)
		var mu sync.Mutex
		people := map[string]*http.Client{}
		of := func(t testing.TB, who string) *http.Client {
			mu.Lock()
			defer mu.Unlock()
			if people[who] == nil {
				people[who] = h.browser(t)
				h.submit(t, people[who], "/name", url.Values{"as": {who}})
			}
			return people[who]
		}
		tags := regexp.MustCompile(`<[^>]*>`)
		raw := func(t testing.TB, who, room string) string {
			t.Helper()
			_, page := h.get(t, of(t, who), roomPath(room)+"?all=1")
			_, page, _ = strings.Cut(page, `<ol class="log"`)
			page, _, _ = strings.Cut(page, `<div id="end">`)
			return page
		}
		return bottest.Adapter{
			Say: func(t testing.TB, who, room, line string) {
				c := of(t, who)
				// A browser with the script sends the next line at once.
				form := url.Values{"text": {line}, "room": {room}}
				r, _ := http.NewRequest("POST", h.URL+"/say", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Certmedic", "1")
				r.Header.Set("Accept", "application/json")
				before := taken(t, rooms, "web:"+who)
				go func() {
					if resp, err := c.Do(r); err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				}()
				waitTaken(t, rooms, "web:"+who, before)
			},
			Seen: func(t testing.TB, who, room string) string {
				return html.UnescapeString(tags.ReplaceAllString(raw(t, who, room), ""))
			},
			Raw: raw,
			Press: func(t testing.TB, who, room, label string) string {
				t.Helper()
				page := raw(t, who, room)
				form := regexp.MustCompile(`<form method="post" action="/press".*?</form>`)
				for _, f := range form.FindAllString(page, -1) {
					if !strings.Contains(f, `name="label" value="`+label+`"`) {
						continue
					}
					v := url.Values{}
					for _, m := range regexp.MustCompile(`name="([a-z]+)" value="([^"]*)"`).FindAllStringSubmatch(f, -1) {
						v.Set(m[1], html.UnescapeString(m[2]))
					}
					_, answer := h.submit(t, of(t, who), "/press", v)
					return answer
				}
				t.Fatalf("%s has no button %s", who, label)
				return ""
			},
			Never: []string{"<script>alert", "<img src=x", `" onmouseover`, `href="javascript:`, `href="//evil`, `class="evil`},
		}
	})
}

// taken counts the person's lines in main.
func taken(t testing.TB, rooms *bot.Rooms, id string) int {
	ms, err := rooms.Messages(t.Context(), "main", id, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range ms {
		if m.By.ID == id {
			n++
		}
	}
	return n
}

// waitTaken waits until the room has one more line of the person.
func waitTaken(t testing.TB, rooms *bot.Rooms, id string, before int) {
	t.Helper()
	for end := time.Now().Add(bottest.Wait); taken(t, rooms, id) <= before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the line is not taken")
		}
	}
}
