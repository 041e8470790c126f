# Needs Python 3.11 or newer and nothing else.  make demo | test | test-minimal | lint | types | picture | clean
# PYTHON=python3.12 picks the interpreter; TORCH="torch==2.13.0 --index-url …" says where torch comes from.
PYTHON ?= python3
TORCH ?=
WORKERS ?= 2

ENVIRONMENT = $(PYTHON) .ci/make_environment.py
DEMO = .venv/installed-demo
TEST = .venv/installed-test
MINIMAL = .venv-minimal/installed-test
PYTEST = OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo test test-minimal lint types unit picture clean
.DELETE_ON_ERROR:

help:
	@head -n 2 Makefile

demo: $(DEMO)
	.venv/bin/python examples/demo.py

test: lint types unit

lint: $(TEST)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: $(TEST)
	.venv/bin/mypy

unit: $(TEST)
	$(PYTEST) .venv/bin/python -m pytest -n $(WORKERS)

test-minimal: $(MINIMAL)
	$(PYTEST) .venv-minimal/bin/python -m pytest -n $(WORKERS)

picture: $(TEST)
	.venv/bin/python docs/make_picture.py

# An environment that holds the test extra serves the demo too, so the demo never takes it away.
$(DEMO): pyproject.toml .ci/make_environment.py
	@if [ ! -e $(TEST) ]; then $(ENVIRONMENT) .venv --torch "$(TORCH)"; fi
	@touch $@

$(TEST): pyproject.toml .ci/make_environment.py
	$(ENVIRONMENT) .venv --extra test --torch "$(TORCH)"
	@touch $@

$(MINIMAL): pyproject.toml .ci/make_environment.py .ci/minimal.txt
	$(ENVIRONMENT) .venv-minimal --extra test --minimal .ci/minimal.txt --torch "$(TORCH)"
	@touch $@

clean:
	rm -rf .venv .venv-minimal demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
