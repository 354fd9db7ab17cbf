package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/goccy/go-yaml/ast"
)

// In this file: what is read of a file that the configuration is or names, and
// which YAML is refused before it is parsed. Its parser takes a hundred bytes
// for each that stands there, and more for what is nested.

const (
	maxFile  = 1 << 20 // bytes of a configuration, of roots, of a secret
	maxDepth = 50      // brackets, list marks or blanks / 2 inside of each other
)

// readSmall reads a file of at most maxFile bytes. A pipe that nobody writes to
// is an empty file, not a program that hangs.
func readSmall(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d KiB, the most that is read", file, maxFile>>10)
	}
	return text, nil
}

// tooDeep returns the first line that nests more than maxDepth, 0 for none. It
// counts what may nest, also inside quotes: no configuration comes near.
func tooDeep(text string) int {
	open, n := 0, 0
	for line := range strings.Lines(text) {
		n++
		marks := len(line) - len(strings.TrimLeft(line, " -?:\t"))
		for _, c := range line {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
			if open > maxDepth {
				return n
			}
		}
		if marks > 2*maxDepth && strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			return n
		}
	}
	return 0
}

// aliases finds what stands for another part of the file.
type aliases struct{ found ast.Node }

// Visit implements ast.Visitor.
func (a *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		if a.found == nil {
			a.found = n
		}
		return nil
	}
	return a
}
