package commands

import "time"

// Pin is a chat message that somebody puts on a timeline: by a reaction, by
// "Add to timeline", by the platform's own pin.
type Pin struct {
	Key      string    // the message's, for ever the same: "slack/C1/1700000000.000100"; the same message is one entry
	Incident string    // "INC-7"; "": the room's, else the only open one that By may see
	Room     string    // where it was pinned: "INC-7" or "main"
	At       time.Time // when the message was written
	Author   Person    // who wrote it
	Text     string    // with the platform's markup taken back
	Link     string    // to the message
	By       Person    // who pinned it
	Pinned   time.Time // when
	Images   []File    // kept with the record
}
