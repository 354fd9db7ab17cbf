package commands

// This file is /incident task export. What follows is in exports.go.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certmedic/certmedic/incident"
)

// taskExport puts an action item into a tracker.
func (c *call) taskExport(ctx context.Context) (Reply, error) {
	id, err := c.taskArg()
	if err != nil {
		return Reply{}, err
	}
	var names []string
	for _, t := range c.d.o.Trackers {
		names = append(names, t.Name)
	}
	name := c.args.value("to")
	switch {
	case len(names) == 0:
		return Reply{}, Problem{Code: "no_tracker", Message: "No tracker is configured, so " + id + " cannot go anywhere.", Hint: "Add one under tasks: in the configuration, for example: tasks: {github: {repo: example/certs}}"}
	case name == "" && len(names) > 1:
		return Reply{}, Problem{Code: "which_tracker", Message: "There are " + listed(names, 5) + ".", Hint: "Name one: /incident task export " + id + " --to " + names[0]}
	case name == "":
		name = names[0]
	}
	tracker, ok := c.d.tracker(name)
	if !ok {
		return Reply{}, Problem{Code: "unknown_tracker", Message: quote(name) + " is not a tracker here: there are " + listed(names, 5) + ".", Hint: "For example: /incident task export " + id + " --to " + names[0]}
	}
	t, i, err := c.oneTask(ctx, id)
	if err != nil {
		return Reply{}, err
	}
	if t.Export.State == incident.ExportDone {
		return c.exportedReply(i, t), nil
	}
	if i.Private && !c.args.has("yes") {
		return Reply{State: StateWarning, Headline: fmt.Sprintf("%s belongs to %s, which is private. Nothing is sent yet.", t.ID, i.ID), Body: "This would be written in " + tracker.Where + ":\n" + exportTitle(t) + "\n" + c.d.exportText(i, t),
			Buttons: []Button{{Label: "Export", Command: "/incident task export " + t.ID + " --yes --to " + tracker.Name, Style: "danger", Confirm: fmt.Sprintf("%s is private. Write this into %s?", i.ID, tracker.Where)}}}, nil
	}
	from := i
	i, t, err = c.d.o.Book.ExportTask(ctx, t.ID, tracker.Name, c.change(""))
	if errors.Is(err, incident.ErrState) {
		return Reply{}, Problem{Code: "exported", Message: fmt.Sprintf("%s is in %s already.", id, from.Tasks[slices.IndexFunc(from.Tasks, func(t incident.Task) bool { return t.ID == id })].Export.Tracker), Hint: "See it: /incident task list all"}
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	if t.Export.State == incident.ExportDone {
		return c.exportedReply(i, t), nil
	}
	return Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Key: exportKey(t), Headline: fmt.Sprintf("%s goes to %s (%s): %s", t.ID, tracker.Name, tracker.Where, clip(oneLine(t.Text), 160)), Links: []Link{{i.ID, incidentPath(i.ID)}}}, nil
}

// exportKey is the message that an export's result edits.
func exportKey(t incident.Task) string { return fmt.Sprintf("export/%s/%d", t.ID, t.Export.Try) }

func (c *call) exportedReply(i incident.Incident, t incident.Task) Reply {
	return Reply{State: StateGood, Headline: fmt.Sprintf("%s is %s in %s.", t.ID, t.Export.Ref, t.Export.Tracker), Body: t.Export.URL, Links: []Link{{i.ID, incidentPath(i.ID)}}}
}
