# Every target sets up what it needs in a project-local environment. It takes Python 3.11
# or newer with pip, and make; nothing else has to be on the machine.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first interpreter that is new enough; PYTHON=... chooses another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
JOBS ?= 2
PYTEST_ARGS ?=

# One thread in each process: test processes share the machine already, and times of
# benchmarks can be compared.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo test test-slow test-oldest lint types docs bench check format clean

help:
	@echo "make demo         benchmark on the Adult data, with its ledger (under two minutes)"
	@echo "make test         default test suite, doctests included"
	@echo "make test-slow    the long statistical and fault-injection tests"
	@echo "make test-oldest  default test suite with the oldest supported scikit-learn"
	@echo "make lint         ruff and the import contract"
	@echo "make types        mypy"
	@echo "make docs         documentation site, in docs/_build/html"
	@echo "make bench        full benchmark, in benchmark-results/ (about twenty minutes)"
	@echo "make check        everything that continuous integration runs"
	@echo "make format       rewrite the sources in the project's format"
	@echo "make clean        remove environments, caches and results"

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer found: install one or name it, make PYTHON=/path/to/python"; \
		exit 1; fi
	@$(PYTHON) -c '$(NEW_ENOUGH)' || \
		{ echo "$(PYTHON) is older than Python 3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras, renewed when pyproject.toml changes.
$(VENV)/.stamp-demo: EXTRAS := report
$(VENV)/.stamp-test: EXTRAS := test,benchmark
$(VENV)/.stamp-dev: EXTRAS := dev,report
$(VENV)/.stamp-docs: EXTRAS := docs
$(VENV)/.stamp-bench: EXTRAS := report,benchmark
$(VENV)/.stamp-%: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(VENV)/.stamp-demo
	$(ONE_THREAD) $(BIN)/skprivacy benchmark adult --epsilon 0.3 1 3 --repeats 2 --output benchmark-results/demo

test: $(VENV)/.stamp-test
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

test-slow: $(VENV)/.stamp-test
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) -m slow $(PYTEST_ARGS)

# The floor of pyproject.toml. These versions have no wheels for Python 3.13.
OLDEST := .venv-oldest
OLDEST_VERSIONS := scikit-learn==1.6.1 numpy==2.0.2 scipy==1.13.1 joblib==1.4.2
HAS_WHEELS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
OLDEST_PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c '$(HAS_WHEELS)' 2>/dev/null && echo $$p && break; done)

$(OLDEST)/.stamp: pyproject.toml
	@if [ -z "$(OLDEST_PYTHON)" ]; then \
		echo "The oldest scikit-learn needs Python 3.11 or 3.12: OLDEST_PYTHON=..."; exit 1; fi
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[test]' $(OLDEST_VERSIONS)
	@touch $@

test-oldest: $(OLDEST)/.stamp
	$(ONE_THREAD) $(OLDEST)/bin/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.stamp-dev
	$(BIN)/mypy

docs: $(VENV)/.stamp-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

BENCH = $(ONE_THREAD) $(BIN)/skprivacy benchmark
bench: $(VENV)/.stamp-bench
	$(BENCH) adult --pipelines all --output benchmark-results/adult
	$(BENCH) diamonds --pipelines all --output benchmark-results/diamonds
	$(BENCH) adult --task unsupervised --output benchmark-results/adult-unsupervised
	$(ONE_THREAD) $(BIN)/python benchmarks/bench_speed.py

check: test lint types docs test-oldest

format: $(VENV)/.stamp-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(OLDEST) docs/_build docs/api benchmark-results build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find skprivacy tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +
