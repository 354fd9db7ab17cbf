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

// discordError is an error as Discord answers it.
type discordError struct {
	Status  int            `json:"-"`
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Errors  map[string]any `json:"errors,omitempty"`
	Retry   float64        `json:"retry_after,omitempty"`
	Global  *bool          `json:"global,omitempty"`
}

// discordCodes are the documented error codes that the fake answers.
var discordCodes = map[int]struct {
	status  int
	message string
}{
	0:      {404, "404: Not Found"},
	10003:  {404, "Unknown Channel"},
	10004:  {404, "Unknown Guild"},
	10007:  {404, "Unknown Member"},
	10008:  {404, "Unknown Message"},
	10009:  {404, "Unknown Overwrite"},
	10011:  {404, "Unknown Role"},
	10013:  {404, "Unknown User"},
	10015:  {404, "Unknown Webhook"},
	10062:  {404, "Unknown interaction"},
	10063:  {404, "Unknown application command"},
	20028:  {429, "The write action you are performing on the channel has hit the write rate limit"},
	30003:  {400, "Maximum number of pins reached for the channel (250)"},
	30013:  {400, "Maximum number of guild channels reached (500)"},
	30034:  {400, "Maximum number of daily application command creates has been reached (200)"},
	30046:  {429, "Maximum number of edits to messages older than 1 hour reached. Try again later"},
	40001:  {401, "Unauthorized"},
	40005:  {413, "Request entity too large"},
	40060:  {400, "Interaction has already been acknowledged."},
	50001:  {403, "Missing Access"},
	50005:  {403, "Cannot edit a message authored by another user"},
	50006:  {400, "Cannot send an empty message"},
	50013:  {403, "Missing Permissions"},
	50024:  {400, "Cannot execute action on this channel type"},
	50027:  {401, "Invalid Webhook Token"},
	50035:  {400, "Invalid Form Body"},
	50083:  {400, "Thread is archived"},
	50109:  {400, "The request body contains invalid JSON."},
	160004: {400, "A thread has already been created for this message"},
	160005: {400, "Thread is locked"},
}

func codeError(code int) *discordError {
	c, ok := discordCodes[code]
	if !ok {
		c.status, c.message = 400, "error "+strconv.Itoa(code)
	}
	e := &discordError{Status: c.status, Code: code, Message: c.message}
	if c.status == 429 {
		no := false
		e.Retry, e.Global = 30, &no
	}
	return e
}

// formError is 50035 with its tree.
func formError(field, code, message string) *discordError {
	e := codeError(50035)
	e.Errors = map[string]any{field: map[string]any{"_errors": []any{map[string]any{"code": code, "message": message}}}}
	return e
}

type discordRoute struct {
	method, path, op string
	do               func(*Discord, *discordAsked) (any, *discordError)
}

