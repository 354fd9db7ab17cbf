package commands

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

func taskVerb() *verb {
	return &verb{Verb: Verb{Name: "incident task", Args: "[INC] add text [@owner] [due day] | done T-n [how] | export T-n | list [all]", Summary: "action items: they outlive the incident and stand in the draft",
		Example: "/incident task add renew without a person @me due fri", Public: true, Rare: true, Flags: []Flag{
			{"prevent", "", "it keeps this from happening again (so without a flag)"},
			{"detect", "", "it notices this sooner"},
			{"mitigate", "", "it ends this sooner"},
			{"to", "name", "export: the tracker, github or jira"},
			{"yes", "", "export: also of a private incident"},
		}}, text: true, run: task}
}

func task(ctx context.Context, c *call) (Reply, error) {
	word, named, err := c.subWord("list", "add", "done", "export", "list")
	if err != nil {
		return Reply{}, err
	}
	switch word {
	case "add":
		return c.taskAdd(ctx, named)
	case "done":
		return c.taskDone(ctx)
	case "export":
		return c.taskExport(ctx)
	}
	return c.taskList(ctx, named)
}

func (c *call) taskAdd(ctx context.Context, named string) (Reply, error) {
	i, err := c.incidentNamed(ctx, named)
	if err != nil {
		return Reply{}, err
	}
	t, note, err := c.taskArgs(ctx, i)
	if err != nil {
		return Reply{}, err
	}
	_, cut := incident.Clean(t.Text, 1<<20)
	from := i
	i, t, err = c.d.o.Book.AddTask(ctx, i.ID, t, c.change(""))
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	r := Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Links: []Link{{i.ID, incidentPath(i.ID)}},
		Headline: fmt.Sprintf("%s: action item %s (%s): %s", i.ID, t.ID, t.Kind, clip(oneLine(t.Text), 200)),
		Facts:    []Fact{{"owner", orElse(t.Owner.Name, "nobody yet")}, {"due", dueWords(t, c.now())}},
		Buttons:  []Button{{Label: "Done", Command: "/incident task done " + t.ID}, {Label: "All action items", Command: "/incident task list"}}}
	r.Body = note
	return warnCut(r, cut), nil
}

// taskArgs reads "text @owner due day" in any order. A word with an @ at its
// start is the owner; put the text in quotes to keep it.
func (c *call) taskArgs(ctx context.Context, i incident.Incident) (t incident.Task, note string, err error) {
	for _, k := range []string{incident.Prevent, incident.Detect, incident.Mitigate} {
		if c.args.has(k) {
			if t.Kind != "" {
				return t, "", c.v.problem("two_kinds", "An action item has one kind; "+t.Kind+" and "+k+" were given.")
			}
			t.Kind = k
		}
	}
	var rest []word
	ws := c.args.words
	for n := 0; n < len(ws); n++ {
		w := ws[n]
		switch {
		case !w.quoted && strings.HasPrefix(w.text, "@") && len(w.text) > 1:
			if t.Owner.ID != "" {
				return t, "", c.v.problem("two_owners", "An action item has one owner; "+t.Owner.Name+" and "+quote(w.text)+" were given.")
			}
			if t.Owner, err = c.owner(ctx, w.text, i); err != nil {
				return t, "", err
			}
		case !w.quoted && strings.EqualFold(w.text, "due") && n+1 < len(ws) && (looksLikeDay(ws[n+1].text) || n+2 == len(ws) && startsLikeTime(ws[n+1].text)):
			if !t.Due.IsZero() {
				return t, "", c.v.problem("two_dues", "Two days were given for due.")
			}
			n++
			if t.Due, note, err = readDay(ws[n].text, c.r.By.Zone, c.now()); err != nil {
				return t, "", err
			}
		default:
			rest = append(rest, w)
		}
	}
	c.args.words = rest
	if t.Text = strings.TrimRight(c.args.rest(), ", "); t.Text == "" {
		return t, "", c.v.problem("missing_text", "Say what is to be done.")
	}
	return t, note, nil
}

// owner finds a team or a person.
func (c *call) owner(ctx context.Context, name string, i incident.Incident) (incident.Person, error) {
	bare := strings.TrimRight(strings.TrimPrefix(name, "@"), ",.;:")
	for _, t := range c.d.o.Teams {
		if strings.EqualFold(t.Name, bare) {
			return incident.Person{ID: "team:" + t.Name, Name: t.Name, Platform: "team"}, nil
		}
	}
	p, err := c.person(ctx, bare, i)
	var bad Problem
	if errors.As(err, &bad) {
		bad.Hint = strings.ReplaceAll(bad.Hint, "/incident lead ", "/incident task add look at the renewals @") + ". A word with @ names the owner, a person or a team; put the text in quotes when it is part of it."
		err = bad
	}
	return p, err
}

// taskArg takes the number of an action item: T-3, or 3.
func (c *call) taskArg() (string, error) {
	id, ok := c.args.take()
	id = strings.ToUpper(strings.TrimRight(id, ".,:"))
	if ok && taskID.MatchString("T-"+id) {
		id = "T-" + id
	}
	if taskID.MatchString(id) {
		return id, nil
	}
	p := c.v.problem("missing_task", "Name the action item by its number, as T-3.")
	if ok {
		p.Message = quote(id) + " is not the number of an action item, as T-3 is."
	}
	p.Hint = "See them: /incident task list"
	return "", p
}

