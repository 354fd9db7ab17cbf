package commands

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

func exportVerb() *verb {
	return &verb{Verb: Verb{Name: "incident export", Args: "[INC] json|csv|zip", Summary: "the timeline as a file, every version of every line with its hash; zip has both and the images",
		Example: "/incident export INC-7 csv", Rare: true}, max: 2, run: export}
}

func export(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	form, _ := c.args.take()
	form = strings.ToLower(form)
	if form == "" {
		form = "json"
	}
	if form != "json" && form != "csv" && form != "zip" {
		return Reply{}, c.v.problem("bad_form", quote(form)+" is not a form of the timeline: there are json, csv and zip.")
	}
	es, err := c.d.o.Book.History(ctx, i.ID)
	if err != nil {
		return Reply{}, fmt.Errorf("history of %s: %w", i.ID, err)
	}
	f := File{Name: i.ID + "-timeline." + form}
	switch form {
	case "csv":
		f.Type = "text/csv; charset=utf-8"
		f.Data, err = timelineCSV(es)
	case "zip":
		f.Type = "application/zip"
		f.Data, err = c.timelineZip(ctx, i, es)
	default:
		f.Type = "application/json"
		f.Data, err = timelineJSON(i, es)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("export %s as %s: %w", i.ID, form, err)
	}
	return Reply{State: StateInfo, Headline: fmt.Sprintf("%s: %s of the timeline as %s, in the order of writing.", i.ID, plural(len(es), "line"), strings.ToUpper(form)),
		Files: []File{f}, Links: []Link{{i.ID, incidentPath(i.ID)}}}, nil
}

// timelineJSON is the incident and every line ever written, the evidence whole.
func timelineJSON(i incident.Incident, es []incident.Entry) ([]byte, error) {
	b, err := json.MarshalIndent(struct {
		Incident incident.Incident `json:"incident"`
		Lines    []incident.Entry  `json:"lines"`
	}{i, es}, "", "  ")
	return append(b, '\n'), err
}

// csvColumns of an exported timeline.
var csvColumns = []string{"entry", "version", "dropped", "happened", "recorded", "who", "who_id", "platform", "kind", "text", "evidence", "link", "prev", "hash"}

// timelineCSV is every line ever written (RFC 4180). A cell that a spreadsheet
// would run as a formula begins with an apostrophe.
func timelineCSV(es []incident.Entry) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.Write(csvColumns); err != nil {
		return nil, err
	}
	for _, e := range es {
		evidence := ""
		if v, err := json.Marshal(e.Evidence); err != nil {
			return nil, err
		} else if string(v) != "{}" {
			evidence = string(v)
		}
		row := []string{e.ID, strconv.Itoa(e.Version), strconv.FormatBool(e.Dropped), e.At.UTC().Format(time.RFC3339Nano), e.Recorded.UTC().Format(time.RFC3339Nano),
			e.By.Name, e.By.ID, e.By.Platform, e.Kind, e.Text, evidence, e.Link, e.Prev, e.Hash}
		for n := range row {
			row[n] = harmless(row[n])
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// harmless puts an apostrophe before what a spreadsheet would take for a
// formula: = + - @ at the start, also after blanks; tab and carriage return.
func harmless(s string) string {
	t := strings.TrimLeft(s, " \n\u00a0")
	if t != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(t)[0]) {
		return "'" + s
	}
	return s
}
