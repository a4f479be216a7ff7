# Everything runs in .venv, which each target makes or renews by itself from the locks in requirements/.
# Needed beforehand: Python 3.11 or newer with venv, and make. Nothing is installed outside this folder.

PYTHON    ?= python3
PORT_BASE ?=
EVIDENCE  ?=
ONCE      ?=
ARGS      ?=

VENV   := .venv
BIN    := $(VENV)/bin
# Stamps, in two levels, so that `make demo` does not wait for linters and test tools.
MADE   := $(VENV)/.made
SERVER := $(VENV)/.installed-server
DEV    := $(VENV)/.installed-dev
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOCKED := $(PIP) install --quiet --require-hashes

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Settings: PYTHON=python3.12 (which Python makes .venv), ARGS=... (more options for the command behind the target)."

demo: $(SERVER) ## one stamped exchange on this machine: ONCE=1 ends after the call, PORT_BASE=20000, EVIDENCE=folder
	@$(BIN)/xacbe demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(PORT_BASE),--port-base $(PORT_BASE)) \
		$(if $(EVIDENCE),--evidence "$(EVIDENCE)") $(ARGS)

test: $(DEV) ## all tests, with real processes over real sockets (ARGS="-k name" for some)
	$(BIN)/pytest $(ARGS)

check: $(DEV) ## format, lint, types, import rules; changes nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## bring the code into the house's format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(SERVER) ## measure the message path
	@if [ -f benchmarks/__main__.py ]; then $(BIN)/python -m benchmarks $(ARGS); \
	else echo "There is nothing to measure yet: the benchmarks come with the message path."; fi

# The widest lock is made first; the others take their versions from it, so that all of them agree.
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-header --no-emit-options --strip-extras --allow-unsafe \
	--annotation-style line $(ARGS)
lock: $(DEV) ## renew requirements/*.txt from pyproject.toml (ARGS=--upgrade for newer versions)
	$(COMPILE) --extra server --extra dev --output-file requirements/dev.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --extra server --output-file requirements/server.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/base.txt pyproject.toml
	$(COMPILE) --constraint requirements/dev.txt --only-build-deps --all-build-deps \
		--output-file requirements/build.txt pyproject.toml

clean: ## remove .venv, caches and builds; never data or trust material
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Xacbe needs Python 3.11 or newer, and \"$(PYTHON)\" is not: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "\"$(PYTHON)\" comes without venv. Install it (Debian and Ubuntu: the package python3-venv) and try again." >&2; \
		exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(SERVER): requirements/build.txt requirements/server.txt pyproject.toml | $(MADE)
	@echo "Installing the locked versions into $(VENV) (a minute or two the first time)" >&2
	@$(LOCKED) -r requirements/build.txt -r requirements/server.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(SERVER)
	@echo "Installing the tools for tests and checks into $(VENV)" >&2
	@$(LOCKED) -r requirements/dev.txt
	@touch $@
