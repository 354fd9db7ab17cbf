package web

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// someNumbers is a year of incidents; owner is a stranger's text.
type someNumbers struct{ owner string }

func (s someNumbers) NumbersPage(_ context.Context, since string, _ commands.Person) (commands.NumbersPage, error) {
	if since == "rubbish" {
		return commands.NumbersPage{}, commands.Problem{Code: "bad_since", Message: "That is not how far back.", Hint: "90d"}
	}
	p := commands.NumbersPage{At: atNight, Private: 1}
	var rows []incident.Number
	causes := []string{"expired", "expired", "missing_intermediate", "name_mismatch", "refused", ""}
	for n := range 60 {
		m := time.Duration(n%7+1) * time.Minute
		r := incident.Number{Declared: atNight.AddDate(0, 0, -6*n), Severity: incident.Severity(1 + n%4), Owner: []string{"web", "mail", s.owner, ""}[n%4], Cause: causes[n%len(causes)], Open: n == 0,
			Took: [6]time.Duration{m * 4, m, m / 2, m * 9, m * 12, -1}}
		if n%10 == 3 {
			r.Took[5] = m * 5
		}
		rows = append(rows, r)
	}
	if since == "30d" {
		rows = nil
	}
	for _, by := range incident.Dimensions {
		p.Tallies = append(p.Tallies, incident.TallyOf(rows, by, p.Since, p.At))
	}
	return p, nil
}

func TestNumbersPage(t *testing.T) {
	h := build(t, func(o *Options) { o.Numbers = someNumbers{owner: `<script>alert(1)</script>"x`} })
	c := h.browser(t)
	for _, by := range incident.Dimensions {
		status, html := h.get(t, c, "/numbers?since=1y&by="+by)
		if status != 200 || !strings.Contains(html, "<title>Numbers: 60 incidents") || !strings.Contains(html, "1 private") {
			t.Fatalf("%s: %d %s", by, status, html)
		}
		if n := strings.Count(html, "<svg class=\"chart\""); n != 6 {
			t.Errorf("%s: %d charts", by, n)
		}
		if n := strings.Count(html, "<details><summary>Table"); n != 6 {
			t.Errorf("%s: %d tables", by, n)
		}
		if strings.Contains(html, "<script>alert") || strings.Contains(html, "style=") || len(html) > 100<<10 {
			t.Errorf("%s: markup of strangers, inline style or %d bytes", by, len(html))
		}
		for _, svg := range regexp.MustCompile(`(?s)<svg class="chart".*?</svg>`).FindAllString(html, -1) {
			d := xml.NewDecoder(strings.NewReader(svg))
			for {
				tok, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v in %s", by, err, svg)
				}
				if e, ok := tok.(xml.StartElement); ok {
					for _, a := range e.Attr {
						if strings.Contains("x1 x2 y1 y2 cx cy x y", a.Name.Local) && strings.HasPrefix(a.Value, "-") {
							t.Errorf("%s: %s=%s lies outside", by, a.Name.Local, a.Value)
						}
					}
				}
			}
		}
	}
	_, html := h.get(t, c, "/numbers")
	for _, want := range []string{"Time to detect", "median 16 min, 90 % within 28 min", "Table, of 60 incidents", `>Nov</text>`, `aria-current="page">Numbers</a>`, `href="/numbers?since=1y&amp;by=month"`, "2026-11"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q", want)
		}
	}
	if _, html := h.get(t, c, "/numbers?since=30d"); strings.Contains(html, "<svg class=\"chart\"") || strings.Count(html, "none on record") != 6 {
		t.Error("charts of nothing")
	}
	if status, html := h.get(t, c, "/numbers?since=rubbish"); status != 404 || !strings.Contains(html, "not how far back") {
		t.Errorf("rubbish: %d", status)
	}
	if status, _ := h.get(t, c, "/numbers?by=rubbish"); status != 200 {
		t.Errorf("by rubbish: %d", status)
	}
	resp, err := http.Get(h.URL + "/numbers.json?since=all")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got commands.NumbersPage
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || len(got.Tallies) != 4 || got.Tallies[1].Groups[0].Name != "SEV1" || time.Duration(got.Tallies[0].Total.Measures[0].Median) != 16*time.Minute {
		t.Errorf("%+v %v", got, err)
	}
	none := build(t, func(o *Options) { o.Numbers = nil })
	if status, _ := none.get(t, c, "/numbers"); status != 404 {
		t.Errorf("without numbers: %d", status)
	}
}

// TestRoundUp: an axis ends at or above what it shows, and not far above.
func TestRoundUp(t *testing.T) {
	t.Parallel()
	for d := time.Second; d < 400*24*time.Hour; d += d/7 + time.Second {
		if top := roundUp(d); top < d || top > d*3 && top > 2*time.Second {
			t.Errorf("%s: up to %s", d, top)
		}
	}
	if roundUp(1<<62) < 1 {
		t.Error("an endless time")
	}
	for in, want := range map[string]string{"2026-11": "Nov", "2026-01": "2026", "x": "x"} {
		if got := monthLabel(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
	var b bytes.Buffer
	fmt.Fprint(&b, axis(0), axis(30*time.Minute), axis(48*time.Hour))
	if b.String() != "030 min2 d" {
		t.Error(b.String())
	}
}
