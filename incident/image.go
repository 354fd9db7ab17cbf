package incident

// In this file: the images of pinned messages, kept with the record. They are
// named by what they hold, so that the same image is kept once.
//
// Keys: image/INC-7/<sha256> is diskImage, image/INC-7/<sha256>/00000001 and on
// its bytes, imageChunk each. They are not below incident/: who watches that
// is not handed megabytes.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/store"
)

const (
	imageChunk = 256 << 10 // bytes of a value: well below what etcd takes in one request
	// MaxImage is the size of an image that is kept, in bytes.
	MaxImage = 8 << 20
	// MaxImages is the size of all images of one incident, in bytes.
	MaxImages = 64 << 20
	// maxPinImages is how many images of one message are kept.
	maxPinImages = 10
)

// ErrImage: the image cannot be kept.
var ErrImage = errors.New("the image is not kept")

// PinImage is an image of a pinned message.
type PinImage struct {
	Name   string `json:"name"`
	Type   string `json:"type,omitempty"`   // image/png, image/jpeg, image/gif or image/webp, by its content
	SHA256 string `json:"sha256,omitempty"` // hexadecimal; "": not kept
	Size   int    `json:"size,omitempty"`   // bytes
	Left   string `json:"left,omitempty"`   // why it is not kept
}

// imageTypes are the ones that are kept. They hold no script.
var imageTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// diskImage is an image on disk, version 1.
type diskImage struct {
	V    int    `json:"v"`
	Type string `json:"type"`
	Size int    `json:"size"`
	New  bool   `json:"new,omitempty"` // no line has it yet
}

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

func imageKey(num int, sha string) string { return keyImage + idOf(num) + "/" + sha }

// KeepImage stores an image with an incident's record, once however often, and
// returns what a pin says of it. What cannot be kept (another type, too large,
// no room left in the incident) has Left set and no error. One that then comes
// on no line is to be taken away with DropImages.
func (b *Book) KeepImage(ctx context.Context, id, name string, data []byte) (PinImage, error) {
	img := PinImage{Name: oneLine(name, maxTitle), Size: len(data)}
	if img.Name == "" {
		img.Name = "image"
	}
	num, err := number(id)
	if err != nil {
		return img, err
	}
	kind := http.DetectContentType(data)
	switch {
	case !slices.Contains(imageTypes, kind):
		img.Left = "it is not a PNG, JPEG, GIF or WebP image"
		return img, nil
	case len(data) > MaxImage:
		img.Left = fmt.Sprintf("it has %d KiB; at most %d are kept", len(data)>>10, MaxImage>>10)
		return img, nil
	}
	h := sha256.Sum256(data)
	img.Type, img.SHA256 = kind, hex.EncodeToString(h[:])
	return img, b.keepImage(ctx, num, &img, data, true)
}

// keepImage writes the bytes, then what says that they are whole. A kill
// between leaves bytes that the next attempt overwrites. alone: no line has it yet.
func (b *Book) keepImage(ctx context.Context, num int, img *PinImage, data []byte, alone bool) error {
	full := false
	check := func(tx store.Tx) (have bool, err error) {
		r, err := getIncident(tx, num)
		if err != nil {
			return false, err
		}
		v, err := tx.Get(imageKey(num, img.SHA256))
		full = v == nil && r.ImageBytes+int64(len(data)) > MaxImages
		return v != nil, err
	}
	have := false
	err := b.s.View(ctx, func(tx store.Tx) (err error) { have, err = check(tx); return err })
	if err != nil {
		return fmt.Errorf("keep image of %s: %w", idOf(num), err)
	}
	if !have && !full {
		n := 0
		for chunk := range slices.Chunk(data, imageChunk) {
			n++
			if err := b.s.Update(ctx, func(tx store.Tx) error { return tx.Put(imageKey(num, img.SHA256)+"/"+padded(n), chunk) }); err != nil {
				return fmt.Errorf("keep image of %s: %w", idOf(num), err)
			}
		}
		meta, err := json.Marshal(diskImage{V: diskVersion, Type: img.Type, Size: len(data), New: alone})
		if err != nil {
			return fmt.Errorf("encode image: %w", err)
		}
		err = b.s.Update(ctx, func(tx store.Tx) error {
			if have, err := check(tx); err != nil || have || full {
				return err
			}
			r, err := getIncident(tx, num)
			if err != nil {
				return err
			}
			r.ImageBytes += int64(len(data))
			if err := putIncident(tx, r); err != nil {
				return err
			}
			return tx.Put(imageKey(num, img.SHA256), meta)
		})
		if err != nil {
			return fmt.Errorf("keep image of %s: %w", idOf(num), err)
		}
	}
	if have && !alone {
		err := b.s.Update(ctx, func(tx store.Tx) error { return imageUsed(tx, num, img.SHA256) })
		if err != nil {
			return fmt.Errorf("keep image of %s: %w", idOf(num), err)
		}
	}
	if full {
		img.Type, img.SHA256 = "", ""
		img.Left = fmt.Sprintf("the incident has %d MiB of images already", MaxImages>>20)
	}
	return nil
}

