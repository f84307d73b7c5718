# make demo   trains a CNN on Fashion-MNIST        make test   every test, on the CPU and the emulated GPU
# make check  coverage, sanitizers, nvcc, lint, types, a wheel          make bench   times bolide beside its peers
# make build  the Release build in build/; PYTHONPATH=build/python      make gpu-kit  what tests/gpu/run.sh needs offline
# make format  ruff's and clang-format's layout                         make clean
#
# Everything that is needed is installed on the way (tools/setup.sh): Debian packages, and Python packages into .venv.
SHELL := /bin/bash
BUILD := build
JOBS ?= $(shell nproc)
PYTHON := $(CURDIR)/.venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test check build bench gpu-kit format clean
.DEFAULT_GOAL := build

build:
	@tools/setup.sh build
	@tools/build.sh $(BUILD) $(JOBS) _C

demo:
	@tools/setup.sh demo
	@tools/build.sh $(BUILD) $(JOBS) _C
	PYTHONPATH=$(BUILD)/python $(PYTHON) examples/fashion_mnist.py

test:
	@tools/setup.sh test
	@tools/build.sh $(BUILD) $(JOBS) tests -DBOLIDE_TESTS=ON -DBOLIDE_CUDA_EMULATION=ON
	@$(PYTHON) tools/run_tests.py $(BUILD)

check:
	@tools/setup.sh check
	@$(PYTHON) tools/check.py --jobs $(JOBS) $(STAGES)

bench:
	@tools/setup.sh test
	@tools/build.sh $(BUILD) $(JOBS) benchmarks -DBOLIDE_BENCHMARKS=ON
	$(BUILD)/bolide_benchmarks --benchmark_min_time=0.1
	PYTHONPATH=$(BUILD)/python $(PYTHON) benchmarks/compare.py

gpu-kit:
	@tools/setup.sh test
	@tools/gpu_kit.sh

format:
	@tools/setup.sh check
	ruff format . && ruff check --fix .
	tools/clang_format.sh -i

clean:
	rm -rf build build-* dist gpu-kit python/*.egg-info
