# `make demo` and `make test` do all their own set-up: they need python3 (3.11 to 3.13, with venv), make and git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
RLIABLE := .venv-rliable
SERVERS := .venv-servers
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# recipe of <folder>/.done: an environment in the folder with what the last prerequisite lists
define OWN_ENVIRONMENT
@rm -rf $(@D)
@$(BIN)/python -m venv $(@D)
@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(lastword $^)
@touch $@
endef

.PHONY: help demo quick test explore slow bench peers servers lint wheel clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    the main comparison in small, end to end, with its report"
	@echo "make quick   the tests without whole launches and benchmarks"
	@echo "make test    all tests but the slow ones"
	@echo "make slow    the slow tests"
	@echo "make explore all tests but the slow ones, property tests on new examples"
	@echo "make bench   the benchmarks"
	@echo "make peers   our strategies and statistics against published packages, in environments of their own"
	@echo "make servers our live models against servers that others wrote, in an environment of their own"
	@echo "make lint    ruff and mypy --strict"
	@echo "make wheel   build the wheel into dist/"

demo: $(VENV)/.demo
	@$(BIN)/mlesearch run demo

quick: $(VENV)/.test
	@$(BIN)/python -m pytest -n 3 --dist worksteal --ignore tests/system --ignore tests/bench

test: $(VENV)/.test
	@$(BIN)/python -m pytest -n 3 --dist worksteal --benchmark-disable

explore: $(VENV)/.test
	@$(BIN)/python -m pytest -n 3 --dist worksteal --benchmark-disable --hypothesis-profile explore

slow: $(VENV)/.test
	@$(BIN)/python -m pytest -m slow --benchmark-disable

bench: $(VENV)/.test
	@$(BIN)/python -m pytest tests/bench -m "not gpu" --benchmark-only --benchmark-columns=median,iqr,rounds --benchmark-sort=name

peers: $(VENV)/.test $(PEERS)/.done $(RLIABLE)/.done
	@$(BIN)/python -m pytest -m peers --benchmark-disable

servers: $(VENV)/.test $(SERVERS)/.done
	@$(BIN)/python -m pytest -m servers --benchmark-disable

lint: $(VENV)/.lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@rm -rf build/typed && mkdir -p build/typed && cp -r mlesearch tests build/typed/
	@cp -r analysis conf experiments build/typed/mlesearch/
	@cd build/typed && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p mlesearch -p tests.support

wheel: $(VENV)/.test
	@rm -rf build
	@$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
		{ echo "mlesearch needs python 3.11 to 3.13; this is $$($(PYTHON) --version 2>&1): name another with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "python3 has no venv here: install it (on Debian: apt-get install python3-venv) and run make again" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing mlesearch and what it needs into $(VENV) (once; one to three minutes)"
	@$(PIP) --editable .
	@touch $@

$(PEERS)/.done: $(VENV)/.demo constraints-peers.txt
	@echo "installing the published packages into $(PEERS) (once; about a minute)"
	$(OWN_ENVIRONMENT)

$(RLIABLE)/.done: $(VENV)/.demo constraints-rliable.txt
	@echo "installing rliable and the pandas that it needs into $(RLIABLE) (once; about a minute)"
	$(OWN_ENVIRONMENT)

$(SERVERS)/.done: $(VENV)/.demo constraints-servers.txt
	@echo "installing the servers into $(SERVERS) (once; some 650 MB)"
	$(OWN_ENVIRONMENT)

$(VENV)/.test: $(VENV)/.demo
	@echo "installing what the tests need"
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@echo "installing ruff and mypy"
	@$(PIP) --editable '.[test,dev]'
	@touch $@
