# `make demo` and `make test` set up everything they need. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# Four workers: two of them wait for their stacks most of the time.
PYTEST := python -m pytest --numprocesses 4 --no-loadscope-reorder
UV := .tools/uv/bin/uv
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11
# Not --quiet: it would hide the warnings from the strict mode too.
SITE := NO_MKDOCS_2_WARNING=1 .tools/docs/bin/mkdocs build --strict --site-dir .local/site
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/sam/bin:$(PATH):/usr/sbin
export SAM_CLI_TELEMETRY := 0
export PYTHONPATH := src:.
# Every test starts processes. Without bytecode each of them compiles its modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lock build up dev down backup status invoke demo test check drill contract openapi docs bench attack

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing (Python environments, SAM CLI, MariaDB, Redis)
	@local/setup.sh

lock: setup ## compile the hash-pinned requirement files from pyproject.toml
	@python -m local.lock

build: setup ## sam build, plus compiled bytecode for faster cold starts
	@python -m local.stack build

up: setup ## start the local stack (MariaDB primary and 2 replicas, read cache, emulator, edge); build and deploy what changed (REPLICAS=n: another number, from now on)
	@python -m local.stack up $(if $(REPLICAS),--replicas $(REPLICAS))

dev: setup ## bring the local stack up and serve each change of the sources within seconds, until Ctrl-C
	@python -m local.dev

down: setup ## stop the local stack and keep its data
	@python -m local.stack down

backup: setup ## take an automated snapshot of the local primary now; without it, one each night
	@python -m local.stack backup

status: setup ## show what runs locally, and its addresses
	@python -m local.stack status

invoke: setup ## run one function on the local stack: make invoke FUNCTION=Transform EVENT=events/transform/good_and_bad.json
	@python -m local.stack invoke "$(FUNCTION)" "$(EVENT)"

demo: setup ## run the main use case on real records, with an outage of the primary
	@python -m local.demo

test: setup ## run the tests: units, real MariaDB, the deployed local stack
	@local/setup.sh judges
	@local/setup.sh browser
	@$(PYTEST) -m "not slow"

drill: setup ## run the slow tests, then longer recovery tests, which print their measurements (SHORT=1: only the slow tests)
	@local/setup.sh judges
	@local/setup.sh browser
	@$(PYTEST) -m slow
	@$(if $(SHORT),,python -m pytest -s tests/drill)

contract: setup ## run schemathesis against the OpenAPI document: at least 2,000 requests, all its checks
	@python -m pytest -s tests/contract

openapi: setup ## write the OpenAPI document: docs/openapi.json, or make openapi FILE=client.json SERVER=https://… SIGN_IN=https://… KEYS=1
	@python -m sluice.openapi $(if $(SERVER),--server "$(SERVER)") $(if $(SIGN_IN),--sign-in "$(SIGN_IN)") $(if $(KEYS),--client-keys) > "$(or $(FILE),docs/openapi.json)"

docs: setup ## write the generated pages and build the documentation site into .local/site; a dead link fails
	@local/setup.sh docs
	@python -m tools.docs
	@$(SITE)

bench: setup ## measure handlers, AWS clients, POSTs of many lines, the local edge, loads, the read cache, reads from 1 to 3 replicas, changes of a large table, replays, a cold start, which cache answers a mix, the console (SHORT=1: only check that all runs)
	@python -m bench.api
	@python -m bench.clients
	@python -m bench.many
	@python -m bench.edge
	@python -m bench.load
	@python -m bench.cache
	@python -m bench.replicas
	@python -m bench.long_changes
	@python -m bench.deployed
	@python -m bench.dev
	@python -m bench.mix
	@python -m bench.console

attack: setup ## measure how many attacks the edge blocks, and how many realistic requests it lets through (SHORT=1: a sample)
	@python -m bench.attack

check: setup ## ruff, mypy, template checks (with checkov, parliament, statelint), the OpenAPI document, links of the documentation
	@local/setup.sh judges
	@ruff check . && ruff format --check . && mypy && python -m tests.template.check
	@python -m tools.code_figures --check
	@python -m pytest tests/unit/test_openapi_document.py tests/template/test_contract.py
	@local/setup.sh docs
	@$(SITE)
