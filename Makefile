# Few words for what everybody does. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help run test check check-dependencies check-terraform check-bicep package-aws deploy-aws package-azure can-deploy-azure \
  deploy-azure test-tools bench bench-peers bench-soak bench-bridge bench-cold bench-micro bench-guard \
  prerequisites

DIR ?= .local
ARCH ?= x86_64
# 1Password's command line, to be packed for the connector that runs it, and what its SHA-256 has to be.
OP ?=
OP_SHA256 ?=
WITH_OP = $(if $(OP),--op "$(OP)") $(if $(OP_SHA256),--op-sha256 "$(OP_SHA256)")

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

run: prerequisites ## build and run a demo account and a bridge on this machine (DIR=.local)
	cargo run --locked -- dev --dir "$(DIR)"

# Many tests wait for processes: more of them than processors run at the same time.
test: prerequisites test-tools ## run all tests
	RUST_TEST_THREADS=4 cargo test --locked

check: prerequisites test-tools ## formatting, lints, tests
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --features aws -- -D warnings
	cargo clippy --locked --no-default-features --features azure -- -D warnings
	RUST_TEST_THREADS=4 cargo test --locked

# RustSec's database of advisories is on GitHub; the other three need no network.
check-dependencies: target/cargo-deny/installed ## licences, sources, bans and known weaknesses of all crates (deny.toml)
	@if [ -f target/cargo-deny/installed ]; then \
	  set -e; \
	  target/cargo-deny/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans sources; \
	  if target/cargo-deny/bin/cargo-deny fetch db >target/cargo-deny/log 2>&1; \
	  then target/cargo-deny/bin/cargo-deny --locked --offline check advisories; \
	  else \
	    echo "SKIPPED: known weaknesses. Their database cannot be fetched (all of it is in target/cargo-deny/log):"; \
	    tail -n 2 target/cargo-deny/log; \
	  fi; \
	fi

target/cargo-deny/installed:
	@rm -rf target/cargo-deny && mkdir -p target/cargo-deny
	@if cargo install --quiet --locked --root target/cargo-deny --target-dir target/cargo-deny/build cargo-deny@0.20.2 \
	  >target/cargo-deny/log 2>&1; \
	then rm -rf target/cargo-deny/build && touch $@; \
	else \
	  echo "SKIPPED: what cargo-deny checks. It needs a package registry; this is what went wrong (all of it is in"; \
	  echo "target/cargo-deny/log):"; \
	  tail -n 3 target/cargo-deny/log; \
	fi

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

