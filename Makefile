# `make` or `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where Go's own installer puts it, for shells that have not been told.
export PATH := $(PATH):/usr/local/go/bin
# The version is set by the linker below; asking git for it once more fails in a checkout of another user.
# Nothing that is built tells the paths of its machine; tests are built the same way, which spares a second build of everything.
export GOFLAGS += -buildvcs=false -trimpath
# The product is linked without C, and so are tests.
export CGO_ENABLED := 0

# What a build says about itself. The date is that of the commit, so that two builds of one commit are the same.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null)
INFO    := dayshift/internal/buildinfo
LDFLAGS := -s -w -X $(INFO).Version=$(VERSION) -X $(INFO).Commit=$(COMMIT) -X $(INFO).Date=$(DATE)

TOOL := go tool -modfile=tools/go.mod

# How long the tests may take. A package that hangs is cut off with the stacks of all its goroutines.
TEST_TIMEOUT ?= 8m
# How long each fuzz target runs with `make fuzz`.
FUZZTIME ?= 30s
# Tests that have to run and to pass, as PACKAGE.TEST: none of them may be missing or skipped.
MUST ?=
# Which packages the test targets cover.
PKGS ?= ./...

# The stories of test/e2e come last and alone: they wait for real time, and beside
# packages that take every processor a process of theirs waits for its turn instead.
define tested
code=0; all=$$(go list $(PKGS)); \
for some in "$$(grep -v '/test/e2e$$' <<<"$$all" || true)" "$$(grep '/test/e2e$$' <<<"$$all" || true)"; do \
	[ -z "$$some" ] || go test $(1) -json -timeout $(TEST_TIMEOUT) $$some || code=$$?; \
done; exit $$code
endef

##@ Try it

.PHONY: demo
demo: go page ## Run the product on a simulated cloud: a week in some minutes, live in the terminal
	@go run -ldflags '$(LDFLAGS)' ./cmd/dayshift demo $(ARGS)

.PHONY: build
build: go page ## Build bin/dayshift with its page, the same bytes for the same commit
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: web
web: web/node_modules/.package-lock.json ## Build the page into web/dist (needs Node 20.19 or newer)
	cd web && npm run --silent build -- --logLevel warn

# The page where it can be built. Without Node the program is whole but for its page, and says so there.
.PHONY: page
page:
	@if command -v npm >/dev/null; then $(MAKE) web/dist/index.html; \
	else echo "Node is not here: building without the page" >&2; fi

# Everything that the build reads; tests and journeys are not part of it.
page_sources := $(shell find web/src web/public -type f ! -name '*.test.ts' 2>/dev/null) web/index.html web/vite.config.ts web/package-lock.json

web/dist/index.html: web/node_modules/.package-lock.json $(page_sources)
	@$(MAKE) web

# What npm writes after an installation; older than the lock file it is out of date.
web/node_modules/.package-lock.json: web/package-lock.json
	@command -v npm >/dev/null || { echo "The page is built with Node 20.19 or newer: install it from https://nodejs.org or with your package manager" >&2; exit 1; }
	cd web && npm ci --no-progress && touch node_modules/.package-lock.json

##@ Check it

.PHONY: test
test: bin/testreport ## Run all tests
	@{ $(call tested,); } | bin/testreport $(addprefix -must ,$(MUST))

.PHONY: test-race
test-race: TEST_TIMEOUT = 16m
test-race: bin/testreport ## Run the tests with the race detector, but for stories that wait for real time (needs a C compiler)
	@export CGO_ENABLED=1; { $(call tested,-race -short); } | bin/testreport

.PHONY: web-test
web-test: web/node_modules/.package-lock.json ## Check the page: types, linters, unit tests, and the API's types up to date
	cd web && npm run --silent check
	cd web && npm run --silent lint
	cd web && npm test --silent
	@cd web && npm run --silent types -- --check || { echo "web-test: src/api/types.gen.ts is not what openapi.json gives: run 'npm run types' in web and commit it" >&2; exit 1; }

.PHONY: e2e
e2e: bin/testreport ## Run the scripts against the built program
	@go test -count=1 -json -timeout $(TEST_TIMEOUT) ./test/e2e/... | bin/testreport

