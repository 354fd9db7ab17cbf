//go:build !linux && !darwin

package deploy

import "errors"

// errNoExchange: the file system cannot exchange two names.
var errNoExchange = errors.New("exchange is not supported here")

func exchange(int, string, string) error { return errNoExchange }
