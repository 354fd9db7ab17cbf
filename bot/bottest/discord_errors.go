package bottest

import (
	"strconv"
)

// This file holds the errors that the fake Discord answers.

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
	50007:  {403, "Cannot send messages to this user"},
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
