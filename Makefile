# Everything lives in .venv; nothing global is touched. `make help` lists the targets.
PYTHON ?= python3
PORT ?= 8000
export PORT REDIS_URL PYTHON

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
HASHED := $(PIP) install --quiet --require-hashes --no-build-isolation
SERVE := $(VENV)/.serve-installed
TRAIN := $(VENV)/.train-installed
ALL := $(VENV)/.all-installed
DEMO_DATA ?= models/demo/data
DEMO_STORE ?= models/demo/store

.DEFAULT_GOAL := help
.PHONY: help install install-train run demo-release test lint format load bench bench-faults bench-swap soak bench-stores bench-filters bench-stages bench-items check lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(SERVE): requirements/build.txt requirements/serve.txt pyproject.toml
	@sh deploy/prerequisites.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); hnswlib is compiled, which takes about a minute the first time"
	@$(PIP) install --quiet --require-hashes -r requirements/build.txt
	@$(HASHED) -r requirements/serve.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(TRAIN): $(SERVE) requirements/train.txt requirements/torch.txt
	@echo "Installing what training needs (torch is large)"
	@$(HASHED) -r requirements/train.txt
	@$(PIP) install --quiet -r requirements/torch.txt
	@touch $@

$(ALL): $(TRAIN) requirements/load.txt requirements/dev.txt
	@$(HASHED) -r requirements/load.txt -r requirements/dev.txt
	@touch $@

install: $(ALL)  ## everything: serving, training, load tests, development tools

install-train: $(TRAIN)  ## serving and training only

run: $(SERVE)  ## serve the demo release in the foreground (PORT=8000, REDIS_URL=redis://...)
	@OPENBLAS_NUM_THREADS=1 exec $(BIN)/sightline serve

demo-release: $(TRAIN)  ## train and publish the demo release again
	$(BIN)/python -m models release --data $(DEMO_DATA) --out $(DEMO_STORE)

test: $(ALL)  ## run the tests
	$(BIN)/python -m pytest

lint: $(ALL)  ## check style, types and layers; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(ALL)  ## format the code and apply safe fixes
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

load: $(ALL)  ## 30 s of shoppers against a service of its own (LOAD_SECONDS=30 LOAD_USERS=20)
	$(BIN)/python -m loadtest.run

bench: $(ALL)  ## latency beside the bare core calls and two reference services
	$(BIN)/python -m loadtest.bench

bench-faults: $(ALL)  ## what a Redis that hangs, dies, flaps or lags costs (FAULT_RATE=100 FAULT_SECONDS=5 FAULT_ROUNDS=3)
	$(BIN)/python -m loadtest.faults

bench-swap: $(ALL)  ## what clients notice of 20 changes of a large release (BENCH_ITEMS=1000000 BENCH_SWITCHES=20)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m loadtest.swap

soak: $(ALL)  ## hours of lists and changes of release: nothing may grow (SOAK_MINUTES=120 SOAK_SWITCH_S=300 SOAK_RATE=50)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m loadtest.soak

bench-stores: $(ALL)  ## reading and writing sessions beside bare redis-py, and their size
	$(BIN)/python -m tests.service.stores.measure

bench-items: $(ALL)  ## what item updates cost, and how soon all know of them (ITEM_RATE=100 ITEM_ROUNDS=80 ITEM_SECONDS=0.5)
	$(BIN)/python -m loadtest.updates

bench-filters: $(ALL)  ## latency and recall under filters, 1 million items, beside hnswlib's own filter
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.service.indexes.measure

bench-stages: $(ALL)  ## what each stage of the read path costs, in one process
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.service.measure

check: lint test  ## what must pass before a commit, and what CI runs

lock: $(ALL)  ## resolve the pinned requirements again
	sh requirements/lock.sh $(BIN)/uv

clean:  ## remove the environment and what running left behind
	rm -rf $(VENV) var build *.egg-info .pytest_cache .mypy_cache .ruff_cache
