# Few words for what everybody does. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check prerequisites

DIR ?= .local

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: prerequisites ## build and run a demo account and a bridge on this machine (DIR=.local)
	cargo run --locked -- dev --dir "$(DIR)"

test: prerequisites ## run all tests
	cargo test --locked

check: prerequisites ## formatting, lints, tests
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --features aws -- -D warnings
	cargo clippy --locked --no-default-features --features azure -- -D warnings
	cargo test --locked

prerequisites:
	@command -v cargo >/dev/null || { \
	  echo "scim-bridge needs Rust 1.90 or newer: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "scim-bridge needs a C compiler (cc): install build-essential, gcc or clang"; exit 1; }
