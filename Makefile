# make run    everything on this machine, with a demo network      (WATCHFLOOR_PORT, WATCHFLOOR_HOME, ARGS=--no-demo)
# make test   the whole test suite                                 (ARGS="-k name" narrows it)
# make lint   formatter, linter, types, import rules, sizes
# make bench  benchmarks as ratios of this machine's own limits; writes bench/results.json   (PEERS=1: others too)
# make map    docs/map.md again from the tree
# make lock   the requirements*.txt again from the requirements*.in

SHELL := /bin/sh
VENV := .venv
PYTHON ?= python3
export PYTHON
export WATCHFLOOR_DEMO ?= 1

.PHONY: run test lint bench lock map clean
.DEFAULT_GOAL := run

run: $(VENV)/.run
	@exec $(VENV)/bin/python -m app up --with-parent $(ARGS)

# Each process has servers of its own. Files stay whole and in order.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: $(VENV)/.dev
	@deploy/test_tools.sh
	@unset WATCHFLOOR_DEMO; exec $(VENV)/bin/python -m pytest -q $(if $(WATCHFLOOR_TEST_DATABASE_URL),,$(SIDE_BY_SIDE)) $(ARGS)

lint: $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/contracts/test_size.py tests/contracts/test_sources.py

bench: $(VENV)/.dev
	@unset WATCHFLOOR_DEMO; exec $(VENV)/bin/python -m bench.run $(if $(PEERS),--peers) $(ARGS)

# For every Python from 3.11 on, whichever makes the lock: 3.11.2 needs what 3.11.7 does not.
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
lock: $(VENV)/.dev
	$(LOCK) requirements-install.in -o requirements-install.txt
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

map: $(VENV)/.dev
	$(VENV)/bin/python tests/contracts/test_map.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The larger set includes the smaller one.
$(VENV)/.run: requirements.txt requirements-install.txt
	@[ $(VENV)/.dev -nt requirements.txt ] || deploy/bootstrap.sh requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements-install.txt
	@deploy/bootstrap.sh requirements-dev.txt
	@touch $@
