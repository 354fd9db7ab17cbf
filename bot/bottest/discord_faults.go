package bottest

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// This file holds what goes wrong with requests to the fake Discord on
// demand: refusals, limits, lost answers, an outage, a revoked token. What
// goes wrong with the gateway is in discord_gateway_faults.go.

type discordLimit struct {
	n   int
	per time.Duration
}

type discordWindow struct {
	used int
	ends time.Time
}

// Fail makes the next calls of an operation ("": of any) fail, one after the
// other:
//
//	"429"            {message, retry_after, global} and its headers
//	"429 empty"      no body; "429 html": a page, as Cloudflare answers
//	"429 global"     for the whole bot
//	"500" ... "504"  a page, nothing is done
//	"slow 300ms"     it is done after that time
//	"lost"           it is done, and the connection is cut without an answer
//	"cut"            nothing is done, and the connection is cut
//	"50013"          an error code of Discord's
func (f *Discord) Fail(op string, how ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[op] = append(f.faults[op], how...)
}

// Heal takes back every fault and limit, of requests and of the gateway.
func (f *Discord) Heal() {
	f.mu.Lock()
	clear(f.faults)
	clear(f.limits)
	f.gate.heal()
	f.mu.Unlock()
}

// Limit allows n calls of an operation in a time, for each channel, guild or
// webhook; LimitAll for the whole bot, without interactions.
func (f *Discord) Limit(op string, n int, per time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits[op] = &discordLimit{n, per}
	for k := range f.windows {
		if k == op || strings.HasPrefix(k, op+" ") {
			delete(f.windows, k)
		}
	}
}

// LimitAll is the global limit.
func (f *Discord) LimitAll(n int, per time.Duration) { f.Limit("*", n, per) }

// Down makes Discord unreachable, or brings it back: requests are answered 503
// with a page, connections are cut and refused.
func (f *Discord) Down(down bool) {
	f.mu.Lock()
	f.down = down
	f.mu.Unlock()
	if down {
		f.Drop()
	}
}

// Revoke makes the bot's token invalid, as a reset does, or valid again.
func (f *Discord) Revoke(revoked bool) {
	f.mu.Lock()
	f.revoked = revoked
	f.mu.Unlock()
	if revoked {
		f.Expire() // before they can come back with a session of after
		f.CloseSockets(4004)
	}
}

// Reset gives the bot another token, as the portal's button does: the old one
// is refused, and the sessions that were begun with it are closed.
func (f *Discord) Reset(token string) {
	f.mu.Lock()
	f.token = token
	f.mu.Unlock()
	f.Expire() // before they can come back with a session of after
	f.CloseSockets(4004)
}

// Started says how many sessions the bot has begun today.
func (f *Discord) Started(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate.identifies = n
}

func (f *Discord) fault(c *discordAsked) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range []string{c.Op, ""} {
		if q := f.faults[op]; len(q) > 0 {
			f.faults[op] = q[1:]
			return q[0]
		}
	}
	return ""
}

// refuse answers for a fault or a limit that comes before the work.
func (f *Discord) refuse(w http.ResponseWriter, c *discordAsked, fault string) bool {
	f.mu.Lock()
	down := f.down
	global, wait := false, time.Duration(0)
	if !down && fault == "" {
		global, wait = f.limited(c)
	}
	f.mu.Unlock()
	page := "<html><head><title>error</title></head><body><center>cloudflare</center></body></html>"
	status, err := strconv.Atoi(fault)
	switch {
	case down:
		status = http.StatusServiceUnavailable
	case wait > 0:
		f.tooMany(w, c, global, wait)
		return true
	case fault == "429" || fault == "429 global":
		f.tooMany(w, c, fault != "429", f.Retry)
		return true
	case fault == "429 empty":
		status, page = http.StatusTooManyRequests, ""
	case fault == "429 html":
		status = http.StatusTooManyRequests
	case fault == "cut":
		f.record(c, 0, 0)
		panic(http.ErrAbortHandler)
	case fault == "" || fault == "lost" || err == nil && status > 999:
		return false
	case err != nil:
		f.broke("no fault %q", fault)
		return false
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.Retry.Seconds()))))
	}
	f.record(c, status, 0)
	if page != "" {
		w.Header().Set("Content-Type", "text/html")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, page)
	return true
}

func (f *Discord) tooMany(w http.ResponseWriter, c *discordAsked, global bool, wait time.Duration) {
	scope := "user"
	if global {
		scope = "global"
		w.Header().Set("X-RateLimit-Global", "true")
	}
	w.Header().Set("X-RateLimit-Scope", scope)
	w.Header().Set("X-RateLimit-Reset-After", strconv.FormatFloat(wait.Seconds(), 'f', 3, 64))
	f.reply(w, &discordRoute{}, c, nil, &discordError{Status: 429, Message: "You are being rate limited.", Retry: max(wait.Seconds(), 0.001), Global: &global})
}

// bucketOf is a request's bucket: its operation and the top-level id.
func bucketOf(c *discordAsked) string {
	for _, k := range []string{"channel_id", "guild_id", "webhook_id", "interaction_id"} {
		if id := c.Vars[k]; id != "" {
			return c.Op + " " + id + " " + c.Vars["webhook_token"]
		}
	}
	return c.Op
}

// limited counts a request, and tells how long it has to wait.
func (f *Discord) limited(c *discordAsked) (global bool, wait time.Duration) {
	now := time.Now()
	spend := func(l *discordLimit, key string) time.Duration {
		if l == nil {
			return 0
		}
		w := f.windows[key]
		if w == nil || !now.Before(w.ends) {
			w = &discordWindow{ends: now.Add(l.per)}
			f.windows[key] = w
		}
		if w.used >= l.n {
			return w.ends.Sub(now)
		}
		w.used++
		return 0
	}
	if !c.open() {
		if wait := spend(f.limits["*"], "*"); wait > 0 {
			return true, wait
		}
	}
	return false, spend(f.limits[c.Op], bucketOf(c))
}

// limitHeaders tells how the bucket is.
func (f *Discord) limitHeaders(w http.ResponseWriter, c *discordAsked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	limit, left, reset := 1000, 999, time.Second
	if l := f.limits[c.Op]; l != nil {
		limit, left, reset = l.n, l.n, l.per
		if win := f.windows[bucketOf(c)]; win != nil {
			left, reset = max(0, l.n-win.used), max(0, time.Until(win.ends))
		}
	}
	h := w.Header()
	h.Set("X-RateLimit-Bucket", c.Op)
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatFloat(float64(time.Now().Add(reset).UnixMilli())/1000, 'f', 3, 64))
	if h.Get("X-RateLimit-Reset-After") == "" {
		h.Set("X-RateLimit-Reset-After", strconv.FormatFloat(reset.Seconds(), 'f', 3, 64))
	}
}
