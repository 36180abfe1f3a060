# Few words for what everybody does. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check test-tools prerequisites

DIR ?= .local

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: prerequisites ## build and run a demo account and a bridge on this machine (DIR=.local)
	cargo run --locked -- dev --dir "$(DIR)"

test: prerequisites test-tools ## run all tests
	cargo test --locked

check: prerequisites test-tools ## formatting, lints, tests
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --features aws -- -D warnings
	cargo clippy --locked --no-default-features --features azure -- -D warnings
	cargo test --locked

test-tools: target/tools/installed ## install what tests need beside Rust, into target/tools

# A machine without Python or a package registry still runs all other tests.
target/tools/installed: tests/support/requirements.txt
	@rm -rf target/tools && mkdir -p target/tools
	@if { python3 -m venv target/tools/venv && \
	  target/tools/venv/bin/pip install --quiet -r $<; } >target/tools/log 2>&1; \
	then cp $< $@; \
	else \
	  echo "SKIPPED: the tests against AWS's stand-in and by scim2-tester. They need python3 (3.11 or"; \
	  echo "newer) with venv and pip, and a package registry; this is what went wrong (all of it is in target/tools/log):"; \
	  tail -n 3 target/tools/log; \
	fi

prerequisites:
	@command -v cargo >/dev/null || { \
	  echo "scim-bridge needs Rust 1.94.1 or newer: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "scim-bridge needs a C compiler (cc): install build-essential, gcc or clang"; exit 1; }
