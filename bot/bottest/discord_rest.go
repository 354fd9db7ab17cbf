package bottest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// This file holds the way of a request through the fake Discord: the table of
// operations, reading, authorization, faults and limits, the answer. What each
// operation does is in the files named after what it is about.

// discordAsked is one request on its way.
type discordAsked struct {
	DiscordCall
	query url.Values
	raw   map[string]json.RawMessage // the JSON object's members: which were sent
	body  []byte                     // the JSON
	auth  string
}

// in decodes the body.
func (c *discordAsked) in(into any) *discordError {
	if err := json.Unmarshal(c.body, into); err != nil {
		return formError("body", "BASE_TYPE_BAD", err.Error())
	}
	return nil
}

// has is whether the body has a member, even null.
func (c *discordAsked) has(name string) bool { _, ok := c.raw[name]; return ok }

// read reads a request: JSON, or a form with payload_json and files.
func (c *discordAsked) read(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 26<<20))
	if err != nil {
		return err
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		c.body = nil
		for mr := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
			p, err := mr.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			data, err := io.ReadAll(p)
			if err != nil {
				return err
			}
			switch {
			case p.FormName() == "payload_json":
				c.body = data
			case strings.HasPrefix(p.FormName(), "files["):
				c.Files = append(c.Files, DiscordFile{Name: p.FileName(), Type: p.Header.Get("Content-Type"), Data: data, part: p.FormName()})
			default:
				return errors.New("a part named " + strconv.Quote(p.FormName()))
			}
		}
	} else {
		c.body = body
	}
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	if kind != "application/json" && kind != "multipart/form-data" {
		return errors.New("a body of type " + strconv.Quote(kind))
	}
	if bytes.HasPrefix(bytes.TrimSpace(c.body), []byte("[")) {
		return json.Unmarshal(c.body, &c.List)
	}
	if err := json.Unmarshal(c.body, &c.raw); err != nil {
		return err
	}
	return json.Unmarshal(c.body, &c.Body)
}

// api answers one request.
func (f *Discord) api(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api")
	if p, ok := strings.CutPrefix(path, "/v10"); ok {
		path = p
	} else if p, ok := strings.CutPrefix(path, "/v9"); ok {
		path = p
	} else {
		f.broke("%s %s: no version 9 or 10", r.Method, r.URL.Path)
	}
	c := &discordAsked{query: r.URL.Query(), auth: r.Header.Get("Authorization")}
	c.Method, c.Path, c.At = r.Method, path, time.Now()
	route, vars := routeOf(r.Method, path)
	if route == nil {
		f.broke("the fake has no %s %s", r.Method, path)
		f.reply(w, nil, c, nil, codeError(0))
		return
	}
	c.Op, c.Vars = route.op, vars
	var broken *discordError
	if err := c.read(r); err != nil {
		f.broke("%s: the body cannot be read: %v", c.Op, err)
		broken = codeError(50109)
	} else if err := f.contract.check(c, f.kindOf(vars["channel_id"])); err != nil {
		f.broke("%s: %v\n%s", c.Op, err, clip(string(c.body), 3000))
		broken = formError("body", "CONTRACT", err.Error())
	}
	if !strings.HasPrefix(r.Header.Get("User-Agent"), "DiscordBot (") {
		f.broke("%s: the User-Agent is %q, not DiscordBot (url, version): such requests may be blocked", c.Op, r.Header.Get("User-Agent"))
	}
	fault := f.fault(c)
	if d, ok := strings.CutPrefix(fault, "slow "); ok {
		delay, err := time.ParseDuration(d)
		if err != nil {
			f.broke("no fault %q: %v", fault, err)
		}
		select {
		case <-time.After(delay):
		case <-f.quit:
		case <-r.Context().Done():
		}
		fault = ""
	}
	if f.refuse(w, c, fault) {
		return
	}
	f.mu.Lock()
	result, fail := any(nil), broken
	if fail == nil {
		fail = f.authorized(c)
	}
	if fail == nil {
		if n, err := strconv.Atoi(fault); err == nil && n > 999 {
			fail = codeError(n)
		} else {
			result, fail = route.do(f, c)
		}
	}
	body, err := json.Marshal(result) // while the state cannot change
	f.mu.Unlock()
	if err != nil {
		f.broke("%s: the answer is not JSON: %v", c.Op, err)
	}
	if fault == "lost" {
		f.record(c, 0, 0)
		panic(http.ErrAbortHandler)
	}
	if result == nil {
		body = nil
	}
	f.reply(w, route, c, body, fail)
}

func (f *Discord) kindOf(channel string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.channels[channel]; c != nil {
		return c.Type
	}
	return -1
}

func (f *Discord) authorized(c *discordAsked) *discordError {
	if c.open() {
		return nil
	}
	if f.revoked || c.auth != "Bot "+f.token {
		return &discordError{Status: 401, Code: 0, Message: "401: Unauthorized"}
	}
	if id := c.Vars["application_id"]; id != "" && id != DiscordApp {
		return codeError(50001)
	}
	if id := c.Vars["guild_id"]; id != "" && id != DiscordGuild {
		return codeError(10004)
	}
	return nil
}

// reply writes an answer: JSON, or 204 without.
func (f *Discord) reply(w http.ResponseWriter, route *discordRoute, c *discordAsked, body []byte, fail *discordError) {
	if route != nil {
		f.limitHeaders(w, c)
	}
	status, code := http.StatusOK, 0
	switch {
	case fail != nil:
		status, code = fail.Status, fail.Code
		if fail.Retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(fail.Retry+0.999)))
		}
		body, _ = json.Marshal(fail)
	case body == nil:
		status = http.StatusNoContent
	case c.Op == "create_guild_channel" || c.Op == "create_thread" || c.Op == "create_thread_from_message":
		status = http.StatusCreated
	}
	f.record(c, status, code)
	if body != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (f *Discord) record(c *discordAsked, status, code int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Status, c.Code = status, code
	if status == 401 || status == 403 || status == 429 {
		f.invalid++
	}
	f.calls = append(f.calls, c.DiscordCall)
}
