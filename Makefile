# `make run` needs python3 with pip, and nothing else. Every path is relative and nothing calls a
# script of the virtual environment, so the checkout may lie anywhere, spaces included.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:

PYTHON ?= python3
PORT ?= 8000
BIND ?= 127.0.0.1:$(PORT)
WORKERS ?= 2
DEMO ?= 1
UV_VERSION := 0.13.8

UV := .tools/bin/uv
PY := .venv/bin/python
MANAGE := $(PY) manage.py
# The interpreter that is there is used, and none is downloaded.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# Where the machine says whom to trust (behind a company's proxy, say), uv listens.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS := 1
endif

.PHONY: help run stop test lint types bench soak promises docs lock

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 18

run: .venv/.runtime .env  ## Start everything on http://127.0.0.1:8000 (PORT=…, DEMO=0 for an empty desk)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) createcachetable --verbosity 0
	@$(MANAGE) schedules
	@$(MANAGE) presets
	@$(MANAGE) first_admin
ifneq ($(DEMO),0)
	@$(MANAGE) load_demo --if-new
endif
	@exec $(MANAGE) up $(BIND)

# Links, those of opting out among them, lead to the port taken, unless .env says where the desk is.
ifneq ($(PORT),8000)
ifeq ($(shell grep -s '^PUBLIC_URL=' $(or $(ENV_FILE),.env)),)
run: export PUBLIC_URL ?= http://127.0.0.1:$(PORT)
endif
endif

stop: .venv/.runtime .env  ## Stop web, workers and the embedded database
	@$(MANAGE) down

test: lint .tools/browser .tools/imap  ## Run every check and every test
	@$(PY) -m pytest -n $(WORKERS)

soak: .venv/.dev  ## Run the fault tests at full size
	@OVERTURE_SOAK=1 $(PY) -m pytest -n $(WORKERS) --dist worksteal -m fault

bench: .venv/.dev  ## Measure
	@$(PY) -m bench

promises: .venv/.dev  ## List what is promised, and the tests that prove it
	@$(PY) -m tests.promises

docs: .venv/.dev  ## Write the tables of docs/ that come from the code
	@$(PY) -m tests.documents

lint: .venv/.dev  ## Style, types, floors, migrations
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet .
	@report="$$($(LINT_IMPORTS))" || { echo "$$report"; exit 1; }
	@$(MANAGE) makemigrations --check --dry-run

types: .venv/.dev  ## Check the types
	@$(PY) -m mypy .

# Whatever looks at the code needs settings, and none of a desk's own.
lint types docs: export ENV_FILE := tests/config/test.env
lint types docs: export EMBEDDED_PG_DIR ?= var/pgdata-test

lock: $(UV)  ## Resolve the dependencies anew into the two lock files
	@$(UV) pip compile $(LOCK) pyproject.toml --output-file requirements.txt
	@$(UV) pip compile $(LOCK) pyproject.toml --group dev --constraints requirements.txt --output-file requirements-dev.txt

# Its own command is a script of the virtual environment.
LINT_IMPORTS := $(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# Tools and dependencies. A stamp is older than its lock file exactly when something changed, so a
# second run asks nobody and works without a network.

.env:
	@$(PYTHON) -m config.first_run

# --target needs neither a virtual environment nor ensurepip, and no distribution refuses it.
$(UV):
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action ignore --target .tools uv==$(UV_VERSION)
	@touch $(UV)

$(PY): | $(UV)
	@$(UV) venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" .venv

.venv/.runtime: requirements.txt | $(PY)
	@test -e .venv/.dev || $(UV) pip sync --quiet --python $(PY) --require-hashes requirements.txt
	@touch $@

# The browser tests want Chromium; without it they are skipped. Asked for once.
.tools/browser: | $(UV)
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& echo "Installing Chromium for the browser tests." \
		&& apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium >/dev/null; } \
		|| echo "No Chromium, so the browser tests are skipped: install it (Debian: apt-get install chromium)."
	@touch $@

# Reading mailboxes is tested against dovecot; without it those tests are skipped. Asked for once.
.tools/imap: | $(UV)
	@command -v dovecot >/dev/null || test -x /usr/sbin/dovecot || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& echo "Installing dovecot for the tests of mailboxes." \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq --yes --no-install-recommends dovecot-imapd >/dev/null; } \
		|| echo "No dovecot, so the tests of mailboxes are skipped: install it (Debian: apt-get install dovecot-imapd)."
	@touch $@

.venv/.dev: requirements-dev.txt | $(PY)
	@$(UV) pip sync --quiet --python $(PY) --require-hashes requirements-dev.txt
	@touch $@
