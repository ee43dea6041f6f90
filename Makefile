# The same targets by hand and in CI. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
CHAOS_SEEDS ?= 1 2 3 4
CHAOS_SECONDS ?= 150
CHAOS_REPLICAS ?= 1
FUZZ_REQUESTS ?= 10000
PACKAGES := contracts deploy executor gateway planner projector scheduler
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
AUDIT := .venv/audit/bin
# The tests start hundreds of processes, which would compile the modules each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo up test check lint types imports console bench chaos fuzz lock audit clean
help:            ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q -j 0 $(PACKAGES)
	@touch $(INSTALLED)

demo: $(INSTALLED)   ## run one goal and watch it, on a temporary system
	$(BIN)/async-agent demo

up: $(INSTALLED)     ## run NATS and the five services until Ctrl-C
	$(BIN)/async-agent up

test: $(INSTALLED)   ## run the test suite, a few minutes
	$(BIN)/pytest -m "not chaos" --numprocesses 4 --dist worksteal

check: lint types imports console   ## check style, types and imports, as CI does

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

console: $(INSTALLED)  ## check the types of the console's sources, where Node.js is installed
	gateway/console/types/check.sh $(BIN)/python

bench: $(INSTALLED)  ## measure this machine and print a table
	$(BIN)/async-agent bench

chaos: $(INSTALLED)  ## kill, stop and stall real processes, then check the whole log
	CHAOS_SEEDS="$(CHAOS_SEEDS)" CHAOS_SECONDS=$(CHAOS_SECONDS) CHAOS_REPLICAS=$(CHAOS_REPLICAS) \
	  $(BIN)/pytest -m chaos tests/chaos

lock: $(INSTALLED)   ## pin all dependencies in requirements.lock, with hashes, for all platforms
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra dev --output-file requirements.lock pyproject.toml

audit: $(INSTALLED)  ## look for known vulnerabilities of all dependencies, and write sbom.json (CycloneDX)
	$(PYTHON) -m venv .venv/audit
	$(AUDIT)/python -m pip install --quiet --disable-pip-version-check pip-audit cyclonedx-bom
	$(AUDIT)/cyclonedx-py requirements --output-file sbom.json requirements.lock
	$(AUDIT)/pip-audit --disable-pip --require-hashes --requirement requirements.lock

fuzz: $(INSTALLED)   ## try random values: 1,000 for each property, FUZZ_REQUESTS requests to the API
	$(BIN)/pytest -m hypothesis --hypothesis-profile=deep --timeout 1800 --numprocesses 2
	FUZZ_REQUESTS=$(FUZZ_REQUESTS) $(BIN)/pytest tests/services/gateway/test_schemathesis.py

clean:               ## remove what the targets above created
	rm -rf .venv gateway/console/types/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