// getImage reads what is known of a kept image, or ErrNotFound.
func getImage(tx store.Tx, num int, sha string) (d diskImage, err error) {
	v, err := tx.Get(imageKey(num, sha))
	if err != nil {
		return d, err
	}
	if v == nil {
		return d, fmt.Errorf("image %s of %s: %w", sha, idOf(num), ErrNotFound)
	}
	if err := json.Unmarshal(v, &d); err != nil || d.V != diskVersion || !slices.Contains(imageTypes, d.Type) {
		return d, fmt.Errorf("decode image %s of %s: %w", sha, idOf(num), errors.Join(err, ErrImage))
	}
	return d, nil
}

// Image returns the bytes and type of an image kept with an incident, or ErrNotFound.
func (b *Book) Image(ctx context.Context, id, sha string) (data []byte, kind string, err error) {
	num, err := number(id)
	if err != nil {
		return nil, "", err
	}
	if sha = strings.ToLower(sha); !sha256Form.MatchString(sha) {
		return nil, "", fmt.Errorf("image %.80q: %w", sha, ErrNotFound)
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		d, err := getImage(tx, num, sha)
		if err != nil {
			return err
		}
		data, kind = make([]byte, 0, d.Size), d.Type
		return tx.Scan(store.Range{Prefix: imageKey(num, sha) + "/"}, func(_ string, v []byte) error {
			data = append(data, v...)
			return nil
		})
	})
	if err != nil {
		return nil, "", err
	}
	if h := sha256.Sum256(data); hex.EncodeToString(h[:]) != sha {
		return nil, "", fmt.Errorf("image %s of %s is not what was kept: %w", sha, idOf(num), ErrImage)
	}
	return data, kind, nil
}

// imageUsed notes that a line has an image.
func imageUsed(tx store.Tx, num int, sha string) error {
	d, err := getImage(tx, num, sha)
	if err != nil || !d.New {
		return err
	}
	d.New = false
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode image: %w", err)
	}
	return tx.Put(imageKey(num, sha), v)
}

// DropImages takes away those of images, as KeepImage returned them, that came
// on no line: the rest of what an incident may have is for others.
func (b *Book) DropImages(ctx context.Context, id string, images []PinImage) error {
	num, err := number(id)
	if err != nil {
		return err
	}
	for _, i := range images {
		if i.SHA256 == "" {
			continue
		}
		err := b.s.Update(ctx, func(tx store.Tx) error {
			d, err := getImage(tx, num, i.SHA256)
			if errors.Is(err, ErrNotFound) || err == nil && !d.New {
				return nil
			}
			if err != nil {
				return err
			}
			r, err := getIncident(tx, num)
			if err != nil {
				return err
			}
			r.ImageBytes -= int64(d.Size)
			for n := range (d.Size + imageChunk - 1) / imageChunk {
				if err := tx.Delete(imageKey(num, i.SHA256) + "/" + padded(n+1)); err != nil {
					return err
				}
			}
			return errors.Join(putIncident(tx, r), tx.Delete(imageKey(num, i.SHA256)))
		})
		if err != nil {
			return fmt.Errorf("drop image of %s: %w", idOf(num), err)
		}
	}
	return nil
}

// mine leaves of images what the record has, and their names. They are on a
// line from now on.
func (p *page) mine(images []PinImage) []PinImage {
	var out []PinImage
	for _, i := range images[:min(len(images), maxPinImages)] {
		i.Name, i.Left = oneLine(i.Name, maxTitle), oneLine(i.Left, maxText)
		if i.SHA256 != "" && imageUsed(p.tx, p.r.Num, i.SHA256) != nil {
			i.SHA256, i.Left = "", "it could not be read back"
		}
		out = append(out, i)
	}
	return out
}

// carryImages copies the images of pinned messages to another incident.
func (b *Book) carryImages(ctx context.Context, from, to string, lines []Entry) error {
	num, err := number(to)
	if err != nil {
		return err
	}
	for _, e := range lines {
		for _, i := range e.Evidence.Pin.Images {
			if i.SHA256 == "" {
				continue
			}
			data, _, err := b.Image(ctx, from, i.SHA256)
			if err != nil {
				return err
			}
			if err := b.keepImage(ctx, num, &i, data, false); err != nil {
				return err
			}
		}
	}
	return nil
}
