package commands

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// maxZipImages is how many bytes of images go into an exported archive: the
// file is a message of the room, which is kept too.
const maxZipImages = 4 << 20

// timelineZip is the timeline in both forms and the images of pinned messages.
// Images beyond maxZipImages are named in left-out.txt.
func (c *call) timelineZip(ctx context.Context, i incident.Incident, es []incident.Entry) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, data []byte, err error) error {
		if err != nil {
			return err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: i.Updated.UTC()})
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	j, err := timelineJSON(i, es)
	if err = add(i.ID+"-timeline.json", j, err); err != nil {
		return nil, err
	}
	v, err := timelineCSV(es)
	if err = add(i.ID+"-timeline.csv", v, err); err != nil {
		return nil, err
	}
	seen, total := map[string]bool{}, 0
	var left []string
	for _, e := range es {
		for _, img := range e.Evidence.Pin.Images {
			if img.SHA256 == "" || seen[img.SHA256] {
				continue
			}
			seen[img.SHA256] = true
			if total += img.Size; total > maxZipImages {
				total -= img.Size
				left = append(left, fmt.Sprintf("%s, image of %s (%s): %s", img.SHA256, e.ID, img.Name, incidentPath(i.ID)+"/image/"+img.SHA256))
				continue
			}
			data, kind, err := c.d.o.Book.Image(ctx, i.ID, img.SHA256)
			if errors.Is(err, incident.ErrNotFound) {
				left = append(left, img.SHA256+", image of "+e.ID+": not in the record")
				continue
			}
			if err := add("images/"+e.ID+"-"+img.SHA256[:16]+"."+strings.TrimPrefix(kind, "image/"), data, err); err != nil {
				return nil, err
			}
		}
	}
	if len(left) > 0 {
		if err := add("left-out.txt", []byte("Not in this archive:\n"+strings.Join(left, "\n")+"\n"), nil); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return b.Bytes(), err
}
