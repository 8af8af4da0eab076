# The two commands of the README are `make demo` and `make test`; each makes the environment it needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

ORACLES ?= build/oracles

.PHONY: demo test check bench docs soak oracles clean

demo: build/demo.ready
	$(BIN)/zoo run retinaface infer sample:t1

test: build/dev.ready
	$(BIN)/python -m pytest -n $${ZOO_TEST_WORKERS:-auto} --dist loadgroup

check: build/dev.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: build/dev.ready
	$(BIN)/python -m benchmarks

docs: build/dev.ready
	$(BIN)/python docs/generate.py

soak: build/dev.ready
	ZOO_SOAK=20 $(BIN)/python -m pytest -q -n $${ZOO_TEST_WORKERS:-auto} tests/converters tests/attacks tests/conversion tests/models

# The original frameworks, each in an environment of its own: they read what we write. Python 3.11, and for onnx2tf the
# 3.12 that ZOO_PYTHON312 names (python3.12), without which its tests are skipped; about 6 GB.
oracles: build/dev.ready $(ORACLES)/mxnet/ready $(ORACLES)/tensorflow/ready $(ORACLES)/mmcv/ready $(ORACLES)/tfslim/ready
	ZOO_ORACLES=$(abspath $(ORACLES)) $(BIN)/python -m pytest -q tests/oracles

$(ORACLES)/mxnet/ready:
	$(PYTHON) -m venv $(ORACLES)/mxnet
	$(ORACLES)/mxnet/bin/pip install --quiet mxnet==1.9.1 numpy==1.23.5
	touch $@

$(ORACLES)/tensorflow/ready:
	$(PYTHON) -m venv $(ORACLES)/tensorflow
	$(ORACLES)/tensorflow/bin/pip install --quiet tensorflow==2.21.0
	touch $@

$(ORACLES)/tfslim/ready:
	$(PYTHON) -m venv $(ORACLES)/tfslim
	$(ORACLES)/tfslim/bin/pip install --quiet tensorflow-cpu==2.15.1 tf-keras==2.15.1 tf-slim==1.1.0 pluggy google-crc32c
	touch $@

$(ORACLES)/mmcv/ready:
	$(PYTHON) -m venv $(ORACLES)/mmcv
	$(ORACLES)/mmcv/bin/pip install --quiet torch==2.13.0 mmcv-lite==2.2.0 pluggy
	touch $@

clean:
	rm -rf build dist results .venv

build/demo.ready: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[cpu]'
	mkdir -p build && touch $@

build/dev.ready: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	mkdir -p build && touch $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The zoo needs Python 3.11 or newer; set PYTHON.")'
	$(PYTHON) -m venv $(VENV)
