# Each target does all of its own set-up: on a fresh machine with Python 3.11 or later, `make demo` or `make test` is enough.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := autometa_runs/demo
# Tests wait for one another's processes a good part of the time, so one more of them than there are cores; four at most.
TESTERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores < 3 ? cores + 1 : 4)))
# Tests use processes of their own; one numerical thread each keeps them from fighting over the cores.
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo test lint types unit wheel docs pages faults format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    fit, predict and report on a real dataset (about a minute after the installation)"
	@echo "make test    everything that must pass: lint, format, types, pages, the built wheel, tests"
	@echo "make docs    the documentation as a site, in docs/_build/html"
	@echo "make install the environment $(VENV) alone"
	@echo "make lint | types | pages | wheel | unit   one part of make test"
	@echo "make faults  an hour of faults, counted by kind (MINUTES=60); goes on where it stopped"
	@echo "make format  let ruff reformat and mend"

install: $(VENV)/installed

# torch comes first, because its default build on Linux brings gigabytes of GPU libraries: without a GPU the CPU build is
# tried, and the default one taken where no CPU build is offered.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "AutoMeta needs Python 3.11 or later; choose one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@torch=$$(sed -n 's/^torch==//p' constraints.txt); \
	if nvidia-smi >/dev/null 2>&1; then $(BIN)/python -m pip install --quiet "torch==$$torch"; \
	else $(BIN)/python -m pip install --quiet "torch==$$torch+cpu" 2>/dev/null || $(BIN)/python -m pip install --quiet "torch==$$torch"; fi
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,xgboost,catboost,postgresql,shap,onnx,skops,serve,plots,mcp,cluster]"
	@$(BIN)/python -c 'import lightgbm' || { echo "LightGBM needs the OpenMP runtime: apt-get install libgomp1, or brew install libomp"; exit 1; }
	@touch $@

demo: install
	rm -rf $(DEMO)
	$(BIN)/python benchmarks/demo.py write $(DEMO)
	$(BIN)/autometa fit $(DEMO)/breast_cancer.csv --target diagnosis --time 30 --run $(DEMO)/run --store $(DEMO)/store.db
	$(BIN)/autometa predict $(DEMO)/run $(DEMO)/unseen.csv --proba --out $(DEMO)/predictions.csv
	$(BIN)/python benchmarks/demo.py judge $(DEMO)

# Types and pages take one core each, so they share the time; the tests look at the pages.
test: lint $(VENV)/documented
	@$(MAKE) -j2 types pages
	@$(MAKE) wheel
	@$(MAKE) unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

unit: install
	$(BIN)/pytest --numprocesses=$(TESTERS) --dist=loadscope --no-loadscope-reorder

# The wheel alone, in an empty folder: what it lacks cannot be borrowed from the checkout.
wheel: install
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/python -m build --no-isolation --outdir "$$folder/dist" . >"$$folder/log" 2>&1 || { cat "$$folder/log"; exit 1; }; \
	$(BIN)/python tests/wheel.py "$$folder/dist"

$(VENV)/documented: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	@touch $@

# From nothing: pages of before are not taken for those of today. A reference that leads nowhere fails, and nothing is fetched.
SITE = rm -rf docs/files docs/reference/python docs/gallery/built && $(BIN)/sphinx-build -n -W --keep-going -q
docs: $(VENV)/documented
	rm -rf docs/_build
	$(SITE) -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

# The same without running the gallery, beside it: what make test looks at.
pages: $(VENV)/documented
	rm -rf docs/_build/pages
	$(SITE) -D plot_gallery=0 -d docs/_build/pages/doctrees docs docs/_build/pages/html

# Appends to benchmarks/results/faults.jsonl, and writes the table of docs/trust.md from all that is there.
MINUTES ?= 60
faults: install
	cd tests && $(abspath $(BIN))/python -m faults.campaign --minutes $(MINUTES)
	cd tests && $(abspath $(BIN))/python -m faults.campaign --report

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) docs/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
