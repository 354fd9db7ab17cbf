package commands_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
)

// A search says where the words are and leads there; on the page too.
func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ben", "INC-1", "/incident note the walrus sits in rack 4")
	r.must("ben", "INC-1", "/incident temp add moved the walrus")
	p := r.must("zoe", "main", "/incident list search WALRUS rack")
	if text := draw(p); !strings.Contains(p.Headline, "1 incident with") || !strings.Contains(text, "the walrus sits in rack 4") || !strings.Contains(text, "note E-5, ") {
		t.Errorf("%s", text)
	}
	var paths []string
	for _, l := range p.Links {
		paths = append(paths, l.Path)
	}
	if got := strings.Join(paths, " "); got != "/incidents?q=WALRUS+rack /incident/INC-1?all=1#E-5" {
		t.Errorf("links: %s", got)
	}
	if n := len(p.Table.Rows); n != 2 {
		t.Errorf("%d places, want the note and the temporary change", n)
	}
	page, err := r.desk.IncidentsPage(context.Background(), "walrus rack", person("zoe"))
	if err != nil || page.Total != 1 || len(page.Places["INC-1"]) != 2 || page.Places["INC-1"][0].Path != "/incident/INC-1?all=1#E-5" {
		t.Errorf("%+v, %v", page, err)
	}
	r.must("ben", "INC-1", "/incident drop E-5 wrong rack")
	if p := r.must("zoe", "main", "/incident list search rack"); !strings.HasPrefix(p.Headline, "No incident with") || p.Body == "" {
		t.Errorf("of a dropped line: %s", draw(p))
	}
	var many commands.Problem
	if _, err := r.desk.IncidentsPage(context.Background(), "a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9", person("zoe")); !errors.As(err, &many) || many.Code != "too_many_words" {
		t.Errorf("36 words: %v", err)
	}
}