# Bicep's compiler is in no package registry, so types are not checked here; `az` compiles at the deployment.
# checkov does not know sealed types and so cannot read main.bicep, where no resource is that it looks at.
check-bicep: target/bicep/installed target/checkov/installed ## syntax of infra/azure/, its table in docs/azure.md, checkov
	@for name in $$(sed -nE 's/^(param|output) ([A-Za-z]+).*/\2/p' infra/azure/main.bicep); do \
	  grep -q "\`$$name\`" docs/azure.md || { echo "docs/azure.md lacks $$name"; exit 1; }; \
	done
	@for name in $$(sed -nE 's/^param ([A-Za-z]+) =.*/\1/p' infra/azure/main.bicepparam); do \
	  grep -q "^param $$name " infra/azure/main.bicep || { echo "infra/azure/main.bicep has no $$name"; exit 1; }; \
	done
	@if [ -f target/bicep/installed ]; then \
	  target/bicep/venv/bin/python infra/azure/syntax.py infra/azure/*.bicep; \
	fi
	@if [ -f target/checkov/installed ]; then \
	  target/checkov/venv/bin/checkov -d infra/azure --framework bicep --quiet --compact --skip-download; \
	  echo "(the parsing error is main.bicep: checkov does not know sealed types)"; \
	fi

target/bicep/installed:
	@rm -rf target/bicep && mkdir -p target/bicep
	@if { python3 -m venv target/bicep/venv && \
	  target/bicep/venv/bin/pip install --quiet tree-sitter==0.26.1 tree-sitter-bicep==1.1.0; } >target/bicep/log 2>&1; \
	then touch $@; \
	else \
	  echo "SKIPPED: the syntax of infra/azure/. It needs python3 with venv and pip, and a package registry; this is"; \
	  echo "what went wrong (all of it is in target/bicep/log):"; \
	  tail -n 3 target/bicep/log; \
	fi

# It is large (300 MB), so only these checks install it.
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

package-aws: prerequisites ## build and pack the Lambda functions (ARCH=x86_64 or arm64, OP, OP_SHA256)
	@command -v python3 >/dev/null || { echo "the package is made with python3: install it"; exit 1; }
	@python3 infra/package.py aws "$(ARCH)" $(WITH_OP)

# What Terraform is asked beside the package: -var alarm_email=you@example.com, -auto-approve, ...
TF_ARGS ?=

deploy-aws: package-aws ## pack, terraform apply, put the credentials in (ARCH, OP, OP_SHA256, TF_ARGS)
	terraform -chdir=terraform init -input=false
	terraform -chdir=terraform apply -var architecture=$(ARCH) \
	  -var package="$(CURDIR)/target/package/bootstrap-$(ARCH).zip" $(if $(OP),-var connector=op) $(TF_ARGS)
	@echo "Give this to the provider, with the token:"
	@terraform -chdir=terraform output -raw tenant_url && echo
	set -- $$(terraform -chdir=terraform output -raw next_command) && shift && \
	  cargo run --locked --quiet --bin scim-bridge -- "$$@" --unless-there

# What the package for Azure can do beside Azure: aws, so that state or secrets may stay there.
WITH ?=

package-azure: prerequisites ## build and pack the functions app (WITH=aws: may keep state or secrets on AWS; OP, OP_SHA256)
	@command -v python3 >/dev/null || { echo "the package is made with python3: install it"; exit 1; }
	@python3 infra/package.py azure $(WITH) $(WITH_OP)

RESOURCE_GROUP ?=
PARAMETERS ?= infra/azure/main.bicepparam
# What the deployment is asked beside its parameter file: --parameters alarmEmail=you@example.com, --confirm-with-what-if, ...
AZ_ARGS ?=

can-deploy-azure:
	@command -v az >/dev/null || { echo "install the Azure command line: https://aka.ms/azure-cli"; exit 1; }
	@test -n "$(RESOURCE_GROUP)" || { echo "say where to: RESOURCE_GROUP=…, made with az group create"; exit 1; }

deploy-azure: can-deploy-azure package-azure ## pack, deploy infra/azure, put program and credentials in (RESOURCE_GROUP, PARAMETERS, OP, OP_SHA256, AZ_ARGS)
	@set -eu; \
	location=$$(az group show --name "$(RESOURCE_GROUP)" --query location --output tsv); \
	RUNTIME_VERSION=$$(az functionapp list-flexconsumption-runtimes --location "$$location" --runtime custom \
	  --query "[0].sku.functionAppConfigProperties.runtime.version" --output tsv); \
	test -n "$$RUNTIME_VERSION" || { echo "$$location lists no runtime for custom handlers: take another region"; exit 1; }; \
	OPERATOR_ID=$${OPERATOR_ID-$$(az ad signed-in-user show --query id --output tsv)}; \
	export RUNTIME_VERSION OPERATOR_ID; \
	echo "deploying, with runtime custom $$RUNTIME_VERSION"; \
	az deployment group create --resource-group "$(RESOURCE_GROUP)" --name scim-bridge --parameters "$(PARAMETERS)" \
	  --output none $(if $(OP),--parameters connector=op) $(AZ_ARGS); \
	said() { az deployment group show --resource-group "$(RESOURCE_GROUP)" --name scim-bridge \
	  --query "properties.outputs.$$1.value" --output tsv; }; \
	az functionapp deployment source config-zip --resource-group "$(RESOURCE_GROUP)" --name "$$(said functionAppName)" \
	  --src target/package/azure-x86_64.zip --output none; \
	echo "Give this to the provider, with the token:"; \
	said tenantUrl; \
	set -- $$(said nextCommand); shift; \
	cargo run --locked --quiet --bin scim-bridge -- "$$@" --unless-there

test-tools: target/tools/installed target/tools/node/installed ## install what tests need beside Rust, into target/tools

# A machine without Python, Node.js or a package registry still runs all other tests.
target/tools/installed: tests/support/requirements.txt
	@rm -rf target/tools/venv $@ && mkdir -p target/tools
	@if { python3 -m venv target/tools/venv && \
	  target/tools/venv/bin/pip install --quiet -r $<; } >target/tools/log 2>&1; \
	then cp $< $@; \
	else \
	  echo "SKIPPED: the tests against AWS's stand-in and by scim2-tester. They need python3 (3.11 or"; \
	  echo "newer) with venv and pip, and a package registry; this is what went wrong (all of it is in target/tools/log):"; \
	  tail -n 3 target/tools/log; \
	fi

target/tools/node/installed: tests/support/package.json
	@rm -rf target/tools/node && mkdir -p target/tools/node && cp $< target/tools/node/package.json
	@if npm install --prefix target/tools/node --no-package-lock --no-audit --no-fund --ignore-scripts \
	  --omit=dev --fetch-retries=1 --fetch-retry-mintimeout=1000 >target/tools/node/log 2>&1; \
	then cp $< $@; \
	else \
	  echo "SKIPPED: the tests against Azure's Table Storage and of the status page. They need node (20 or newer)"; \
	  echo "with npm, and a package registry; this is what went wrong (all of it is in target/tools/node/log):"; \
	  tail -n 3 target/tools/node/log; \
	fi

# What measures is built with as few of the library's features as it needs.
BENCH = cargo bench --locked --no-default-features
MIX = SCIM_BRIDGE=$(CURDIR)/target/release/scim-bridge $(BENCH) --features serve --bench mix --
# Seconds of the soak.
SECONDS ?= 600

bench: bench-bridge ## measure the provider mix, and growth: 5 minutes, 4 more to make the accounts (QUICK=1: 1 minute)
	$(MIX) mix

bench-peers: bench-bridge ## the same mix on other SCIM servers, installed from PyPI and npm: 6 minutes
	@$(call install-peer,target/bench/peers/venv,python3 -m venv target/bench/peers/venv && \
	  target/bench/peers/venv/bin/pip install --quiet -r benches/peers/requirements.txt)
	@mkdir -p target/bench/peers/node && cp benches/peers/package.json benches/peers/server.js target/bench/peers/node
	@$(call install-peer,target/bench/peers/node/node_modules,npm install --prefix target/bench/peers/node \
	  --no-package-lock --no-audit --no-fund --ignore-scripts --fetch-retries=1 --fetch-retry-mintimeout=1000)
	$(MIX) peers target/bench/peers

# What cannot be installed is not measured: what it would have been in, and how it is installed.
install-peer = test -d $(1) || { $(2); } >target/bench/peers/log 2>&1 || { \
  rm -rf $(1); echo "SKIPPED: a SCIM server to compare with. It needs a package registry; this is what went wrong:"; \
  tail -n 3 target/bench/peers/log; }

bench-soak: bench-bridge ## 25 requests a second of the mix for 10 minutes (SECONDS=600)
	$(MIX) soak $(SECONDS)

bench-bridge: prerequisites
	@mkdir -p target/bench/peers
	cargo build --release --locked --bin scim-bridge

bench-micro: prerequisites ## measure single steps: 1 minute
	$(BENCH) --features aws --bench micro -- results

bench-guard: prerequisites ## count instructions of hot paths: 1 minute (UPDATE=1 writes benches/guard/baseline.json)
	$(BENCH) --bench guard

COLD = SCIM_BRIDGE=target/release/scim-bridge BOOTSTRAP=target/release/bootstrap HANDLER=target/release/handler \
  HELLO=target/bench/hello/release/hello

bench-cold: prerequisites ## measure cold starts of the functions: 1 minute (QUICK=1: a few seconds)
	cargo build --release --locked --bin scim-bridge
	cargo build --release --locked --no-default-features --features aws --bin bootstrap
	cargo build --release --locked --no-default-features --features azure --bin handler
	cargo build --release --locked --manifest-path benches/cold/hello/Cargo.toml --target-dir target/bench/hello
	$(COLD) $(BENCH) --bench cold

prerequisites:
	@command -v cargo >/dev/null || { \
	  echo "scim-bridge needs Rust 1.94.1 or newer: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { \
	  echo "scim-bridge needs a C compiler (cc): install build-essential, gcc or clang"; exit 1; }
