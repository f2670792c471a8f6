# WMS: `make demo` shows one job from submission to output, `make test` proves everything.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CE     ?= local

.PHONY: demo test check bench install dev packages docs clean

demo: install
	$(BIN)/wms demo --dir .wms

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(VENV)/.installed $@

packages:
	sh tests/testbed/packages.sh

test: dev packages
	$(BIN)/python -m pytest

check: dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/core tests/daemons tests/suite

bench: dev
	$(BIN)/python -m bench

docs: dev
	$(BIN)/python -m docs

clean:
	rm -rf .venv .wms build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache
