# One word each; the two that a newcomer needs are `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test lint types bench demo docs fuzz clean

$(BIN)/tcpchat: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(BIN)/tcpchat

run: $(BIN)/tcpchat
	$(BIN)/tcpchat serve

test: $(BIN)/tcpchat
	$(BIN)/python -m pytest

lint: $(BIN)/tcpchat
	$(BIN)/ruff check src tests benchmarks examples tools main.py
	$(BIN)/ruff format --check src tests benchmarks examples tools main.py

types: $(BIN)/tcpchat
	$(BIN)/mypy

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
