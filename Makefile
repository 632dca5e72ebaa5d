# Headwater from a fresh checkout: only Python 3.11 with venv, and make, must be there already.
# Everything else lands in .venv, from locks with hashes. ARGS go to the command behind a target:
#   make serve ARGS="--port 9000"        make test ARGS="tests/uploads -n 0"

BASE_PYTHON := $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate
WEB_SOURCES := $(shell find web src/headwater/faces/web -type f \
	-not -path '*/built/*' -not -path '*/node_modules/*' -not -name '*.py*' 2>/dev/null)
CHECKED := src tests tools benchmarks
export PATH := $(PATH):/usr/sbin:/sbin  # Debian keeps nginx there

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve fleet test check format bench drills lock clean

help: ## say what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 12

serve: $(STAMPS)/serve $(STAMPS)/web ## prepare what is missing, then serve on http://127.0.0.1:8000
	@exec $(BIN)/headwater serve $(ARGS)

fleet: $(STAMPS)/fleet ## install the drivers of PostgreSQL, Redis, RabbitMQ and S3 beside the server
	@echo "installed; docs/grow.md says when each is needed and how it is set"

test: $(STAMPS)/test $(STAMPS)/web ## run every test and print the coverage
	@sh tools/test_programs.sh
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal --cov --cov-report=term $(ARGS) </dev/null

check: $(STAMPS)/test ## lint, formatting, types and import contracts
	@$(BIN)/ruff check $(wildcard $(CHECKED))
	@$(BIN)/ruff format --check $(wildcard $(CHECKED))
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMPS)/test ## mend what ruff can mend
	@$(BIN)/ruff check --fix --exit-zero $(wildcard $(CHECKED))
	@$(BIN)/ruff format $(wildcard $(CHECKED))

bench: $(STAMPS)/test $(STAMPS)/web ## measure time to playable, codec cost, delivery; ratios beside anchors
	@sh tools/test_programs.sh
	@$(BIN)/python -m benchmarks $(ARGS)

drills: $(STAMPS)/test $(STAMPS)/web ## the long faults: kills at every moment, full disks, hostile files
	@sh tools/test_programs.sh
	@HEADWATER_DRILLS=1 $(BIN)/python -m pytest -q -o faulthandler_timeout=3600 tests/drills tests/hostile $(ARGS) </dev/null

lock: $(STAMPS)/test ## resolve the locks anew from pyproject.toml
	@$(LOCK) --group build --output-file requirements.txt >/dev/null
	@$(LOCK) --extra fleet --constraint requirements.txt --output-file requirements-fleet.txt >/dev/null
	@$(LOCK) --extra fleet --group dev --constraint requirements-fleet.txt --output-file requirements-dev.txt >/dev/null

clean: ## forget the environment and what was built (never the data)
	@rm -rf $(VENV) src/headwater/faces/web/static/built

$(STAMPS)/venv:
	@test -n "$(BASE_PYTHON)" || { echo "Python 3.11 or newer is missing: apt install python3 python3-venv"; exit 1; }
	@$(BASE_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(BASE_PYTHON) -m venv $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/serve: requirements.txt pyproject.toml | $(STAMPS)/venv
	@echo "installing what the server needs (once, about a minute)"
	@$(PIP) install --require-hashes --requirement requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/fleet: requirements-fleet.txt $(STAMPS)/serve
	@echo "installing the drivers of a fleet's engines (once)"
	@$(PIP) install --require-hashes --requirement requirements-fleet.txt
	@touch $@

$(STAMPS)/test: requirements-dev.txt $(STAMPS)/serve
	@echo "installing what tests and checks need (once)"
	@$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

$(STAMPS)/web: $(wildcard tools/build_web.py) $(WEB_SOURCES) $(STAMPS)/serve
	@if [ -f tools/build_web.py ]; then $(BIN)/python tools/build_web.py; fi
	@touch $@
