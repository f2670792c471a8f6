# WMS: `make demo` shows one job from submission to output, `make test` proves everything.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test check core bench soak install dev packages docs clean

# One job on this machine; CE=slurm: on a real Slurm cluster that is installed and started for it (root)
demo: install
ifeq ($(CE),slurm)
	sh tests/testbed/packages.sh slurm
	PYTHON=$(BIN)/python sh tests/testbed/demo-slurm.sh .wms-slurm
else
	$(BIN)/wms demo --dir .wms
endif

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -e .
	@touch $@

$(VENV)/.dev: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -e '.[dev]'
	@touch $(VENV)/.installed $@

# Debian packages of the real components that the tests start
packages:
	sh tests/testbed/packages.sh

# The pure core under coverage (100 % or failure), its properties with more examples, then everything else, with more
# workers than processors: what is real waits half of its time, for batch systems above all. Half of the examples each,
# which are the same in every run (tests/examples.py).
test: dev packages core
	WMS_SAME_EXAMPLES=1 WMS_EXAMPLES=0.5 $(BIN)/python -m pytest --numprocesses=2 -m "hypothesis and not soak" tests/core
	WMS_SAME_EXAMPLES=1 WMS_EXAMPLES=0.5 $(BIN)/python -m pytest --numprocesses=4 --dist=loadgroup --no-loadscope-reorder --ignore=tests/core tests

# Few examples of each property, which are the same in every run: coverage is slow.
core: dev
	rm -f .coverage .coverage.*
	WMS_SAME_EXAMPLES=1 WMS_EXAMPLES=0.1 $(BIN)/coverage run -m pytest --numprocesses=2 tests/core
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	WMS_EXAMPLES=0.2 $(BIN)/python -m pytest --numprocesses=2 tests/core tests/daemons tests/suite

# Properties with many more examples.
soak: dev
	$(BIN)/python -m pytest -m soak

bench: dev
	$(BIN)/python -m bench

docs: dev
	$(BIN)/python -m docs

clean:
	rm -rf .venv .wms .wms-slurm build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
