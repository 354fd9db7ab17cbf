package commands

// Verb is one row of the table: everything that router, help, completion and
// (later) the platforms' registrations need to know of it.
type Verb struct {
	Name    string // "incident note"
	Alias   string // "inc note" is derived from the group; an own one, or ""
	Args    string // usage after the name: "[INC] text [@ time]"
	Summary string // one line
	Example string // one correct line
	Flags   []Flag
	Public  bool // changes the record
}

// Flag is a flag of a verb.
type Flag struct {
	Name    string // "reason"
	Value   string // "text"; "": a switch
	Summary string
}

// Verbs returns the one table of verbs, in the order of the help.
func Verbs() []Verb { panic("unwritten") }
