# One release build serves the demo, the tests and the benchmarks.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test build format lint bench bench-forest bench-models simulate soak soak-tests faults fuzz fuzz-programs clean install-deps tests-built

SWIFT ?= swift
SWIFT_BUILD := $(SWIFT) build --configuration release
CUTBANK := .build/release/cutbank
FORMATTED := Package.swift Sources Tests Fuzz $(wildcard Benchmarks)

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: build ## build and run the demo: a Kafka topic in, scored records and alerts out
	@$(CUTBANK) demo

test: lint tests-built ## check the formatting, then run every test (the demo included)
	@$(SWIFT) test --configuration release --skip-build --disable-xctest

build: install-deps ## build the cutbank program
	@echo "building cutbank (the first time takes some minutes)"
	@$(SWIFT_BUILD) --product cutbank

tests-built:
	@CUTBANK_TEST_PACKAGES=1 .ci/install-packages
	@.ci/install-test-parts
	@echo "building cutbank and its tests (the first time takes some minutes)"
	@$(SWIFT_BUILD) --build-tests

format: ## format all sources
	@$(SWIFT) format --in-place --parallel --recursive $(FORMATTED)

lint: ## check the formatting
	@$(SWIFT) format lint --strict --parallel --recursive $(FORMATTED)

bench: build ## measure against the peers: one table per program of Benchmarks/
	@$(MAKE) --no-print-directory -C Benchmarks

bench-forest: build ## measure the forest beside AWS's Rust implementation and print the ratio
	@Benchmarks/forest/run

bench-models: build ## measure training beside scikit-learn and GluonTS: SHORT=1 for a quick look
	@Benchmarks/models/run

simulate: install-deps ## run the engine on a simulated broker, disk and clock: SEEDS=2000 FIRST=1 TRACE=1
	@$(SWIFT_BUILD) --product simulate
	@.build/release/simulate --first $(or $(FIRST),1) --seeds $(or $(SEEDS),2000) $(if $(TRACE),--trace)

soak: build ## run a daemon under a steady load and watch its memory: MINUTES=30
	@$(CUTBANK) bench soak --minutes $(or $(MINUTES),30)

soak-tests: tests-built ## run the long fuzz and property tests
	@CUTBANK_SOAK=1 $(SWIFT) test --configuration release --skip-build --disable-xctest

faults: tests-built ## run every fault as long as it is meant and print a table (40 minutes)
	@CUTBANK_FAULTS=1 $(SWIFT) test --configuration release --skip-build --disable-xctest \
	  --filter 'Fault[0-9]' 2>&1 | Tests/fault-table.py

fuzz: install-deps ## fuzz the SQL compiler for SECONDS_TO_RUN seconds (600) with libFuzzer
	@Fuzz/run

fuzz-programs: tests-built ## run random programs, three ways each, for SECONDS_TO_RUN seconds (600): SEED=1
	@CUTBANK_PROGRAM_SECONDS=$(or $(SECONDS_TO_RUN),600) CUTBANK_PROGRAM_SEED=$(or $(SEED),1) \
	  $(SWIFT) test --configuration release --skip-build --disable-xctest \
	  --filter DataflowTests.RandomProgramTests

install-deps: ## install the system libraries that are missing, through apt
	@.ci/install-packages

clean: ## remove everything that was built or delivered
	@rm -rf .build Benchmarks/.build out data
