# One word each; the two that a newcomer needs are `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check lint types page bench demo docs fuzz clean

$(BIN)/tcpchat: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(BIN)/tcpchat

run: $(BIN)/tcpchat
	$(BIN)/tcpchat serve

# What needs no program of others, in two to four processes.
test: $(BIN)/tcpchat
	$(BIN)/python -m pytest -m "not real and not slow" -n auto --maxprocesses 4

# Everything: lint first, since it is quick; terminals, IRC clients and browsers one after the other.
check: lint types page test
	$(BIN)/python -m pytest -m "real or slow"

lint: $(BIN)/tcpchat
	$(BIN)/ruff check src tests benchmarks examples tools main.py
	$(BIN)/ruff format --check src tests benchmarks examples tools main.py

types: $(BIN)/tcpchat
	$(BIN)/mypy

# The page's JavaScript: format, lint, types, unit tests. Nothing of it is needed to serve the page.
page:
	@if command -v npm >/dev/null; then \
	  npm install --silent && npm run --silent lint && npm run --silent types && npm run --silent test; \
	elif [ -n "$$CI" ]; then echo "npm is missing" >&2; exit 1; \
	else echo "npm is not installed: the page's JavaScript is not checked"; fi

bench: $(BIN)/tcpchat
	$(BIN)/python -m benchmarks

demo: $(BIN)/tcpchat
	$(BIN)/python -m benchmarks.demo

docs: $(BIN)/tcpchat
	$(BIN)/python -m tools.docs

fuzz: $(BIN)/tcpchat
	$(BIN)/python -m benchmarks.fuzz

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