.PHONY: journeys
journeys: build ## Play the journeys of the page in Chromium, in three languages (ARGS='--test-name-pattern wake' for one)
	@cd web && node --test --test-concurrency=1 $(ARGS) e2e/journeys/*.test.mjs

# Go's fuzzer can take the end of its time for a failure (golang/go#75804, mended in Go 1.27): nothing was found, and
# the target runs once more. What it finds has other words.
.PHONY: fuzz
fuzz: go ## Run every fuzz target for FUZZTIME (30s)
	@mkdir -p bin; targets=$$(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' internal) || { echo "fuzz: no target found" >&2; exit 1; }; \
	while IFS=: read -r file target; do \
		echo "== $$(dirname "$$file") $${target#func }"; \
		fuzz() { go test -run '^$$' -fuzz "^$${target#func }$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; }; \
		fuzz | tee bin/fuzz.log || { grep -qx ' *context deadline exceeded' bin/fuzz.log && fuzz; }; \
	done <<<"$$targets"

.PHONY: lint
lint: go ## Run the linters and the format check on all three modules
	$(TOOL) golangci-lint run ./...
	cd bench && go tool -modfile=../tools/go.mod golangci-lint run ./...
	cd tools && go tool golangci-lint run ./...

.PHONY: fmt
fmt: go ## Format the code the way `make lint` wants it
	$(TOOL) golangci-lint fmt ./...

.PHONY: vuln
vuln: go ## Look for known vulnerabilities in what the program calls
	$(TOOL) govulncheck ./...

# What git sees of the work tree: the changes and the content of new files.
state = { git diff; git ls-files --others --exclude-standard -z | xargs -0 -r sha256sum; }

.PHONY: verify
verify: bin/testreport ## Fail when a generated file or go.mod is out of date
	@before=$$(mktemp) && after=$$(mktemp) && trap 'rm -f "$$before" "$$after"' EXIT; \
	$(state) >"$$before"; $(MAKE) generate; $(state) >"$$after"; \
	cmp -s "$$before" "$$after" || { git status --short; echo "verify: generated files were out of date; 'make generate' has renewed them: commit them" >&2; exit 1; }
	@echo "go mod tidy"; # -e: a dependency's own tests may want a module that can not be had. Whether it can changes go.sum alone, and what a build needs there it asks for itself.
	@for dir in . bench; do \
		(cd "$$dir" && { go mod tidy -e -diff || true; }) >bin/tidy.log 2>&1; \
		! grep -q '^diff current/go.mod' bin/tidy.log || { cat bin/tidy.log; echo "verify: run 'go mod tidy -e' in $$dir" >&2; exit 1; }; \
	done
	go mod verify

.PHONY: ci
ci: ## Run everything that has to hold before a change is taken, as CI does
	bash .ci/run

##@ Make it

.PHONY: generate
generate: go ## Regenerate what is made from the code (references, schema)
	go generate ./...

.PHONY: screenshots
screenshots: build ## Picture every page, wide and phone, light and dark, in three languages (TO=bin/screenshots)
	@node web/e2e/screenshots.mjs $(or $(TO),bin/screenshots)

.PHONY: bench
bench: go ## Measure, and write docs/benchmarks.md (ARGS='-only calendar' for one section)
	cd bench && go run . -write ../docs/benchmarks.md $(ARGS)

.PHONY: bench-once
bench-once: go ## Run every benchmark once, to see that it still runs
	@dirs=$$(grep -rl --include='*_test.go' '^func Benchmark' internal cmd | xargs -r -n1 dirname | sort -u | sed 's|^|./|'); \
	if [ -n "$$dirs" ]; then go test -run '^$$' -bench . -benchtime 1x -timeout $(TEST_TIMEOUT) $$dirs; fi
	cd bench && go test -run '^$$' -bench . -benchtime 1x -timeout $(TEST_TIMEOUT) ./...

.PHONY: clean
clean: ## Remove what the other targets built
	rm -rf bin dist coverage.out web/node_modules web/dist/assets
	find web/dist -type f ! -name .gitignore -delete

##@ Help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*##" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9_-]+:.*##/ { printf "  make %-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The report that `go test` is read through.
bin/testreport: tools/testreport/main.go tools/go.mod | go
	@go -C tools build -o ../bin/testreport ./testreport

.PHONY: go
go:
	@command -v go >/dev/null || { echo "Dayshift is built with Go 1.26 or newer: install it from https://go.dev/dl/ or with your package manager" >&2; exit 1; }
