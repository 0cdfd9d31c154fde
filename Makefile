# Every target makes .venv first where it is missing or older than the list of packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

# A folder of data sets beside the checkout, where there is one.
ifneq ($(wildcard ../shared/data),)
SKCONV_DATA ?= $(abspath ../shared/data)
export SKCONV_DATA
endif

.PHONY: train test test-slow lint types site docs bench clean

train: $(STAMP)
	$(BIN)/skconv train mnist --recipe standard

test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest --numprocesses auto --dist load -m slow

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

site: $(STAMP)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees docs site
	@echo "Open site/index.html"

docs: site
	$(BIN)/python -m pytest tests/documentation tests/test_documentation.py

bench: $(STAMP)
	$(BIN)/python benchmarks/run_all.py $(if $(QUICK),--quick)

clean:
	rm -rf $(VENV) .venv-peers build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an installation that was cut off is done again.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "skconv needs Python 3.11 or newer; '$(PYTHON)' is missing or older. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
