# Every command a user needs; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
PERSONS ?= 20000
SEED ?= 1
KILLS ?= 200
MUTANTS ?= 1000
SERIES ?= 1000
HISTORIES ?= 5000
export PARCOURS_SECRETS ?= secrets/cluster.env
COMPOSE := docker compose --env-file $(PARCOURS_SECRETS)

# `docs` is a folder too.
.PHONY: docs help setup demo test test-parts test-e2e test-bench test-browser test-chaos test-fuzz test-oracle test-oracle-r test-releases test-living lint \
	test-cluster test-cluster-faults test-cluster-parts test-hdfs test-drivers test-logins \
	bench calibrate bench-flatten bench-featuring bench-inference bench-payloads bench-schedule bench-eta stop up down down-volumes

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Made again when the lock file or the project file changes; `uv sync` itself is skipped otherwise.
.venv/.synced: uv.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap

setup: .venv/.synced ## Make the environment (needs Python 3.11 and Java 17; brings uv itself)

demo: setup ## Set up and run the main job on this machine: synthetic SNDS data to a drug-safety report
	@$(BIN)/parcours demo --persons $(PERSONS) --seed $(SEED)

test: setup ## Set up, check the code and run all tests that need no container engine
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=line lint test-parts test-e2e

# Side by side: the platform from end to end waits for Airflow most of its time.
test-parts: setup
	@$(BIN)/pytest --ignore=tests/e2e

test-e2e: setup
	@$(BIN)/pytest tests/e2e

test-chaos: setup ## Kill flattening KILLS times (200: half an hour) and featuring, at random moments, fill its disk, break its files
	@KILLS=$(KILLS) $(BIN)/pytest -m chaos -s tests/chaos

test-oracle: test-oracle-r ## Compare HISTORIES=5000 random histories with what plain Python reads in them, and SCCS with R (five minutes)
	@HISTORIES=$(HISTORIES) $(BIN)/pytest -q tests/oracle/test_fast_path_agrees.py

test-oracle-r: setup ## Compare SCCS with clogit and gnm of R on SERIES=1000 random case series (two minutes)
	@SERIES=$(SERIES) $(BIN)/pytest -q -m oracle_r --timeout 3600 tests/oracle_r

test-fuzz: setup ## Flatten MUTANTS=1000 spoiled raw files: none may crash it, hang it or lose a row (ten minutes)
	@MUTANTS=$(MUTANTS) SEED=$(SEED) $(BIN)/pytest -q -s --timeout 7200 tests/fuzz/fuzz_flatten.py

test-bench: setup ## Run the benchmarks of flattening, featuring and inference on little data, to see that they work
	@$(BIN)/pytest -m bench tests/spark/benchmarks

test-browser: setup ## Use the demo in a headless Chromium with the network cut, and examine every page (needs chromium and npm)
	@$(BIN)/pytest -m browser tests/spark/quality tests/unit/front tests/unit/reporting tests/unit/tracking tests/browser

test-cluster: setup ## Build and start the whole cluster on a Docker engine, run both DAGs on it, and take it down with its volumes
	@$(BIN)/pytest -m cluster --timeout 3600 $(addprefix --ignore=tests/cluster/,faults hdfs drivers logins) tests/cluster

test-cluster-faults: setup ## The same cluster while it flattens: kill, cut off and restart its services, one after the other
	@$(BIN)/pytest -m cluster --timeout 3600 tests/cluster/faults

test-cluster-parts: setup ## A real HDFS, a real Spark master with Airflow, and its logins, as plain processes; needs no Docker engine
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line test-hdfs test-drivers test-logins

# Side by side: locks and drivers are waited for most of the time.
test-hdfs: setup
	@$(BIN)/pytest -m cluster tests/cluster/hdfs

test-drivers: setup
	@$(BIN)/pytest -m cluster tests/cluster/drivers

# In an environment of its own, which has the logins of the cluster's Airflow too.
test-logins: setup
	@UV_PROJECT_ENVIRONMENT=.venv-cluster UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never .uv/bin/uv run --frozen --quiet \
		--extra cluster pytest -m cluster tests/cluster/logins

lint: setup ## Check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: setup ## Write again what is generated: the pages of errors, commands, forms, extractors and rules, and the suites in expectations/
	@$(BIN)/python scripts/errors_page.py
	@$(BIN)/python scripts/command_line_page.py
	@$(BIN)/python scripts/forms_page.py
	@$(BIN)/python scripts/extractors_page.py
	@$(BIN)/python -m parcours.quality.reference
	@$(BIN)/python -m parcours.quality.suites

bench: bench-flatten bench-featuring bench-inference bench-payloads bench-schedule bench-eta ## Run every benchmark; each writes a file under benchmarks/results

bench-flatten: setup ## Measure flattening against SCALPEL's plan and DuckDB, at 1x, 4x and 16x (half an hour, 30 GB of disk)
	@$(BIN)/python -m benchmarks.flatten

bench-featuring: setup ## Measure featuring of the fall study against SCALPEL's plan, at 1x, 4x and 16x (an hour, 25 GB of disk)
	@$(BIN)/python -m benchmarks.featuring

bench-inference: setup ## Measure ConvSCCS against tick 0.8.0.2, and on a national study of 200,000 cases (a quarter of an hour; needs a package index)
	@$(BIN)/python -m benchmarks.inference

bench-payloads: setup ## Measure what it costs to cut rows into many claim buckets (half a minute)
	@$(BIN)/python -m benchmarks.payloads

bench-schedule: setup ## Simulate flattening 32 TB on 20 nodes from what the two others measured (two minutes)
	@$(BIN)/python -m benchmarks.schedule

bench-eta: setup ## Watch what running jobs say of the time that is left, over five chains of the demo's size
	@$(BIN)/python -m benchmarks.progress

test-living: setup ## Deliver a month to a study that the real scheduler runs every minute, and read what it says (a quarter of an hour)
	@$(BIN)/pytest -m living tests/e2e/test_living_schedule.py

test-releases: setup ## Draw 200 pairs of cohorts that differ by 1 to 10 persons, and work out what two reports give away
	@PAIRS=$(or $(PAIRS),200) $(BIN)/pytest -s tests/unit/release

calibrate: setup ## Measure on drawn case series how often curves, intervals and flags are right (half an hour)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.calibration --shapes 200
	@$(BIN)/python scripts/calibration_page.py

stop: ## Stop every service that the demo started
	@if [ -x $(BIN)/parcours ]; then $(BIN)/parcours stop; fi

up: ## Build and start the cluster (needs a Docker engine with Compose; 16 GB); ends when every service is ready
	@scripts/cluster-secrets
	@$(COMPOSE) build
	@$(COMPOSE) up --detach --wait --wait-timeout 900
	@scripts/cluster-addresses

down: ## Stop the cluster and keep its data
	@docker compose down

down-volumes: ## Stop the cluster and delete its data: HDFS, databases, MLflow's artifacts
	@docker compose down --volumes
