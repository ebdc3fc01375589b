# The commands of this project. Each sets up what it needs first (scripts/setup), which costs next to
# nothing when there is nothing to do.

.PHONY: repl test far-sides far-side-table chaos bench bench-more branches count format lint clean setup setup-test
.DEFAULT_GOAL := repl

VENV := .venv/bin
PYTHON := src tests bench native scripts/count-branches
# Tests wait for processes a third of the time.
WORKERS := $(shell expr $$(nproc) \* 3 / 2)
CPP := git ls-files -z '*.cpp' '*.h' '*.hpp'

setup:
	@scripts/setup

setup-test:
	@scripts/setup --test

# With job control Ctrl-C goes to farside alone, and not to make, which would end with it.
repl: setup
	@if [ -t 0 ]; then set -m; fi; $(VENV)/farside $(ARGS); exit $$?

test: setup-test
	$(VENV)/python -m pytest -n $(WORKERS) $(ARGS)
	FARSIDE_EXECUTOR=$(CURDIR)/build/sanitize/farside-executor $(VENV)/python -m pytest -n $(WORKERS) tests/contract

# A few of the tests of sessions on each far side but the usual one: make far-sides ARGS=tests/session
far-sides: ARGS := tests/session/test_c.py tests/session/test_passing_cells.py
far-sides: setup-test
	@for side in stock in-process tcp tls ssh; do \
	  echo "== $$side"; \
	  FARSIDE_TEST_FAR_SIDE=$$side $(VENV)/python -m pytest -n $(WORKERS) $(ARGS) || exit; \
	done

# What passes on which far side, for docs/executors.md: make far-side-table ARGS='tls --groups session'
far-side-table: setup-test
	$(VENV)/python -m tests.far_side_table $(ARGS)

# Sessions in which everything goes wrong at random: make chaos N=10000 SEED=1
N := 1000
SEED := 1
chaos: setup-test
	$(VENV)/python -m tests.chaos $(N) $(SEED)

# ARGS picks groups and options: make bench ARGS='latency --quick'
bench: setup-test
	$(VENV)/farside bench --json bench/results/bench.json --markdown bench/results/bench.md \
	  --plots bench/results $(ARGS)

# Instructions of fixed lists of cells, beside those that were accepted: make count ARGS=--accept
count: setup-test
	$(VENV)/farside bench instructions --accepted bench/instructions.json $(ARGS)

# What `farside bench` does not measure: make bench-more
bench-more: setup-test
	@for script in bench/*.py; do \
	  echo "== $$script"; $(VENV)/python $$script || exit; \
	done

# How often the compiler's branches are taken, by which its code is laid out: for another LLVM
branches: setup-test
	PYTHONPATH=.:native/compiler/layout $(VENV)/python scripts/count-branches

format: setup-test
	$(VENV)/ruff format $(PYTHON)
	$(VENV)/ruff check --fix $(PYTHON)
	$(CPP) | xargs -0r clang-format-22 -i

lint: setup-test
	$(VENV)/ruff format --check $(PYTHON)
	$(CPP) | xargs -0r clang-format-22 --dry-run -Werror
	$(VENV)/ruff check $(PYTHON)
	$(VENV)/mypy

clean:
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +
