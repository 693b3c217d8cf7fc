# make demo | test | docs | benchmark: each creates its environment in .venv first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := .venv/.extras

.PHONY: demo test lint types docs benchmark clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $(STAMP)

$(EXTRAS): $(STAMP)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[docs,benchmark]"
	touch $(EXTRAS)

demo: $(STAMP)
	$(BIN)/python examples/demo.py demo_output

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

test: lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

docs: $(EXTRAS)
	rm -rf docs/generated
	$(BIN)/python docs/tables.py
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

benchmark: $(EXTRAS)
	for name in mixtures controls unseen prediction latency global_synchrony synchrony_limits synchrony_scale segmentation segmentation_scale unseen_images tables tuning sizes speed equal_budget other_dynamics design identify bench bench_stability distributed_scaling; do $(BIN)/python benchmarks/$$name.py || exit; done

clean:
	rm -rf .venv demo_output docs/_build docs/generated docs/auto_examples
