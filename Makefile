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
.PHONY: help environment demo test test-fast lint format lock check-lock configuration docs rulegraph plan doctor watch clean-cache containers containers-lock \
	test-long test-containers test-slurm test-browser test-mutations test-faults benchmark error-rates sbom fuzz

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

environment: $(INSTALLED) ## the Python environment in .venv, from the lock file (about 5.4 GB to download)

# A failed installation leaves no stamp, so the next call starts it again.
$(INSTALLED): $(LOCK)
	@target=$$(sh envs/check_python.sh "$(PYTHON)" $(VENV)) && "$(PYTHON)" -m venv --clear "$$target"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	@touch $@

demo: $(INSTALLED) ## the whole workflow on embedded synthetic images, into results/
	$(RUN) snakemake --cores $(CORES) --configfile demo.yaml --quiet rules

test: $(INSTALLED) lint ## linters, unit tests, the workflow end to end on tiny images
	$(RUN) pytest --numprocesses $(WORKERS) --dist loadfile -m "not long" tests/unit tests/workflow

test-long: $(INSTALLED) ## the workflow's other tests: runs that are repeated, damaged, killed, extended (a quarter of an hour)
	$(RUN) pytest --numprocesses $(WORKERS) --dist loadfile -m long tests/workflow

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

# 3.11.2 is the Python of Debian 12. One package is no wheel; it is pure Python.
check-lock: $(INSTALLED) ## can the locked packages be installed on each supported Python? (needs the network)
	@empty=$$(mktemp -d) && trap 'rm -r "$$empty"' EXIT && for version in 3.11.2 3.12 3.13; do \
		$(BIN)/uv pip install --quiet --dry-run --require-hashes --requirement $(LOCK) --target "$$empty" \
			--python-version $$version --python-platform x86_64-manylinux_2_28 \
			--only-binary :all: --no-binary connection-pool || exit 1; \
		echo "Python $$version: all packages of $(LOCK) can be installed"; \
	done

configuration: $(INSTALLED) ## write the generated pages of docs/ anew from the code: configuration, commands, errors, tables of raw_images
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.configuration_page docs/configuration.md
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.raw_images_page docs/raw_images.md
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.commands_page docs/commands.md
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.errors_page docs/errors.md

docs: $(INSTALLED) ## the pages of docs/ as a site, into site/: open site/index.html
	$(RUN) NO_MKDOCS_2_WARNING=1 mkdocs build --quiet

# `tred` leaves out what follows from the other arrows.
rulegraph: $(INSTALLED) ## redraw docs/rulegraph.svg (needs graphviz: apt-get install graphviz)
	$(RUN) snakemake --configfile demo.yaml --rulegraph dot 2>/dev/null | tred \
		| dot -Granksep=0.35 -Gnodesep=0.15 -Tsvg > docs/rulegraph.svg

containers: ## build the container images, as an ordinary user (BASE=docker: from a Docker image)
	@set -e; for name in $$(PYTHONPATH=scripts $(PYTHON) -m fewlabels.workflow.containers $(BASE)); do \
		$(PYTHON) scripts/build_container.py --container "$$name"; done

containers-lock: ## name the images that belong to the definitions as they are now
	PYTHONPATH=scripts $(PYTHON) -m fewlabels.workflow.containers lock

# With a bare Python, where there is no environment yet.
doctor: ## what this machine has and lacks for a run, each with its remedy (OPTIONS="--configfile mine.yaml --slurm")
	@"$$([ -x $(BIN)/python ] && echo $(BIN)/python || command -v "$(PYTHON)")" scripts/doctor.py $(OPTIONS)

watch: $(INSTALLED) ## how far the run is, from another terminal: epochs, losses, time left (RESULTS=results)
	@$(RUN) python scripts/watch.py --results "$(or $(RESULTS),results)"

clean-cache: $(INSTALLED) ## delete what a finished run needs no more, and say how much that frees (DRY=1: only tell; OPTIONS="--configfile demo.yaml")
	@$(RUN) python scripts/clean_cache.py $(if $(DRY),--dry-run) $(OPTIONS)

plan: $(INSTALLED) ## jobs, GPU-hours and duration of what would run (OPTIONS="--configfile my.yaml", RUNS=8)
	$(RUN) PYTHONPATH=scripts python -m fewlabels.workflow.plan --at-once $(RUNS) $(PLAN) -- $(OPTIONS)

test-containers: $(INSTALLED) ## every step in real Apptainer containers, on tiny images (FULL=1: the demo)
	$(RUN) FULL=$(FULL) pytest tests/containers

test-slurm: $(INSTALLED) ## the same as jobs of a real one-node SLURM, with faults injected (root, Debian)
	$(RUN) FULL=$(FULL) pytest tests/slurm

benchmark: $(INSTALLED) ## fine-tuning against the plain loop, on this machine (ten minutes on two cores)
	$(RUN) python benchmarks/fine_tuning.py $(OPTIONS)

test-browser: $(INSTALLED) ## the report page in a headless Chromium (tests/browser/setup_chromium.sh brings one)
	$(RUN) pytest tests/browser

test-mutations: $(INSTALLED) ## are faults noticed that would give a wrong table in silence? (an hour on two cores; ONLY="comparison metrics")
	$(RUN) python tests/mutations/run_faults.py --workers $(WORKERS) $(if $(ONLY),--only $(ONLY))

test-faults: $(INSTALLED) ## kills at random moments, full disks, 100,000 files, 2,000 runs: an hour and more (KILLS=20)
	$(RUN) KILLS="$(KILLS)" pytest tests/faults

sbom: $(INSTALLED) ## list the installed packages with versions and licences (CycloneDX) in sbom.json
	$(BIN)/cyclonedx-py environment --output-format JSON --output-file sbom.json $(BIN)/python

fuzz: $(INSTALLED) ## do mutated image files crash, hang or flood the decoding? (100,000 of them: 6 minutes)
	$(RUN) python tests/faults/fuzz_images.py $(OPTIONS)

error-rates: $(INSTALLED) ## how often verdicts and intervals err, in simulated experiments (OPTIONS=--quick)
	$(RUN) python benchmarks/error_rates.py --workers $(WORKERS) $(OPTIONS)
