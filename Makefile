# portsnare: every target says what it does; `make` alone lists them.
DENO := .tools/bin/deno
export DENO_NO_UPDATE_CHECK = 1
ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and testing need: Debian packages and the pinned Deno
	@scripts/setup.sh

setup-build setup-network setup-bench setup-packaging:
	@scripts/setup.sh $(@:setup-%=%)

run: setup-build ## Run the daemon from the sources, as root: make run ARGS="run --dry-run"
	$(DENO) run --frozen -A src/main.ts $(or $(ARGS),run)

demo: setup-network ## Catch a real nmap scan in private network namespaces, as root
	$(DENO) run --frozen -A scripts/demo.ts

test: setup build ## All tests, those of the built executable in network namespaces too, as root
	$(DENO) task static
	PORTSNARE_EXECUTABLE=$(CURDIR)/dist/portsnare $(DENO) task test $(ARGS)

bench: setup-network setup-bench build ## Measure what portsnare costs and how fast it is, beside PortSentry, as root
	$(DENO) run --frozen -A bench/run.ts $(ARGS)

check: setup-build ## Format, lint, types, documentation and the repository's own rules; no root
	$(DENO) task ok

build: setup-build ## One executable: dist/portsnare
	@$(DENO) run --frozen -A scripts/build.ts

deb: setup-packaging build ## The Debian package: dist/portsnare_VERSION_amd64.deb
	@scripts/build_deb.sh

deb-test: deb ## Install, scan, reboot, upgrade, remove in real Debian 11, 12 and 13, as root
	@scripts/deb_test.sh $(ARGS)

fuzz: setup-build ## Feed every reader spoilt input for ten minutes: make fuzz ARGS="SECONDS [SEED]"
	$(DENO) run --frozen -A scripts/fuzz.ts $(ARGS)

soak: setup-network build ## Scans, floods, reloads, flushes and kills at random, as root: make soak ARGS="MINUTES [SEED]"
	PORTSNARE_EXECUTABLE=$(CURDIR)/dist/portsnare $(DENO) run --frozen -A scripts/soak.ts $(ARGS)

clean: ## Remove what was built; .tools stays
	rm -rf dist debian/.debhelper debian/portsnare debian/files debian/*.debhelper* debian/*.substvars debian/*-stamp

.PHONY: help setup setup-build setup-network setup-bench setup-packaging run demo test bench check build deb deb-test fuzz soak clean
.DEFAULT_GOAL := help
