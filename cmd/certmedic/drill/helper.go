package drill

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Helper is the program behind the hosts' commands: args are `test SOCKET` or
// `reload SOCKET`. It speaks to the host's control socket and returns the exit
// code: 0 done, 1 the host says no, 2 wrong use.
func Helper(args []string, stdout, stderr io.Writer) int {
	if len(args) != 2 || args[0] != "test" && args[0] != "reload" {
		fmt.Fprintln(stderr, "usage: test SOCKET | reload SOCKET")
		return 2
	}
	answer, err := tell(args[1], args[0])
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if args[0] == "test" {
		fmt.Fprintln(stdout, "configuration ok")
	} else {
		fmt.Fprintln(stdout, strings.TrimSpace("reloaded "+answer))
	}
	return 0
}

// tell sends one verb and returns what the host answers to it.
func tell(socket, verb string) (string, error) {
	c, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return "", fmt.Errorf("the host does not answer: %w", err)
	}
	defer c.Close() //nolint:errcheck // only read from here on
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, verb); err != nil {
		return "", fmt.Errorf("speak to the host: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(c, 64<<10))
	if err != nil {
		return "", fmt.Errorf("hear the host: %w", err)
	}
	state, text, _ := strings.Cut(string(b), "\n")
	if state != "done" {
		return "", fmt.Errorf("%s failed: %s", verb, strings.TrimSpace(text))
	}
	return strings.TrimSpace(text), nil
}
