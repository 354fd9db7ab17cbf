// Command report reads the output of go test -json: it prints a line a
// package, the whole output of what failed, and each skipped test with its
// reason, then the sums.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	out := map[string]*strings.Builder{}
	var failed, skipped []string
	passed := 0
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text())
			continue
		}
		if e.Package == "" {
			e.Package = e.ImportPath
		}
		id := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if out[id] == nil {
				out[id] = new(strings.Builder)
			}
			out[id].WriteString(e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				fmt.Printf("%-4s %s %.1fs\n", e.Action, e.Package, e.Elapsed)
			}
			switch {
			case e.Action == "fail":
				failed = append(failed, id)
			case e.Test != "" && e.Action == "pass":
				passed++
			case e.Test != "" && e.Action == "skip":
				skipped = append(skipped, id)
			}
		case "build-fail":
			failed = append(failed, id)
		}
	}
	sort.Strings(skipped)
	for _, id := range failed {
		if out[id] != nil {
			fmt.Printf("\n--- FAILED %s\n%s", id, out[id])
		}
	}
	for _, id := range skipped {
		fmt.Printf("skipped %s: %s\n", id, reason(out[id]))
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", passed, len(failed), len(skipped))
	if len(failed) > 0 || passed == 0 {
		os.Exit(1)
	}
}

// reason is what a test said before it skipped.
func reason(b *strings.Builder) string {
	if b == nil {
		return "no reason given"
	}
	var said []string
	for _, l := range strings.Split(b.String(), "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "===") || strings.HasPrefix(l, "---") {
			continue
		}
		said = append(said, l)
	}
	return strings.Join(said, " ")
}
