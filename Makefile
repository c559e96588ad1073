# make demo   replay a real help desk log, make people with roles, prove the ledger, serve the site (SERVE=0: do not; PORT=8000)
# make test   everything: ruff, mypy, the tests on every database that answers
# make worker work in the background with Celery (SAMPLE_BROKER=redis://... or amqp://...); without it a thread does
# make bench  measure fire() beside its peers, write docs/benchmarks.md
# make docs   build the documentation into site/
# make clean  remove what these made
#
# Needs Python 3.11 or newer, make and git. PYTHON=python3.13 chooses another interpreter.

PYTHON ?= python3
PORT ?= 8000
SERVE ?= 1
# Who works in the background of the site that is served: thread, celery (then make worker), command.
DISPATCH ?= thread

VENV := .venv
BIN := $(VENV)/bin
# The environment is made again where what it is made of has changed.
HASH := $(shell cat setup.cfg pyproject.toml | cksum | cut -d ' ' -f 1)
DEMO_READY := $(VENV)/.demo-$(HASH)
TEST_READY := $(VENV)/.test-$(HASH)
BENCH_READY := $(VENV)/.bench-$(HASH)

.PHONY: help demo test worker bench docs clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11. Name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Creating the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module does not work here (Debian: apt-get install python3-venv)." >&2; exit 1; }

$(DEMO_READY): $(BIN)/python
	@echo "Installing fsm_lifecycle and what it needs ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[api,mcp]' tqdm
	@rm -f $(VENV)/.demo-* && touch $@

$(TEST_READY): $(BIN)/python
	@echo "Installing fsm_lifecycle and what its tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@rm -f $(VENV)/.test-* && touch $@

$(BENCH_READY): $(BIN)/python
	@echo "Installing fsm_lifecycle and the packages it is measured beside ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@rm -f $(VENV)/.bench-* && touch $@

# Sealing is shown here as a command of its own; the site that is served works in the background by itself.
demo: export SAMPLE_DISPATCH := command
demo: $(DEMO_READY)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py load_helpdesk
	@test -f ledger.key || $(BIN)/python manage.py lifecycle_key new --path ledger.key >/dev/null
	@$(BIN)/python manage.py lifecycle_seal --once
	@$(BIN)/python manage.py lifecycle_verify --deep
	@$(BIN)/python manage.py demo_tamper
	@$(BIN)/python manage.py demo_users
	@$(BIN)/python manage.py lifecycle_seal --once >/dev/null
ifneq ($(SERVE),0)
	@echo "Serving on http://127.0.0.1:$(PORT)/  (Ctrl-C stops)"
	@SAMPLE_DISPATCH=$(DISPATCH) $(BIN)/python manage.py runserver --noreload 127.0.0.1:$(PORT)
endif

test: $(TEST_READY)
	@$(BIN)/python -m tests.everything

# As the lines of a Procfile: one worker with the beat inside. In production the beat is a process of its own.
worker: $(DEMO_READY)
	@$(BIN)/python -c 'import redis' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'celery[redis]'
	@SAMPLE_DISPATCH=celery $(BIN)/celery -A sample_project worker --beat --schedule .celery-beat --loglevel INFO

bench: $(BENCH_READY)
	@$(BIN)/python -m benchmarks --write docs/benchmarks.md

docs: $(TEST_READY)
	@$(BIN)/python -m mkdocs build --strict
	@echo "Built: site/index.html"

clean:
	rm -rf $(VENV) .tox site build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f *.sqlite3 *.sqlite3-wal *.sqlite3-shm ledger.key ledger.key.pub
	rm -rf checkpoints .celery-beat*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
