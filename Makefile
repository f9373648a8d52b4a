# make up | down | test | check | bench        (README.md says more)
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := shared/contracts shared/foundation shared/node shared/simulated_bank services/membership services/assistance services/rights services/training
NODE := $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')

.PHONY: help up down test test-kafka check check-locks lock bench asyncapi errors
help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

up: $(VENV)/.runtime  ## a node in the background, ready, with Tai'an's tree [DATA_DIR=…] [BASE_PORT=…]
	@$(BIN)/tongxin up --detach --sample $(NODE) $(if $(BASE_PORT),--base-port $(BASE_PORT))

down: $(VENV)/.runtime  ## stop it; nothing is lost
	@$(BIN)/tongxin down $(NODE)

test: $(VENV)/.dev  ## every test that needs no Java [BACKEND=docker: PostgreSQL and Kafka from testcontainers] [EXPLORE=1: new examples] [ARGS=…]
	@TONGXIN_TEST_BACKEND=$(or $(BACKEND),embedded) TONGXIN_EXPLORE=$(EXPLORE) $(BIN)/pytest $(ARGS)

# What speaks to a broker. `make test` runs it on the embedded one.
KAFKA_SUITE := $(addprefix shared/foundation/tests/,contract/test_broker.py integration/test_broker_loss.py) \
  $(addprefix tests/chaos/,test_faults.py test_lost_tail.py)

test-kafka: $(VENV)/.dev  ## the broker suites again, against Apache Kafka (Java 17 and Maven)
	@if ! command -v mvn >/dev/null || ! java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'; then \
	  echo "test-kafka: not run, it needs Java 17 or newer and Maven"; exit 0; fi; \
	mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies; \
	TONGXIN_TEST_BROKER=apache $(BIN)/pytest $(KAFKA_SUITE) $(ARGS)

check: $(VENV)/.dev check-locks  ## style, types, architecture, locks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

asyncapi: $(VENV)/.runtime  ## write docs/asyncapi.json from the contracts
	@$(BIN)/python -m contracts.asyncapi > docs/asyncapi.json.new
	@mv docs/asyncapi.json.new docs/asyncapi.json

errors: $(VENV)/.dev  ## write docs/errors.md, the table of problem types, from the sources and their catalogues
	@$(BIN)/python -m tests.architecture.refusals > docs/errors.md.new
	@mv docs/errors.md.new docs/errors.md

bench: $(VENV)/.dev  ## every figure a ratio within one run; docs/performance.md
	$(BIN)/python -m benchmarks

# Locks: exact versions and hashes, without the address of any index. uv itself comes by pip from a lock of its own.
COMPILE := $(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
  $(foreach member,$(MEMBERS),--no-emit-package tongxin-$(subst _,-,$(notdir $(member))))
FROM_bootstrap := --group bootstrap
FROM_runtime := pyproject.toml --group bootstrap --group build
FROM_dev := pyproject.toml --group bootstrap --group build --group dev --group bench --constraints requirements.lock
requirements_bootstrap := requirements-bootstrap.lock
requirements_runtime := requirements.lock
requirements_dev := requirements-dev.lock

lock: $(VENV)/.uv  ## write the locks anew; versions that still fit stay [UPGRADE=1: take the newest]
	@$(foreach kind,runtime dev bootstrap,$(COMPILE) $(FROM_$(kind)) $(if $(UPGRADE),--upgrade) --generate-hashes -o $(requirements_$(kind)); )

check-locks: $(VENV)/.uv
	@for kind in '$(requirements_runtime) $(FROM_runtime)' '$(requirements_dev) $(FROM_dev)' '$(requirements_bootstrap) $(FROM_bootstrap)'; do \
	  set -- $$kind; lock=$$1; shift; fresh=$$(mktemp); cp $$lock $$fresh; $(COMPILE) "$$@" -o $$fresh; \
	  diff <(grep == $$lock | sed 's/ \\$$//') <(grep == $$fresh) || { echo "$$lock is not what pyproject.toml asks for: make lock"; rm $$fresh; exit 1; }; \
	  rm $$fresh; done

# Environments: made by Python's own venv, filled by uv from the locks; each stamp is remade when what it came from changes.
$(VENV)/.uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit("Tongxin needs Python 3.11 or newer; name it with PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
PROJECTS := $(foreach member,$(MEMBERS),$(member)/pyproject.toml)

$(VENV)/.runtime: $(VENV)/.uv requirements.lock $(PROJECTS)
	@echo "installing"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation $(foreach member,$(MEMBERS),-e $(member))
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "installing the tools for tests"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
