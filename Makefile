# The same targets by hand and in CI. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
CHAOS_SEEDS ?= 1 2 3 4
CHAOS_SECONDS ?= 150
INSTALLED := .venv/.installed

.PHONY: help demo up test check lint types imports bench chaos clean
help:            ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(INSTALLED)

demo: $(INSTALLED)   ## run one goal and watch it, on a temporary system
	$(BIN)/async-agent demo

up: $(INSTALLED)     ## run NATS and the five services until Ctrl-C
	$(BIN)/async-agent up

test: $(INSTALLED)   ## run the test suite, a few minutes
	$(BIN)/pytest -m "not chaos" --numprocesses 3 --dist worksteal

check: lint types imports   ## check style, types and imports, as CI does

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## measure this machine and print a table
	$(BIN)/async-agent bench

chaos: $(INSTALLED)  ## kill, stop and stall real processes, then check the whole log
	CHAOS_SEEDS="$(CHAOS_SEEDS)" CHAOS_SECONDS=$(CHAOS_SECONDS) $(BIN)/pytest -m chaos tests/chaos

clean:               ## remove what the targets above created
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
