//go:build darwin

package store_test

import "testing"

func mountSmall(t *testing.T, _ string) {
	t.Helper()
	t.Skip("SKIPPED: a real full disk needs Linux's tmpfs (TestFullByLimit still ran)")
}
