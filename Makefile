# Two commands matter: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 5000
WORKERS ?= 2
JOBS ?= 2
PROFILE ?= challenge
DATA ?= ../shared/data/scl_2017.csv.gz
AT_HAND = $(if $(wildcard $(DATA)),ATRASO_SCL_DATA=$(abspath $(DATA)))

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- environment ------------------------------------------------------------------------------------------------
# One lock file pins every package by hash; it is used as a constraint, so each stamp installs only what it needs.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
install = $(BIN)/python scripts/requirements.py $(1) | xargs $(PIP) install -c requirements.lock && $(PIP) install --no-deps -e .
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Atraso needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.3'
	@touch $@

$(VENV)/.base: $(VENV)/.python pyproject.toml requirements.lock
	@echo "Installing Atraso into $(VENV) (once) ..."
	@$(call install,)
	@touch $@

$(VENV)/.dev: $(VENV)/.base scripts/debian_packages.py
	@echo "Installing what training and tests need (once) ..."
	@$(BIN)/python scripts/debian_packages.py
	@$(call install,train nyc ldap postgres stress otel dev)
	@touch $@

# Each rival of the benchmark has an environment of its own: nothing of it is in the product's.
RIVALS := fastapi flask
MODEL_SERVERS := bentoml mlserver litserve ray
.venv-peers/%/.done: benchmarks/peers/%.txt requirements.lock
	@echo "Installing the benchmark's $* (once) ..."
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@pip="$(@D)/bin/python -m pip --quiet --disable-pip-version-check"; \
	  { $$pip install --upgrade 'pip>=25.3' && $$pip install -r $< && $$pip install --no-deps -e .; } || \
	  { rm -rf $(@D); exit 1; }
	@touch $@

# What the images hold is a part of the same: each package as it is tested.
of_image = uv pip compile pyproject.toml --universal --generate-hashes --no-annotate --no-header -c requirements.lock
lock: ## Renew the lock files (needs uv)
	uv pip compile pyproject.toml --universal --all-extras --generate-hashes --no-annotate --no-header -o requirements.lock
	$(of_image) --extra ldap --extra postgres --extra otel -o deploy/container/requirements.lock
	$(of_image) --extra train -o deploy/container/requirements-notebook.lock

# --- use --------------------------------------------------------------------------------------------------------
run: $(VENV)/.base ## API and page on http://127.0.0.1:5000 (PORT=, WORKERS=)
	@exec $(BIN)/atraso serve --port $(PORT) --workers $(WORKERS)

train: $(VENV)/.dev ## Train the bundled SCL artefact again, to the same checksum, from DATA=
	$(BIN)/atraso train --source scl --data $(DATA) --out src/atraso/artefact/bundled --replace

observe: $(VENV)/.dev ## The service with Prometheus and Alertmanager on loopback, alerts printed (PORT=, PROMETHEUS_PORT=, FASTER=60)
	@exec $(BIN)/python -m scripts.observe --port $(PORT) --workers $(WORKERS) --faster $(or $(FASTER),1) \
	  --prometheus-port $(or $(PROMETHEUS_PORT),9090) --alertmanager-port $(or $(ALERTMANAGER_PORT),9093) \
	  --webhook-port $(or $(WEBHOOK_PORT),9095)

# --- work -------------------------------------------------------------------------------------------------------
test: $(VENV)/.dev ## Install what the tests need, then run them all (JOBS=1: one after the other)
	$(BIN)/python -m pytest $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile)

check: $(VENV)/.dev ## Lint, types, arrows between rooms, generated files
	$(BIN)/ruff check src tests benchmarks scripts deploy
	$(BIN)/ruff format --check src tests benchmarks scripts deploy
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m scripts.generate --check

generate: $(VENV)/.dev ## Write the generated pages again
	$(BIN)/python -m scripts.generate

notebook: $(VENV)/.dev ## The notebook on http://127.0.0.1:8881, with a token (DATA=)
	$(AT_HAND) $(BIN)/atraso notebook

drill: $(VENV)/.dev ## Figures and faults at full size: start, memory, stop, training, batches (DATA=)
	$(AT_HAND) $(BIN)/python -m pytest -s --timeout 1800 tests/drill

stress: $(VENV)/.dev ## 45 s of load with 1, 3 and 6 threads, everything on; kept, and compared with the last (PROFILE=)
	$(BIN)/atraso stress --profile $(PROFILE)

bench: $(VENV)/.dev $(RIVALS:%=.venv-peers/%/.done) ## Throughput beside nginx, FastAPI and Flask; writes benchmarks/results
	$(BIN)/python -m benchmarks.run

bench-peers: $(VENV)/.dev $(RIVALS:%=.venv-peers/%/.done) ## The same and BentoML, MLServer, LitServe, Ray Serve
	-@$(MAKE) --no-print-directory --keep-going $(MODEL_SERVERS:%=.venv-peers/%/.done)  # one that fails is left out
	$(BIN)/python -m benchmarks.run --peers

# --- ship -------------------------------------------------------------------------------------------------------
# The tools of the checks have environments of their own: their dependencies quarrel.
DEPLOY_TOOLS := $(patsubst deploy/checks/requirements-%.txt,.venv-deploy/%/.done,$(wildcard deploy/checks/requirements-*.txt))
.venv-deploy/%/.done: deploy/checks/requirements-%.txt
	@echo "Installing the tools of $* into $(@D) (once) ..."
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install -r $< || { rm -rf $(@D); exit 1; }
	@touch $@

deploy-tools: $(DEPLOY_TOOLS) ## The tools of deploy-check, each in an environment of its own

image: $(VENV)/.base ## The images of the service and of the notebook, with Docker or buildah
	@$(BIN)/python -m deploy.image

compose-up: $(VENV)/.base .venv-deploy/compose/.done ## API on 5000, notebook on 8881, PostgreSQL (PROFILES="directory monitoring")
	@$(BIN)/python -m deploy.compose up $(PROFILES:%=--profile %)

compose-down: $(VENV)/.base .venv-deploy/compose/.done ## Stop what compose-up started; what was kept stays
	@$(BIN)/python -m deploy.compose down

deploy-check: $(VENV)/.dev ## Image, compose, replicas, Terraform, chart, pipeline: all that needs no cloud (CHECKS=names)
	-@$(BIN)/python scripts/debian_packages.py deploy
	-@$(MAKE) --no-print-directory --keep-going deploy-tools  # checks whose tools are missing say so
	$(BIN)/python -m deploy.checks $(CHECKS)

clean: ## Remove the environment and everything made by tools
	rm -rf $(VENV) .venv-peers .venv-deploy build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help lock run train observe test check generate notebook drill stress bench bench-peers deploy-tools image \
  compose-up compose-down deploy-check clean
