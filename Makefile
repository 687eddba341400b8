# make env    the environment alone (.venv)
# make demo   the whole workflow on simulated data, in minutes, without any download
# make test   the test suite
# make test-slurm   the demo through profiles/slurm on a real Slurm of one node (root, Debian's slurmctld slurmd slurm-client munge)
# make test-faults   a tiny study killed a hundred times (KILLS=100), damaged files, a full disk
# make test-fast   a part of it, in about two minutes
# make lint   ruff, snakefmt and snakemake --lint
# make format   what ruff and snakefmt can mend themselves
# make lock   exact pins from the ranges of pyproject.toml
# make clean   removes results, logs and what was simulated
# make bench-attacks   time and memory of the privacy battery at 20,000 profiles (ARGS="--candidates 2000 ..." for less)
# make pages   the pages and tables of the documentation that are made from plug-ins
# make check-dataset DATASET=name   what of a dataset would enter a study, before anything trains
# make plan-summary CONFIG=config/full.yaml   what a study would download and train
# make tune STUDY=name   an equal budget of random settings for each network, scored on held-out training donors
# make fuzz-readers   random and damaged files of every format into the readers (ARGS="--inputs 5000 --readers gct")
# make bench-ingest   time and memory of reading large files
# make bench-prepare   memory and time of quality control, harmonisation and checks, at growing numbers of samples
# make bench-prdc   time and memory of the neighbour metrics beside scikit-learn's (ARGS="--samples 2000 5000")
# make bench-together   twenty small training sets trained as one beside one by one
# make rehearse   the full study on simulated files of true upstream shape, scaled (ARGS="--scale 0.02 --genes 2000")
# make compare-peers DATA_ROOT=folder   other people's generators and ours on the same matrices: docs/comparison.md
# make bench-gpu   what a training step of each network costs on a GPU, beside the least that the GPU allows
# make bench-small-cohort   fifty patients, 20,000 genes: time and memory of the generators, other people's beside ours
# make bench-generators   training, sampling and memory of the generators, published presets beside ours
# Each builds .venv from the lock file when needed. Options for Snakemake: make demo ARGS="-n"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 2
ARGS ?=
CONFIG ?= config/full.yaml
STUDY_DEMO := results/demo/report/index.html

.DEFAULT_GOAL := help
.PHONY: help env demo test test-fast test-slurm test-faults lint format pages lock check-dataset plan-summary bench-ingest bench-prepare bench-attacks bench-prdc bench-generators bench-small-cohort compare-peers bench-together bench-gpu rehearse tune fuzz-readers clean

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

env: $(VENV)/.runtime

demo: $(VENV)/.runtime
	$(BIN)/snakemake --profile profiles/demo --cores $(CORES) $(ARGS)
	@$(BIN)/python tools/resources_used.py demo
	@echo "The report is at $(STUDY_DEMO)"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

FAST := test_study test_house core plan/test_plan ingest/test_units generators/test_generator_plugins \
	experiments/test_outcomes experiments/test_statistics command

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n auto --dist loadfile $(foreach part,$(FAST),$(wildcard tests/unit/$(part) tests/unit/$(part).py)) $(ARGS)

# STUDY=tests/tiny.yaml is the gate's: a job of Slurm costs two starts of Snakemake, and the demo has many.
test-slurm: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-slurm.lock
	PSEUDOCOHORT_SLURM_STUDY=$(or $(STUDY),config/demo.yaml) $(BIN)/python -m pytest -m slurm tests/slurm $(ARGS)

KILLS ?= 100

test-faults: $(VENV)/.dev
	PSEUDOCOHORT_KILLS=$(KILLS) $(BIN)/python -m pytest -s tests/faults $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --configfile config/demo.yaml

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

pages: $(VENV)/.runtime
	$(BIN)/python tools/generator_pages.py
	$(BIN)/python tools/config_table.py
	$(BIN)/python tools/glossary_page.py

lock: $(VENV)/.runtime
	$(BIN)/python tools/lock.py

bench-attacks: $(VENV)/.runtime
	$(BIN)/python tools/benchmark attacks $(ARGS)

check-dataset: $(VENV)/.runtime
	@test -n "$(DATASET)" || { echo "Name a dataset of the sheet: make check-dataset DATASET=name" >&2; exit 1; }
	@$(BIN)/pseudocohort check $(DATASET) $(ARGS)

plan-summary: $(VENV)/.runtime
	@$(BIN)/pseudocohort plan $(CONFIG) --jobs $(ARGS)

bench-ingest: $(VENV)/.runtime
	$(BIN)/python tools/benchmark ingest $(ARGS)

bench-prepare: $(VENV)/.runtime
	$(BIN)/python tools/benchmark prepare $(ARGS)

fuzz-readers: $(VENV)/.dev
	$(BIN)/python tools/fuzz_readers.py $(ARGS)

bench-prdc: $(VENV)/.runtime
	$(BIN)/python tools/benchmark prdc $(ARGS)

bench-generators: $(VENV)/.runtime
	$(BIN)/python tools/benchmark generators $(ARGS)

bench-small-cohort: $(VENV)/.runtime
	$(BIN)/python tools/benchmark small_cohort --install $(ARGS)

bench-together: $(VENV)/.runtime
	$(BIN)/python tools/benchmark together $(ARGS)

compare-peers: $(VENV)/.runtime
	@test -n "$(DATA_ROOT)" || { echo "Say where the data are: make compare-peers DATA_ROOT=folder" >&2; exit 1; }
	$(BIN)/python tools/compare_peers.py --data_root $(DATA_ROOT) --install --page docs/comparison.md $(ARGS)

bench-gpu: $(VENV)/.runtime
	$(BIN)/python tools/benchmark gpu $(ARGS)

rehearse: $(VENV)/.runtime
	$(BIN)/python tools/rehearse.py $(ARGS)

tune: $(VENV)/.runtime
	@test -n "$(STUDY)" || { echo "Name a study whose profiles are prepared: make tune STUDY=breast" >&2; exit 1; }
	$(BIN)/python tools/tune_generators.py $(STUDY) $(ARGS)

clean:
	rm -rf results logs benchmarks resources/demo resources/twelve .snakemake
