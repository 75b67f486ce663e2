# Two commands are enough: `make report` and `make test`. Both make the environment on first use.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= $(shell nproc)
BIN := .venv/bin
ENV := .venv/.made

export PYTHONUNBUFFERED := 1

.PHONY: help env data report figures archive test bench lint check schemas lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(ENV) ## make .venv from the locked dependencies

$(ENV): envs/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assay needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/lock.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

data: $(ENV) ## pull data/ from the store in this repository, checked
	@$(BIN)/assay pull data

report: $(ENV) data ## run all studies and write results/laptop/report/index.html
	@$(BIN)/snakemake --cores $(CORES)
	@echo "open results/laptop/report/index.html"

figures: $(ENV) data ## draw every study's figure, running what is missing
	@$(BIN)/snakemake --cores $(CORES) figures

archive: $(ENV) ## add what was measured here at laptop scale to the archive that clones start from
	@$(BIN)/assay archive

test: $(ENV) data lint check ## run the test suite; ALL=1: with every study at scale ci, not those chosen (docs/testing.md)
	$(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder $(if $(ALL),--every-study)

bench: $(ENV) data ## measure speed beside peers: all, or make bench BARS="compile report"
	@$(BIN)/python bench/run_bars.py $(BARS)

lint: $(ENV) ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	@# Reading the rules looks at results as well: a dry run changes none, and scale ci asks for no records of trials.
	$(BIN)/snakemake --lint --dry-run --config scale=ci

check: $(ENV) ## check every study, recipe and plug
	$(BIN)/assay check

schemas: $(ENV) ## write config/schemas from the code
	$(BIN)/python -m assay.cli.schemas

lock: ## write envs/lock.txt from a fresh resolution of pyproject.toml
	bash envs/lock.sh $(PYTHON)

clean: ## remove results and the environment
	rm -rf results .snakemake .venv
