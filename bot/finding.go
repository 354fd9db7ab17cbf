package bot

// Finding is one line of a check whether an adapter is set up.
type Finding struct {
	Good bool
	Text string
	Next string // what to do; "" when good
}

// Findings are all lines of a check.
type Findings []Finding

// Add adds a line.
func (fs *Findings) Add(good bool, text, next string) {
	if good {
		next = ""
	}
	*fs = append(*fs, Finding{good, text, next})
}