// discordRoutes: where two match, the first does.
var discordRoutes = []discordRoute{
	{"GET", "/gateway", "get_gateway", (*Discord).getGateway},
	{"GET", "/gateway/bot", "get_bot_gateway", (*Discord).getGatewayBot},
	{"GET", "/users/@me", "get_my_user", (*Discord).getMe},
	{"GET", "/users/@me/guilds", "list_my_guilds", (*Discord).getMyGuilds},
	{"GET", "/users/{user_id}", "get_user", (*Discord).getUser},
	{"POST", "/users/@me/channels", "create_dm", (*Discord).createDM},
	{"GET", "/applications/@me", "get_my_application", (*Discord).getApplication},
	{"GET", "/oauth2/applications/@me", "get_my_oauth2_application", (*Discord).getApplication},
	{"GET", "/applications/{application_id}/commands", "list_application_commands", (*Discord).listCommands},
	{"PUT", "/applications/{application_id}/commands", "bulk_set_application_commands", (*Discord).setCommands},
	{"GET", "/applications/{application_id}/guilds/{guild_id}/commands", "list_guild_application_commands", (*Discord).listCommands},
	{"PUT", "/applications/{application_id}/guilds/{guild_id}/commands", "bulk_set_guild_application_commands", (*Discord).setCommands},
	{"GET", "/guilds/{guild_id}", "get_guild", (*Discord).getGuild},
	{"GET", "/guilds/{guild_id}/channels", "list_guild_channels", (*Discord).listChannels},
	{"POST", "/guilds/{guild_id}/channels", "create_guild_channel", (*Discord).createChannel},
	{"GET", "/guilds/{guild_id}/members/search", "search_guild_members", (*Discord).searchMembers},
	{"GET", "/guilds/{guild_id}/members/{user_id}", "get_guild_member", (*Discord).getMember},
	{"GET", "/guilds/{guild_id}/members", "list_guild_members", (*Discord).listMembers},
	{"GET", "/guilds/{guild_id}/roles", "list_guild_roles", (*Discord).listRoles},
	{"GET", "/guilds/{guild_id}/threads/active", "get_active_guild_threads", (*Discord).activeThreads},
	{"GET", "/channels/{channel_id}", "get_channel", (*Discord).getChannel},
	{"PATCH", "/channels/{channel_id}", "update_channel", (*Discord).updateChannel},
	{"DELETE", "/channels/{channel_id}", "delete_channel", (*Discord).deleteChannel},
	{"PUT", "/channels/{channel_id}/permissions/{overwrite_id}", "set_channel_permission_overwrite", (*Discord).setOverwrite},
	{"DELETE", "/channels/{channel_id}/permissions/{overwrite_id}", "delete_channel_permission_overwrite", (*Discord).deleteOverwrite},
	{"POST", "/channels/{channel_id}/typing", "trigger_typing_indicator", (*Discord).typing},
	{"GET", "/channels/{channel_id}/messages/pins", "list_pins", (*Discord).listPins},
	{"PUT", "/channels/{channel_id}/messages/pins/{message_id}", "create_pin", (*Discord).pin},
	{"DELETE", "/channels/{channel_id}/messages/pins/{message_id}", "delete_pin", (*Discord).unpin},
	{"GET", "/channels/{channel_id}/pins", "deprecated_list_pins", (*Discord).listPins},
	{"PUT", "/channels/{channel_id}/pins/{message_id}", "deprecated_create_pin", (*Discord).pin},
	{"DELETE", "/channels/{channel_id}/pins/{message_id}", "deprecated_delete_pin", (*Discord).unpin},
	{"GET", "/channels/{channel_id}/messages", "list_messages", (*Discord).listMessages},
	{"POST", "/channels/{channel_id}/messages", "create_message", (*Discord).createMessage},
	{"GET", "/channels/{channel_id}/messages/{message_id}", "get_message", (*Discord).getMessage},
	{"PATCH", "/channels/{channel_id}/messages/{message_id}", "update_message", (*Discord).updateMessage},
	{"DELETE", "/channels/{channel_id}/messages/{message_id}", "delete_message", (*Discord).deleteMessage},
	{"PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me", "add_my_message_reaction", (*Discord).addReaction},
	{"DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me", "delete_my_message_reaction", (*Discord).dropReaction},
	{"GET", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}", "list_message_reactions_by_emoji", (*Discord).listReactions},
	{"POST", "/channels/{channel_id}/messages/{message_id}/threads", "create_thread_from_message", (*Discord).createThread},
	{"POST", "/channels/{channel_id}/threads", "create_thread", (*Discord).createThread},
	{"GET", "/channels/{channel_id}/thread-members", "list_thread_members", (*Discord).listThreadMembers},
	{"PUT", "/channels/{channel_id}/thread-members/@me", "join_thread", (*Discord).addThreadMember},
	{"PUT", "/channels/{channel_id}/thread-members/{user_id}", "add_thread_member", (*Discord).addThreadMember},
	{"DELETE", "/channels/{channel_id}/thread-members/{user_id}", "delete_thread_member", (*Discord).dropThreadMember},
	{"POST", "/interactions/{interaction_id}/{interaction_token}/callback", "create_interaction_response", (*Discord).callback},
	{"POST", "/webhooks/{webhook_id}/{webhook_token}", "execute_webhook", (*Discord).followUp},
	{"GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", "get_original_webhook_message", (*Discord).getAnswer},
	{"PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", "update_original_webhook_message", (*Discord).editAnswer},
	{"DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", "delete_original_webhook_message", (*Discord).deleteAnswer},
	{"GET", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "get_webhook_message", (*Discord).getAnswer},
	{"PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "update_webhook_message", (*Discord).editAnswer},
	{"DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "delete_webhook_message", (*Discord).deleteAnswer},
}

// open operations need no bot token: theirs is in the path.
func (c *discordAsked) open() bool {
	return strings.HasPrefix(c.Path, "/interactions/") || strings.HasPrefix(c.Path, "/webhooks/")
}

func routeOf(method, path string) (*discordRoute, map[string]string) {
	parts := strings.Split(path, "/")
	for i := range discordRoutes {
		r := &discordRoutes[i]
		want := strings.Split(r.path, "/")
		if r.method != method || len(want) != len(parts) {
			continue
		}
		vars := map[string]string{}
		for j, w := range want {
			if strings.HasPrefix(w, "{") && parts[j] != "" {
				v, _ := url.PathUnescape(parts[j])
				vars[strings.Trim(w, "{}")] = v
			} else if w != parts[j] {
				vars = nil
				break
			}
		}
		if vars != nil {
			return r, vars
		}
	}
	return nil, nil
}

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
	if f.revoked || c.auth != "Bot "+DiscordToken {
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
