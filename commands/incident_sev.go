package commands

import (
	"context"
	"fmt"
	"strings"
)

func sevVerb() *verb {
	return &verb{Verb: Verb{Name: "incident sev", Args: "[INC] 1|2|3|4 [text]", Summary: "set the severity; unsure means the worse one",
		Example: "/incident sev 1 every image is affected", Public: true}, text: true, run: setSeverity}
}

func setSeverity(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	word, ok := c.args.take()
	if !ok {
		return Reply{}, c.v.problem("missing_severity", i.ID+" is "+sev(i.Severity)+". Name the new severity, 1 to 4.")
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(word), "sev"), "-")
	to, err := severityOf(digits, "/incident sev "+i.ID+" 2")
	if err != nil {
		return Reply{}, err
	}
	from := i
	text := c.args.rest()
	if i, err = c.d.o.Book.SetSeverity(ctx, i.ID, to, c.change(text)); err != nil {
		return Reply{}, c.bookError(from, err)
	}
	if from.Severity == i.Severity {
		return c.same(ctx, i, sev(i.Severity), text), nil
	}
	return c.changed(ctx, i, fmt.Sprintf("%s is %s now, was %s: %s.", i.ID, sev(i.Severity), sev(from.Severity), severities[i.Severity])), nil
}
