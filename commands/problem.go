package commands

// Problem is something a person can mend: what is wrong and what to do next.
// The zero value is no problem.
type Problem struct {
	Code    string `json:"code"`    // for example "unknown_certificate"
	Message string `json:"message"` // what is wrong, with what was typed
	Hint    string `json:"hint"`    // what to do, with one correct example
}

// IsZero reports that there is no problem.
func (p Problem) IsZero() bool { return p.Code == "" }

// Error makes a Problem an error.
func (p Problem) Error() string { return p.Message }
