# make demo | test | docs | pages | package | oldest | soak | benchmark: each creates its environment in .venv first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
EXTRAS := .venv/.extras

.PHONY: demo test lint types docs pages package oldest soak benchmark clean

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

# The pages that "make docs" has built, in a browser without a window (chromium).
pages: $(EXTRAS)
	$(BIN)/python -m pytest -n 0 -m pages tests/pages

# What others install: both archives, and the first program of the README beside nothing else.
package:
	rm -rf build dist .package
	$(PYTHON) -m venv .package/tools
	.package/tools/bin/pip install --quiet build twine
	.package/tools/bin/python -m build --outdir dist
	.package/tools/bin/twine check --strict dist/*
	$(PYTHON) -m venv .package/bare
	.package/bare/bin/pip install --quiet --constraint constraints.txt torch
	.package/bare/bin/pip install --quiet --constraint constraints.txt dist/*.whl
	$(PYTHON) docs/snippets.py 1 > .package/first.py
	cd .package && bare/bin/python -W error first.py

# The tests with the oldest versions that pyproject.toml allows, which warn of themselves.
OLD_WARNINGS := -W 'ignore:`torch.cpu.amp:FutureWarning' -W 'ignore:You are using:FutureWarning' \
	-W 'ignore:The number of unique classes:UserWarning' \
	-W 'ignore:Passing a non-Collection' -W 'ignore:Auto-close'
oldest:
	$(PYTHON) -m venv .oldest
	.oldest/bin/pip install --quiet --constraint constraints-oldest.txt torch
	.oldest/bin/pip install --quiet --constraint constraints-oldest.txt --editable ".[test]"
	OMP_NUM_THREADS=1 .oldest/bin/python -m pytest -n 2 $(OLD_WARNINGS)

# Faults at random: by default an hour of them. SECONDS=120 for a short look.
soak: SECONDS := 3600
soak: $(EXTRAS)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/soak.py --seconds $(SECONDS)

benchmark: $(EXTRAS)
	for name in mixtures controls unseen prediction latency global_synchrony synchrony_limits synchrony_scale segmentation segmentation_scale unseen_images series tables tuning sizes speed equal_budget other_dynamics design identify bench bench_stability distributed_scaling; do $(BIN)/python benchmarks/$$name.py || exit; done

clean:
	rm -rf .venv .package .oldest build dist demo_output docs/_build docs/generated docs/auto_examples
