# Everything a person or CI runs, one or two lines each. scripts: .ci/
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: build demo test check bench interop fuzz clean

build: # one static binary, ./certmedic
	$(BUILD) -o certmedic ./cmd/certmedic

demo: build # an estate that goes wrong, a room in the browser and in this terminal
	./certmedic demo

test: # everything, against real things; installs nginx and chromium where apt-get can
	.ci/install && .ci/test

check: # gofmt, vet, staticcheck, govulncheck when reachable, the house test, race
	.ci/check

bench: # ratios and figures, printed in one run
	.ci/bench

interop: # the real program against chat services that others wrote, in a network of its own
	.ci/interop

fuzz: # each fuzz test for FUZZTIME (default 20s)
	.ci/fuzz $(FUZZTIME)

clean:
	rm -rf certmedic bin && $(GO) clean -testcache
