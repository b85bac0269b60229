# Needs Python 3.11 or newer and make, nothing else. Every package is pinned by hash in .ci/.
# Pass options on with ARGS: make test ARGS="-k noise -x"

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test lint format types layers check sim faults bench vectors coverage fuzz \
    fuzz-short audit model clean

BIN := .venv/bin
LOCK := .ci/requirements-dev.txt
BENCH_LOCK := .ci/requirements-bench.txt
# Wheels only: building a package would fetch build tools that no hash covers. Errors are still shown.
PIP_INSTALL := $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check
INSTALL_LOCKED := $(PIP_INSTALL) --only-binary :all: --require-hashes
PYTHON ?=

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: .venv/.installed ## Make .venv with the locked requirements and hotline in it
	@echo "Ready: .venv/bin/hotline (try: make demo)"

demo: .venv/.installed ## Run two stations side by side and show one line between them
	@$(BIN)/python tests/demo.py $(ARGS)

test: .venv/.installed ## Run all tests
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/.installed ## Check style, formatting and common mistakes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: .venv/.installed ## Rewrite the sources in the one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: .venv/.installed ## Check types, strictly
	@$(BIN)/mypy

layers: .venv/.installed ## Check that imports point one way
	@$(BIN)/lint-imports --no-logo

# What a stranger's or a hostile peer's bytes pass through: no branch of it without a test beside it.
COVERED := tests/attacks tests/identity tests/line tests/noise tests/wire

coverage: .venv/.installed ## Run the tests of noise, wire, identity and line; list branches that none runs
	@$(BIN)/coverage run -m pytest $(COVERED) $(ARGS)
	@$(BIN)/coverage report

check: lint types layers test coverage ## Everything above: what .ci/run runs

sim: .venv/.installed ## Run lines in simulated worlds: SEED=n for one, SEEDS=n for many
	@PYTHONPATH=tests $(BIN)/python tests/sim/main.py \
	    $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

faults: .venv/.installed ## Make real faults on real daemons (needs root; names what is missing)
	@$(BIN)/python tests/faults/main.py $(ARGS)

bench: .venv/.bench ## Measure the line beside what disk and mathematics cost: --quick, --json FILE
	@$(BIN)/python tests/bench/main.py $(ARGS)

vectors: .venv/.installed ## Make the vectors of docs/protocol.md anew, into tests/vectors/
	@PYTHONPATH=tests $(BIN)/python tests/support/vectors/make.py

fuzz: .venv/.fuzz ## Fuzz every decoder of bytes from outside, 10 minutes each: ARGS="entry --seconds 60"
	@$(BIN)/python tests/fuzz/main.py $(ARGS)

fuzz-short: .venv/.fuzz ## Fuzz each of them for a minute
	@$(BIN)/python tests/fuzz/main.py --seconds 60 $(ARGS)

audit: .venv/.audit ## Look the locked packages up among known vulnerabilities
	@.ci/audit $(BIN)/pip-audit

model: ## Search every state of the model of delivery (needs spin and a C compiler)
	@docs/model/check $(ARGS)

clean: ## Remove .venv, caches and build artefacts (never keys/ or state/)
	@rm -rf .venv .fuzz build dist *.egg-info
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .coverage
	@find hotline tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Two steps, so that an edit of pyproject.toml does not install every package again.
.venv/.locked: $(LOCK)
	@python=$$(PYTHON="$(PYTHON)" .ci/find-python) && \
	echo "Making .venv with $$("$$python" --version)" && \
	"$$python" -m venv --clear .venv
	@echo "Installing the locked requirements"
	@$(INSTALL_LOCKED) -r $(LOCK) || { \
	    echo "hint: pip says why above; if a hash does not match, do not go on" >&2; \
	    exit 1; }
	@touch $@

# Few need these, and they are large: they are put beside the rest when they are asked for.
.venv/.audit .venv/.fuzz: .venv/.%: .ci/requirements-%.txt .venv/.installed
	@echo "Installing what make $* needs"
	@$(INSTALL_LOCKED) -r $<
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@echo "Installing hotline, editable"
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# What the plots need, and nothing else does.
.venv/.bench: .venv/.installed $(BENCH_LOCK)
	@$(INSTALL_LOCKED) -r $(BENCH_LOCK)
	@touch $@
