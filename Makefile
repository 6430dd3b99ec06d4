# Two commands do everything on a machine with python3 (3.11-3.13) and make:
#   make demo    draw an edited pair and examine it
#   make test    run the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint format lock bench clean

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(VENV)/ready
	rm -rf demo
	$(BIN)/python -m wholecloth.testing.cases demo --seed 7 --candidates 20
	$(BIN)/wholecloth examine demo/published.jpg --among demo/photos --out demo/result

test: $(VENV)/ready
	$(BIN)/python -m pytest

lint: $(VENV)/ready
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/ruff check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/ready
	$(BIN)/ruff format src tests bench docs
	$(BIN)/ruff check --fix src tests bench docs

# make bench CASES=DIR: your cases; without it, drawn ones.
bench: $(VENV)/ready
	test -n "$(CASES)" || test -d bench-cases || $(BIN)/wholecloth bench draw bench-cases
	$(BIN)/wholecloth bench all $(or $(CASES),bench-cases) --out bench-results

# Needs uv; the lock is universal (3.11-3.13, all platforms) and installed by plain pip.
lock:
	uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-emit-index-url --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) demo bench-cases bench-results .pytest_cache .mypy_cache .ruff_cache
