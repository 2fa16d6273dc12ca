# `make claims` and `make test` do all set-up themselves on a machine with Python 3.11 or newer.
# Settings: SCALE=smoke|reduced|full, ARGS="…" for pytest, PYTHON=python3.12, WORKERS=4.

PYTHON  ?= python3
SCALE   ?= reduced
WORKERS ?= auto
ARGS    ?=
BIN     := .venv/bin

.PHONY: claims test check docs clean
.DEFAULT_GOAL := claims

claims: .venv/ready  ## train what is missing, judge every claim, write reports/claims.html
	$(BIN)/python -m pytest claims/ -n $(WORKERS) --claims-scale $(SCALE) $(ARGS)

test: check  ## lint, types and the tests of the harness itself
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/ -n $(WORKERS) -q $(ARGS)

check: .venv/ready  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

docs: .venv/ready  ## the site, docs/_build/index.html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

clean:  ## remove the environment, the store of trained models and the reports; the history of verdicts stays
	rm -rf .venv .harness docs/_build docs/generated reports/claims.* reports/badge.svg reports/diff.html

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "the harness needs Python 3.11 or newer; this is " + sys.version.split()[0] + " (choose another with make PYTHON=python3.12)")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@
