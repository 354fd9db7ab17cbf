package postmortem

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// In this file: the picture as PNG, for chats, and the widths of words that
// the layout goes by.

// PNG returns the picture as an image, 800 pixels wide, on white: the same
// bytes for the same record. Alt says the same in words.
func (d Draft) PNG() ([]byte, error) {
	i := d.Incident
	v := gather(i, d.Timeline)
	title := i.ID + " " + severity(i) + ": " + i.Title
	if i.Drill {
		title = "Drill " + title
	}
	b, err := v.layout(title, zoneWords(d.Zone, v.from)).png()
	if err != nil {
		return nil, fmt.Errorf("draw the picture of %s: %w", i.ID, err)
	}
	return b, nil
}

// Alt is what the picture says, in three sentences.
func (d Draft) Alt() string {
	v := gather(d.Incident, d.Timeline)
	return v.inWords()
}

// fonts are Go's own: they come with the program, so that the picture is the
// same everywhere.
var fonts = sync.OnceValues(func() (all [2]*sfnt.Font, err error) {
	for n, ttf := range [][]byte{goregular.TTF, gomono.TTF} {
		if all[n], err = opentype.Parse(ttf); err != nil {
			return all, fmt.Errorf("read the font: %w", err)
		}
	}
	return all, nil
})

// advances are the widths of ASCII letters in pixels, by font.
var advances = sync.OnceValue(func() *[2][128]float64 {
	var all [2][128]float64
	both, err := fonts()
	if err != nil {
		return &all
	}
	var buf sfnt.Buffer
	for n, f := range both {
		for r := range 128 {
			g, err := f.GlyphIndex(&buf, rune(r))
			if err != nil {
				continue
			}
			if a, err := f.GlyphAdvance(&buf, g, fixed.I(textSize), font.HintingNone); err == nil {
				all[n][r] = float64(a) / 64
			}
		}
	}
	return &all
})

// width is how wide words are, in pixels; letters outside of ASCII count as a
// wide one. Go's fonts are wide: a page's own are narrower, seldom wider.
func width(words string, mono bool) (w float64) {
	all := &advances()[0]
	if mono {
		all = &advances()[1]
	}
	for _, r := range words {
		if r < 128 {
			w += all[r]
		} else {
			w += textSize
		}
	}
	return w
}

// stroke is a line of a sign's strength.
func (s *sheet) stroke(ax, ay, bx, by float64, fill string) {
	dx, dy := bx-ax, by-ay
	long := math.Hypot(dx, dy)
	dx, dy = dx/long*.9, dy/long*.9
	s.add(shape{points: []float64{ax - dx - dy, ay - dy + dx, bx + dx - dy, by + dy + dx, bx + dx + dy, by + dy - dx, ax - dx + dy, ay - dy - dx}, fill: fill})
}

// png draws the sheet.
func (s *sheet) png() ([]byte, error) {
	both, err := fonts()
	if err != nil {
		return nil, err
	}
	var faces [2]font.Face
	for n, f := range both {
		if faces[n], err = opentype.NewFace(f, &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingFull}); err != nil {
			return nil, fmt.Errorf("size the font: %w", err)
		}
	}
	high := int(math.Ceil(s.high))
	img := image.NewRGBA(image.Rect(0, 0, wide, high))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for _, o := range s.shapes {
		if o.text == "" {
			o.paint(img)
			continue
		}
		face := faces[0]
		if o.mono {
			face = faces[1]
		}
		d := font.Drawer{Dst: img, Src: image.NewUniform(o.colour()), Face: face, Dot: fixed.P(int(math.Round(o.points[0])), int(math.Round(o.points[1])))}
		d.DrawString(o.text)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encode PNG: %w", err)
	}
	return b.Bytes(), nil
}

// paint fills a shape. Upright boxes keep to whole pixels, so that they are sharp.
func (o shape) paint(img *image.RGBA) {
	src := image.NewUniform(o.colour())
	if o.box {
		x, y := int(math.Round(o.points[0])), int(math.Round(o.points[1]))
		r := image.Rect(x, y, max(x+1, int(math.Round(o.points[2]))), max(y+1, int(math.Round(o.points[5]))))
		draw.Draw(img, r.Intersect(img.Bounds()), src, image.Point{}, draw.Over)
		return
	}
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for n := 0; n < len(o.points); n += 2 {
		left, right = min(left, o.points[n]), max(right, o.points[n])
		top, bottom = min(top, o.points[n+1]), max(bottom, o.points[n+1])
	}
	box := image.Rect(int(left)-1, int(top)-1, int(right)+2, int(bottom)+2)
	z := vector.NewRasterizer(box.Dx(), box.Dy())
	for n := 0; n < len(o.points); n += 2 {
		x, y := float32(o.points[n]-float64(box.Min.X)), float32(o.points[n+1]-float64(box.Min.Y))
		if n == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
	z.Draw(img, box, src, image.Point{})
}

// colour of a shape on white.
func (o shape) colour() color.Color {
	if o.fill == ink {
		if o.faint {
			return color.NRGBA{0x1b, 0x1c, 0x1f, 0x99}
		}
		return color.NRGBA{0x1b, 0x1c, 0x1f, 0xff}
	}
	if o.fill == paper {
		return color.NRGBA{0xff, 0xff, 0xff, 0xff}
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(o.fill, "#"), 16, 32)
	if err != nil {
		n = 0
	}
	return color.NRGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 0xff}
}
