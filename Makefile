# Few words for what everybody does. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check check-terraform package-aws deploy-aws package-azure test-tools prerequisites

DIR ?= .local
ARCH ?= x86_64

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

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

check-terraform: target/checkov/installed ## formatting, validity, tests and checkov of terraform/ (TF_PLUGINS=…)
	@for name in $$(sed -nE 's/^(variable|output) "(.*)".*/\2/p' terraform/variables.tf terraform/outputs.tf); do \
	  grep -q "\`$$name\`" terraform/README.md || { echo "terraform/README.md lacks $$name"; exit 1; }; \
	done
	@if ! command -v terraform >/dev/null; then \
	  echo "SKIPPED: formatting, validity and tests of terraform/. They need Terraform 1.9 or newer."; \
	else \
	  set -e; \
	  terraform fmt -check -recursive terraform; \
	  for module in terraform terraform/examples/*; do \
	    if TF_DATA_DIR="$(CURDIR)/target/$$module" terraform -chdir=$$module init -backend=false -input=false \
	      $(if $(TF_PLUGINS),-plugin-dir="$(abspath $(TF_PLUGINS))") >target/terraform.log 2>&1; \
	    then TF_DATA_DIR="$(CURDIR)/target/$$module" terraform -chdir=$$module validate; \
	    else \
	      echo "SKIPPED: validity and tests of $$module. Its provider cannot be had: give a folder that holds it"; \
	      echo "with TF_PLUGINS, or see target/terraform.log:"; tail -n 3 target/terraform.log; \
	      continue; \
	    fi; \
	    case $$module in terraform) TF_DATA_DIR="$(CURDIR)/target/terraform" terraform -chdir=terraform test;; esac; \
	  done; \
	fi
	@if [ -f target/checkov/installed ]; then \
	  target/checkov/venv/bin/checkov -d terraform --framework terraform --quiet --compact --skip-download; \
	fi

# It is large (300 MB), so only this check installs it.
target/checkov/installed:
	@rm -rf target/checkov && mkdir -p target/checkov
	@if { python3 -m venv target/checkov/venv && \
	  target/checkov/venv/bin/pip install --quiet checkov==3.3.30; } >target/checkov/log 2>&1; \
	then touch $@; \
	else \
	  echo "SKIPPED: checkov. It needs python3 (3.11 or newer) with venv and pip, and a package registry; this is what"; \
	  echo "went wrong (all of it is in target/checkov/log):"; \
	  tail -n 3 target/checkov/log; \
	fi

package-aws: prerequisites ## build and pack the Lambda functions (ARCH=x86_64 or arm64)
	@command -v python3 >/dev/null || { echo "the package is made with python3: install it"; exit 1; }
	@python3 infra/package.py aws "$(ARCH)"

# What Terraform is asked beside the package: -var alarm_email=you@example.com, -auto-approve, ...
TF_ARGS ?=

deploy-aws: package-aws ## pack, terraform apply, put the credentials in (ARCH, TF_ARGS)
	terraform -chdir=terraform init -input=false
	terraform -chdir=terraform apply -var architecture=$(ARCH) \
	  -var package="$(CURDIR)/target/package/bootstrap-$(ARCH).zip" $(TF_ARGS)
	set -- $$(terraform -chdir=terraform output -raw next_command) && shift && \
	  cargo run --locked --quiet --bin scim-bridge -- "$$@"
	@echo "Give this to the provider, with the token:"
	@terraform -chdir=terraform output -raw tenant_url && echo

# What the package for Azure can do beside Azure: aws, so that state or secrets may stay there.
WITH ?=

package-azure: prerequisites ## build and pack the functions app (WITH=aws: may keep state or secrets on AWS)
	@command -v python3 >/dev/null || { echo "the package is made with python3: install it"; exit 1; }
	@python3 infra/package.py azure $(WITH)

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
