package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// asProgram, set in the environment, makes the test binary the program: tests
// start it as a process of its own without building anything.
const asProgram = "CERTMEDIC_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	pauses.retry, pauses.every, pauses.settle, pauses.pace = 20*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond, 0
	// A demo's hosts run this binary as `certmedic estate ...`, without our environment.
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == "estate" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){
		"certmedic": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs testdata/script: what a person types, and what comes back.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"wrong": func(ts *testscript.TestScript, _ bool, args []string) { // certmedic used in a wrong way
				var e *exec.ExitError
				if err := ts.Exec("certmedic", args...); !errors.As(err, &e) || e.ExitCode() != exitMisused {
					ts.Fatalf("certmedic %q ends with %v, not with %d", args, err, exitMisused)
				}
			},
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("TZ", "UTC")
			return nil
		},
	})
}
