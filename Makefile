# `make demo` and `make test` are all that a new user needs; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc)
# Files of tests at a time: each may make a run of its own.
WORKERS ?= 2
BASE ?= debian
RUNS ?= 8
LOCK := envs/requirements.lock
INSTALLED := $(VENV)/.installed

# Not exported to the rule that makes the environment: it must not use the one it replaces.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help environment demo test test-fast lint format lock configuration rulegraph plan containers containers-lock \
	test-containers test-slurm test-mutations benchmark error-rates

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

environment: $(INSTALLED) ## the Python environment in .venv, from the lock file (about 5.4 GB to download)

# A failed installation leaves no stamp, so the next call starts it again.
$(INSTALLED): $(LOCK)
	@sh envs/check_python.sh "$(PYTHON)"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	@touch $@

demo: $(INSTALLED) ## the whole workflow on embedded synthetic images, into results/
	$(RUN) snakemake --cores $(CORES) --configfile demo.yaml
	@echo && cat results/summary.md && echo && echo "The table: results/summary.md, results/summary.csv. Figures: results/figures/."

test: $(INSTALLED) lint ## linters, unit tests, the workflow end to end on tiny images
	$(RUN) pytest --numprocesses $(WORKERS) --dist loadfile tests/unit tests/workflow

test-fast: $(INSTALLED) ## unit tests only
	$(RUN) pytest tests/unit

lint: $(INSTALLED) ## check style, which module may import which, types, and the workflow's own rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) PYTHONPATH=scripts lint-imports --no-logo
	$(RUN) snakefmt --check Snakefile rules
	$(RUN) snakemake --lint
	$(RUN) mypy

format: $(INSTALLED) ## bring the sources into shape
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt Snakefile rules

# One resolution; the images' lists are parts of it.
COMPILE := --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

lock: $(INSTALLED) ## resolve envs/*.in anew into the lock files
	$(BIN)/python -m pip install --quiet pip-tools==7.6.2
	cd envs && ../$(BIN)/pip-compile $(COMPILE) --upgrade \
		--output-file requirements.lock driver.in tools.in torch.in develop.in
	cd envs && ../$(BIN)/pip-compile $(COMPILE) --constraint requirements.lock --output-file torch.lock tools.in torch.in
	cd envs && ../$(BIN)/pip-compile $(COMPILE) --constraint requirements.lock --output-file tools.lock tools.in
	$(MAKE) containers-lock

configuration: $(INSTALLED) ## write docs/configuration.md and the tables of docs/raw_images.md anew from the code
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.configuration_page docs/configuration.md
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.raw_images_page docs/raw_images.md

# `tred` leaves out what follows from the other arrows.
rulegraph: $(INSTALLED) ## redraw docs/rulegraph.svg (needs graphviz: apt-get install graphviz)
	$(RUN) snakemake --configfile demo.yaml --rulegraph dot 2>/dev/null | tred \
		| dot -Granksep=0.35 -Gnodesep=0.15 -Tsvg > docs/rulegraph.svg

containers: ## build the container images, as an ordinary user (BASE=docker: from a Docker image)
	@set -e; for name in $$(PYTHONPATH=scripts $(PYTHON) -m fewlabels.workflow.containers $(BASE)); do \
		$(PYTHON) scripts/build_container.py --container "$$name"; done

containers-lock: ## name the images that belong to the definitions as they are now
	PYTHONPATH=scripts $(PYTHON) -m fewlabels.workflow.containers lock

plan: $(INSTALLED) ## jobs, GPU-hours and duration of what would run (OPTIONS="--configfile my.yaml", RUNS=8)
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.plan --at-once $(RUNS) $(PLAN) -- $(OPTIONS)

test-containers: $(INSTALLED) ## every step in real Apptainer containers, on tiny images (FULL=1: the demo)
	$(RUN) FULL=$(FULL) pytest tests/containers

test-slurm: $(INSTALLED) ## the same as jobs of a real one-node SLURM, with faults injected (root, Debian)
	$(RUN) FULL=$(FULL) pytest tests/slurm

benchmark: $(INSTALLED) ## fine-tuning against the plain loop, on this machine (ten minutes on two cores)
	$(RUN) python benchmarks/fine_tuning.py $(OPTIONS)

test-mutations: $(INSTALLED) ## are faults noticed that would give a wrong table in silence? (an hour on two cores; ONLY="comparison metrics")
	$(RUN) python tests/mutations/run_faults.py --workers $(WORKERS) $(if $(ONLY),--only $(ONLY))

error-rates: $(INSTALLED) ## how often verdicts and intervals err, in simulated experiments (OPTIONS=--quick)
	$(RUN) python benchmarks/error_rates.py --workers $(WORKERS) $(OPTIONS)
