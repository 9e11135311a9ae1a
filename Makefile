# Everything happens in .venv; nothing is installed elsewhere. PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SERVE ?=
ATTACK ?=
BENCH ?=
COMPARE ?=
HISTORY ?=
FUZZ ?=
DATA ?= ../shared/datasets/steel
# LOCKED=1 installs exactly what requirements-ci.txt says, with its hashes, as CI does; else the newest that fits.
LOCKED ?=
LOCK_FILE := requirements-ci.txt
LOCK ?=
EVERYTHING := --extra train --extra dev --extra supply --extra fuzz --extra otel --extra heic --extra mqtt --extra objects --extra postgresql
# The network as it is, and with one part taken away or exchanged at a time. MOBILENET_V2 is its ImageNet weights:
# downloaded, or torchvision's file.
MOBILENET_V2 ?= imagenet
ARCHITECTURES ?= --train efficientnet_lite0 efficientnet_lite0+pixel-channels=0 efficientnet_lite0+no-light \
	efficientnet_lite0+proposals=1000 mobilenet_v2=$(MOBILENET_V2) --minutes 25 \
	--scale 1.28 --least-zoom 0.75 --most-zoom 1.4 --validate-every 12.6 --no-pictures

.PHONY: serve test test-fast test-ray lint lint-scripts bench bench-stages bench-compare bench-history bench-ray attack fuzz fuzz-headers architectures notebook client train-extra lock audit sbom clean

serve: $(VENV)/serve.installed  ## Start the service on 127.0.0.1:8000 (options: make serve SERVE="--port 9000")
	$(BIN)/planimeter serve $(SERVE)

test: $(VENV)/dev.installed  ## All tests, with PyTorch for those of training
	$(BIN)/python -m pytest

test-fast: $(VENV)/dev.installed  ## The tests that take no more than a few seconds each
	$(BIN)/python -m pytest -m "not slow and not browser and not training and not foreign"

test-ray: $(VENV)/ray.installed  ## The tests that start a Ray cluster on this machine
	$(BIN)/python -m pytest -m ray

lint: $(VENV)/dev.installed  ## Style, types, import contract; the scripts of the pages where there is node
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-scripts; else \
		echo "NOT CHECKED: the scripts and style sheets of the pages. There is no node (20 or newer, with npm) here." >&2; fi

lint-scripts: node_modules/installed  ## Style and types of the scripts, style of the style sheets
	node_modules/.bin/biome check --error-on-warnings
	node_modules/.bin/tsc --project .

bench: $(VENV)/serve.installed  ## All figures of time and memory, some ten minutes (options: make bench BENCH="--quick")
	$(BIN)/python bench/everything.py $(BENCH)

bench-stages: $(VENV)/serve.installed  ## Milliseconds of each stage between the bytes of a picture and its stored measurement
	$(BIN)/python bench/stages.py

bench-compare: $(VENV)/train.installed  ## Beside what one would use instead, in turns (options: make bench-compare COMPARE="--quick")
	$(BIN)/python bench/compare.py --environments $(VENV)/peers $(COMPARE)

bench-history: $(VENV)/serve.installed  ## Milliseconds of the history with 100,000 measurements (HISTORY="--number 1000000 --instances 2")
	$(BIN)/python bench/history.py $(HISTORY)

bench-ray: $(VENV)/ray.installed  ## One process beside a Ray cluster of two workers on this machine (RAY="--rounds 3")
	$(BIN)/python bench/workers.py $(RAY)

attack: $(VENV)/serve.installed  ## Attack a service and say which promises held (options: make attack ATTACK="--short")
	$(BIN)/python bench/attack $(ATTACK)

fuzz: $(VENV)/dev.installed  ## Send a million changed pictures to the decoders (fewer: make fuzz FUZZ="--seconds 60")
	$(BIN)/python bench/fuzz/fuzz.py $(FUZZ)

fuzz-headers: $(VENV)/fuzz.installed  ## Look for a file that the reading of headers cannot bear, guided by coverage (FUZZ="--seconds 60")
	$(BIN)/python bench/fuzz/headers.py $(FUZZ)

architectures: $(VENV)/train.installed  ## Train architectures alike on DATA, then compare (options: ARCHITECTURES="…")
	$(BIN)/python bench/architectures.py $(DATA) $(ARCHITECTURES)

bench-page: $(VENV)/dev.installed  ## Weight and quickness of the page, in Chromium
	$(BIN)/python bench/page.py

notebook: $(VENV)/dev.installed  ## Run the Colab notebook here
	$(BIN)/python -m pytest tests/test_notebook.py

client: $(VENV)/dev.installed  ## Write the types of planimeter.Client anew, from what the API says of itself
	$(BIN)/python -m planimeter.service.api.client_types
	$(BIN)/ruff format src/planimeter/client
	$(BIN)/ruff check --fix src/planimeter/client

lock: $(VENV)/supply.installed  ## Write the lock file anew; it keeps the versions it has (the newest: make lock LOCK=--upgrade)
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 $(EVERYTHING) --generate-hashes $(LOCK) \
		--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" --quiet \
		--output-file $(LOCK_FILE)

audit: $(VENV)/supply.installed  ## Ask for known vulnerabilities of all that the lock file names
	$(BIN)/python bench/audit.py

sbom: $(VENV)/supply.installed  ## Write dist/sbom.json (CycloneDX): what is installed in .venv, with versions and licences
	mkdir -p dist
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

train-extra: $(VENV)/train.installed  ## Add PyTorch to .venv: for training, and for GPUs

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Planimeter needs Python 3.10 or newer; name one with make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/serve.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/train.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train]'
	touch $@

$(VENV)/dev.installed: pyproject.toml $(LOCK_FILE) | $(VENV)/bin/python
ifdef LOCKED
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK_FILE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(VENV)/supply.installed $(VENV)/fuzz.installed
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
endif
	touch $@ $(VENV)/serve.installed

$(VENV)/ray.installed: pyproject.toml | $(VENV)/dev.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ray]'
	touch $@

$(VENV)/supply.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[supply]'
	touch $@

$(VENV)/fuzz.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	touch $@

node_modules/installed: package.json package-lock.json
	npm ci --no-audit --no-fund
	touch $@

clean:
	rm -rf $(VENV) node_modules dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
