package slack

import "slices"

// This file holds what the manifest asks for beside commands and channels:
// messages into timelines, and App Home. Each can be left out.

// Features of the manifest that can be left out.
const (
	Timeline = "timeline" // reactions and pins put messages on timelines, edits are followed
	HomeTab  = "home"     // a page of one's own
)

// Shortcut is an entry of a message's menu.
type Shortcut struct {
	Name        string `json:"name" yaml:"name"`
	Type        string `json:"type" yaml:"type"`
	CallbackID  string `json:"callback_id" yaml:"callback_id"`
	Description string `json:"description" yaml:"description"`
}

// AppHome says which tabs the app has.
type AppHome struct {
	Home     bool `json:"home_tab_enabled" yaml:"home_tab_enabled"`
	Messages bool `json:"messages_tab_enabled" yaml:"messages_tab_enabled"`
	ReadOnly bool `json:"messages_tab_read_only_enabled" yaml:"messages_tab_read_only_enabled"`
}

// timelineScopes are those of messages on timelines.
func timelineScopes() []Scope {
	return []Scope{
		{"reactions:read", "messages on the timeline by a reaction", false},
		{"pins:read", "messages on the timeline by Slack's own pin", false},
		{"channels:history", "the text of such messages, and their edits", false},
		{"groups:history", "the same in private channels", false},
		{"files:read", "pictures of such messages kept with the record", false},
	}
}

// timelineEvents are the events that tell of them.
var timelineEvents = []string{"reaction_added", "reaction_removed", "pin_added", "pin_removed", "message.channels", "message.groups"}

// withScopes adds scopes that are not there yet.
func withScopes(all, more []Scope) []Scope {
	for _, s := range more {
		if !slices.ContainsFunc(all, func(o Scope) bool { return o.Name == s.Name }) {
			all = append(all, s)
		}
	}
	return all
}

// features adds what is not left out.
func (m *Manifest) features(without []string) {
	m.Features.Home = AppHome{Home: !slices.Contains(without, HomeTab), Messages: true, ReadOnly: true}
	m.Features.Shortcuts = []Shortcut{{Name: "Add to timeline", Type: "message", CallbackID: shortcutID, Description: "Puts this message on an incident's timeline, at its own time"}}
	if m.Features.Home.Home {
		m.Settings.Events.Bot = append(m.Settings.Events.Bot, "app_home_opened")
	}
	if slices.Contains(without, Timeline) {
		for _, s := range timelineScopes() {
			if !slices.ContainsFunc(baseScopes(), func(o Scope) bool { return o.Name == s.Name }) {
				m.OAuth.Scopes.Bot = slices.DeleteFunc(m.OAuth.Scopes.Bot, func(n string) bool { return n == s.Name })
			}
		}
		return
	}
	m.Settings.Events.Bot = append(m.Settings.Events.Bot, timelineEvents...)
}
