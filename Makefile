# What is done often. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift

bin = $(DESTDIR)$(PREFIX)/bin
share = $(DESTDIR)$(PREFIX)/share
release = .build/release/ftool
# How many power cuts a soak tries, and by which seed.
N ?= 300000
SEED ?= $(shell date +%s)
scripts = .ci/run $(shell find Tests -name '*.sh')

.PHONY: help build demo check check-kernel bench soak install uninstall format lint clean

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | column -t -s "$$(printf '\t')" 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

build: ## build for release, the Swift runtime inside
	@Tests/setup.sh build
	$(SWIFT) build -c release --static-swift-stdlib --product ftool

demo: build ## break an array and heal it, kill a program and bring it back: with every command shown
	@Tests/setup.sh demo
	FTOOL="$$PWD/$(release)" Tests/demo.sh

check: ## build and run all tests
	@Tests/setup.sh build test
	$(SWIFT) build --build-tests
	$(SWIFT) build -c release --product ftool-simulator
	@SWIFT="$(SWIFT)" Tests/check.sh

check-kernel: build ## hand arrays to and fro between ftool and a real Linux md
	@Tests/setup.sh kernel
	FTOOL="$$PWD/$(release)" Tests/Golden/run.sh
	FTOOL="$$PWD/$(release)" Tests/Kernel/run.sh

bench: build ## measure, beside cp, cat and peers
	@Tests/setup.sh bench
	$(SWIFT) build -c release --static-swift-stdlib --product ftool-bench
	$(SWIFT) build -c release --static-swift-stdlib --product ftool-bench-small-writes
	$(SWIFT) build -c release --static-swift-stdlib --product ftool-bench-image
	FTOOL="$$PWD/$(release)" Tests/Benchmarks/run.sh

soak: ## the long, exhaustive runs: N power cuts, every fault at every operation, and fuzzers (half an hour)
	@Tests/setup.sh build test
	$(SWIFT) build -c release --product ftool-simulator
	.build/release/ftool-simulator --exhaustive
	.build/release/ftool-simulator --states $(N) --seed $(SEED)
	FTOOL_SOAK=1 $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build-soak
	Tests/Fuzz/run.sh

install: build ## install the program, its pages and completions (PREFIX, DESTDIR)
	install -d $(bin) $(share)/man/man1 $(share)/man/man5 $(share)/man/man7 \
	  $(share)/bash-completion/completions $(share)/zsh/site-functions \
	  $(share)/fish/vendor_completions.d
	install -s -m 755 $(release) $(bin)/ftool
	for page in man/*.[1-9]; do \
	  install -m 644 "$$page" "$(share)/man/man$${page##*.}/"; \
	done
	$(release) completion bash > $(share)/bash-completion/completions/ftool
	$(release) completion zsh > $(share)/zsh/site-functions/_ftool
	$(release) completion fish > $(share)/fish/vendor_completions.d/ftool.fish

uninstall: ## remove what install installed (PREFIX, DESTDIR)
	rm -f $(bin)/ftool $(share)/man/man[1-9]/ftool.[1-9] $(share)/man/man[1-9]/ftool-*.[1-9] \
	  $(share)/bash-completion/completions/ftool $(share)/zsh/site-functions/_ftool \
	  $(share)/fish/vendor_completions.d/ftool.fish

format: ## format the sources in place
	$(SWIFT) format -i -r Sources Tests Package.swift

lint: ## formatting, imports, man pages, scripts
	@Tests/setup.sh build lint
	$(SWIFT) format lint --strict -r Sources Tests Package.swift
	$(SWIFT) build --explicit-target-dependency-import-check error
	Tests/lint-pages.sh
	for script in $(scripts); do bash -n "$$script"; done

clean: ## remove what was built
	rm -rf .build .build-soak .build-fuzz