// oneTask finds an action item that the asker may see, and its incident.
func (c *call) oneTask(ctx context.Context, id string) (incident.Task, incident.Incident, error) {
	all, err := c.tasks(ctx, true, "")
	if err != nil {
		return incident.Task{}, incident.Incident{}, err
	}
	at := slices.IndexFunc(all, func(t incident.Task) bool { return t.ID == id })
	if at < 0 {
		return incident.Task{}, incident.Incident{}, Problem{Code: "unknown_task", Message: "There is no action item " + id + ".", Hint: "See them: /incident task list all"}
	}
	i, err := c.d.incidentByID(ctx, all[at].Incident, c.r.By)
	if err == nil {
		err = c.mine(ctx, i)
	}
	return all[at], i, err
}

func (c *call) taskDone(ctx context.Context) (Reply, error) {
	id, err := c.taskArg()
	if err != nil {
		return Reply{}, err
	}
	t, from, err := c.oneTask(ctx, id)
	if err != nil {
		return Reply{}, err
	}
	if !t.Open() && !c.repeated(ctx, t.Incident) {
		return Reply{}, Problem{Code: "done", Message: fmt.Sprintf("%s was done by %s at %s.", t.ID, t.DoneBy.Name, stamp(t.Done)), Hint: "See what is open: /incident task list"}
	}
	i, t, err := c.d.o.Book.DoTask(ctx, id, c.change(c.args.rest()))
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	return Reply{State: StateGood, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("%s of %s is done: %s", t.ID, i.ID, clip(oneLine(t.Text), 200)),
		Links: []Link{{i.ID, incidentPath(i.ID)}}, Buttons: []Button{{Label: "All action items", Command: "/incident task list"}}}, nil
}

var taskID = regexp.MustCompile(`^T-[1-9][0-9]{0,8}$`)

// tasks are the action items that the asker may see; of one incident when one
// is named.
func (c *call) tasks(ctx context.Context, all bool, of string) ([]incident.Task, error) {
	list, err := c.d.o.Book.Tasks(ctx, all)
	if err != nil {
		return nil, err
	}
	may := map[string]bool{}
	var out []incident.Task
	for _, t := range list {
		if of != "" && t.Incident != of {
			continue
		}
		if _, known := may[t.Incident]; !known {
			i, err := c.d.o.Book.Incident(ctx, t.Incident)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", t.Incident, err)
			}
			may[t.Incident] = c.d.visible(i, c.r.By)
		}
		if may[t.Incident] {
			out = append(out, t)
		}
	}
	return out, nil
}

func (c *call) taskList(ctx context.Context, named string) (Reply, error) {
	word := strings.ToLower(c.args.rest())
	if word != "" && word != "all" && word != "open" {
		return Reply{}, c.v.problem("extra_words", "/incident task list does not take "+quote(word)+".")
	}
	list, err := c.tasks(ctx, word == "all", named)
	if err != nil {
		return Reply{}, err
	}
	where := ""
	if named != "" {
		where = " of " + named
	}
	what := "open action item"
	if word == "all" {
		what = "action item"
	}
	if len(list) == 0 {
		return Reply{State: StateGood, Headline: "No " + what + where + ".", Body: "To write one down: " + c.v.Example}, nil
	}
	now := c.now()
	slices.SortStableFunc(list, func(a, b incident.Task) int { return sortDue(a).Compare(sortDue(b)) })
	r := Reply{State: StateInfo, Table: Table{Columns: []string{"item", "what", "kind", "owner", "due", "incident"}}}
	late := 0
	for n, t := range list {
		state := ""
		if t.Open() && overdueTask(t, now) {
			late++
			state = StateWarning
		}
		if n < maxTimeline {
			r.Table.Rows = append(r.Table.Rows, Row{State: state, Cells: []string{t.ID, clip(oneLine(t.Text), 100), t.Kind, orElse(t.Owner.Name, "nobody"), dueWords(t, now), t.Incident + exportWord(t)}})
		}
		if t.Open() && len(r.Buttons) < 3 {
			r.Buttons = append(r.Buttons, Button{Label: "Done: " + t.ID, Command: "/incident task done " + t.ID, Confirm: "Put on the record that " + t.ID + " is done: " + clip(oneLine(t.Text), 120) + "?"})
		}
	}
	r.Headline = plural(len(list), what) + where
	if late > 0 {
		r.State = StateWarning
		r.Headline += fmt.Sprintf(", %d overdue", late)
	}
	r.Headline = end(r.Headline)
	if len(list) > maxTimeline {
		r.Body = fmt.Sprintf("And %d more: name an incident, as /incident task INC-1 list.", len(list)-maxTimeline)
	}
	return r, nil
}

// sortDue puts what is due first before what is due later, and what has no day
// or is done at the end.
func sortDue(t incident.Task) time.Time {
	switch {
	case !t.Open():
		return time.Date(9999, 1, 2, 0, 0, 0, 0, time.UTC)
	case t.Due.IsZero():
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.Due
}

// overdueTask: its day is over in UTC.
func overdueTask(t incident.Task, now time.Time) bool {
	return !t.Due.IsZero() && now.After(t.Due.Add(24*time.Hour))
}

// dueWords is a task's day, or when it was done.
func dueWords(t incident.Task, now time.Time) string {
	switch {
	case !t.Open():
		return "done " + stamp(t.Done) + " by " + who(t.DoneBy.Name)
	case t.Due.IsZero():
		return "not said"
	case overdueTask(t, now):
		return t.Due.Format(time.DateOnly) + ", overdue"
	}
	return t.Due.Format("2006-01-02, Mon")
}

// exportWord says where an item stands outside, after its incident.
func exportWord(t incident.Task) string {
	switch e := t.Export; {
	case e.IsZero():
		return ""
	case e.State == incident.ExportPending:
		return ", on its way to " + e.Tracker
	case e.State == incident.ExportFailed:
		return ", not in " + e.Tracker
	case e.There == incident.ThereOpen && !t.Open():
		return ", open as " + e.Ref
	default:
		return ", " + e.Ref
	}
}
