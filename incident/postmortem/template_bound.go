package postmortem

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"
)

// In this file: a text/template that somebody wrote, run so that it ends and
// keeps no more than it may. Its loops are counted, what it writes is bounded,
// and so is what its functions make: text/template's own would let a few
// lines fill the memory without writing anything ({{$x = print $x $x}}).

const (
	maxRounds = 2_000_000 // of all loops of a template together
	maxMade   = 64 << 20  // bytes that its functions return, together
	maxWidth  = 999       // of a %NNNd
)

// Bounded is a parsed template that runs within bounds.
type Bounded struct{ t *template.Template }

// Bound parses a template. funcs are further functions that it may call; they
// must be pure, and what they return small.
func Bound(name, text string, funcs template.FuncMap) (*Bounded, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(bounds(&budget{})).Funcs(funcs).Parse(text)
	if err != nil {
		return nil, err
	}
	count := template.Must(template.New("").Funcs(bounds(&budget{})).Parse("{{tick}}")).Root.Nodes[0]
	for _, one := range t.Templates() {
		if one.Tree != nil && one.Root != nil {
			countLoops(one.Root, count)
			one.Root.Nodes = append([]parse.Node{count.Copy()}, one.Root.Nodes...)
		}
	}
	return &Bounded{t}, nil
}

// Execute writes the template on data: at most size bytes.
func (b *Bounded) Execute(data any, size int) (string, error) {
	t, err := b.t.Clone()
	if err != nil {
		return "", err
	}
	out := limited{max: size}
	if err := t.Funcs(bounds(&budget{})).Execute(&out, data); err != nil {
		return "", err
	}
	return out.String(), nil
}

// budget is what a run has used.
type budget struct{ rounds, made int }

// take counts bytes that a function is given or returns.
func (b *budget) take(n int) error {
	if b.made += n; b.made > maxMade {
		return fmt.Errorf("its functions make more than %d MiB", maxMade>>20)
	}
	return nil
}

// tooWide is a verb of fmt with a width or precision that is not said or large.
var tooWide = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{4,})`)

// bounds are the functions that could make much, each within the budget. They
// take the place of text/template's own.
func bounds(b *budget) template.FuncMap {
	one := func(f func(...any) string) func(...any) (string, error) {
		return func(args ...any) (string, error) {
			if err := b.take(sizeOf(args)); err != nil {
				return "", err
			}
			s := f(args...)
			return s, b.take(len(s))
		}
	}
	escaper := func(f func(string) string) func(...any) (string, error) {
		return one(func(args ...any) string { return f(fmt.Sprint(args...)) })
	}
	return template.FuncMap{
		"tick": func() (string, error) {
			if b.rounds++; b.rounds > maxRounds {
				return "", fmt.Errorf("its loops go round more than %d times", maxRounds)
			}
			return "", nil
		},
		"join": func(list []string, with string) (string, error) {
			n := len(list) * len(with)
			for _, s := range list {
				n += len(s)
			}
			if err := b.take(n); err != nil {
				return "", err
			}
			return strings.Join(list, with), nil
		},
		"printf": func(format string, args ...any) (string, error) {
			if tooWide.MatchString(format) {
				return "", fmt.Errorf("printf takes no * and no width above %d", maxWidth)
			}
			// Each verb may show each argument once, filled up to the width.
			if err := b.take(strings.Count(format, "%") * (maxWidth + sizeOf(args))); err != nil {
				return "", err
			}
			s := fmt.Sprintf(format, args...)
			return s, b.take(len(s))
		},
		"print": one(fmt.Sprint), "println": one(fmt.Sprintln),
		"html": escaper(html.EscapeString), "urlquery": escaper(url.QueryEscape), "js": escaper(template.JSEscapeString),
	}
}

// sizeOf is about how many bytes of text the arguments hold.
func sizeOf(args []any) (n int) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		default:
			n += len(fmt.Sprint(a))
		}
	}
	return n
}

// limited takes what a template writes, up to max.
type limited struct {
	bytes.Buffer
	max int
}

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > l.max {
		if l.max < 1<<20 {
			return 0, fmt.Errorf("it writes more than %d KiB", l.max>>10)
		}
		return 0, fmt.Errorf("it writes more than %d MiB", l.max>>20)
	}
	return l.Buffer.Write(b)
}

// countLoops puts a copy of count at the start of the body of every range.
func countLoops(n parse.Node, count parse.Node) {
	branch := func(b *parse.BranchNode) {
		countLoops(b.List, count)
		if b.ElseList != nil {
			countLoops(b.ElseList, count)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			countLoops(c, count)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
		n.List.Nodes = append([]parse.Node{count.Copy()}, n.List.Nodes...)
	}
}
