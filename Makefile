# make run: set up, run the default grid.   make report: the same, and write results/default/report.html.
# make test: set up, run all tests.         All do all the set-up there is.
PYTHON ?= python3
CORES ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count())')
BIN = .venv/bin

.PHONY: run report test lint format bench clean

run: .venv/ready
	$(BIN)/glitchmark run --cores $(CORES)

report: .venv/ready
	$(BIN)/glitchmark report --cores $(CORES)

test: .venv/ready
	$(BIN)/pytest -n 2

lint: .venv/ready
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/snakefmt --check Snakefile workflow/rules

format: .venv/ready
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/snakefmt Snakefile workflow/rules

bench: .venv/ready
	$(BIN)/python benchmarks/cell.py
	$(BIN)/python benchmarks/influence.py
	$(BIN)/python benchmarks/pool.py
	$(BIN)/python benchmarks/features.py

clean:
	rm -rf .venv

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glitchmark needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@
