# Debian 12, with root or sudo, is all this needs: `make packages` installs the rest.

PYTHON := /usr/bin/python3

# End-to-end tests: Python unittest modules, run in this order against real servers.
# SEARCH=elasticsearch8 (or another of e2e.servers.ENGINES) chooses the search engine.
E2E := \
  e2e.servers.servers_test \
  e2e.servers.cluster_test \
  e2e.crd_test \
  e2e.chart_test \
  e2e.argocd_test \
  e2e.operator_test \
  e2e.tables_test \
  e2e.drift_test \
  e2e.plugin_test \
  e2e.docs_test \
  e2e.install_test \
  e2e.capture_test \
  e2e.aggregate_test \
  e2e.bad_input_test \
  e2e.dlq_test \
  e2e.ingest_test \
  e2e.partitions_test \
  e2e.query_test \
  e2e.widgets_test \
  e2e.tls_test \
  e2e.database_test \
  e2e.slot_test \
  e2e.debezium_test \
  e2e.screener_oracle_test \
  e2e.screener_test \
  e2e.cluster.screener_test \
  e2e.cluster.domains_test \
  e2e.cluster.database_test

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help packages build image unit contract e2e test demo cluster bench format tidy tsan fuzz \
  clang clean

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' Makefile | expand -t 18

packages: ## install the Debian packages that are missing
	@bash cmake/packages.sh

build: packages ## build/release
	cmake --preset release
	cmake --build --preset release

image: build ## build/image/searchsync.tar, the container image
	@bash cmake/image.sh

unit: packages ## unit tests, with sanitizers
	cmake --preset dev
	cmake --build --preset dev
	ctest --preset dev --parallel "$$(nproc)"

contract: unit ## contract tests, against the real servers
	$(PYTHON) -m unittest -v e2e.contract_test

e2e: image ## end-to-end tests, with real servers
	@set -e; for module in $(E2E); do \
	  echo "$$(date +%T) $(PYTHON) -m unittest -v $$module"; $(PYTHON) -m unittest -v $$module; done

test: unit contract e2e ## all tests

cluster: image ## start Kubernetes, with the image on it, until Ctrl-C; as root
	$(PYTHON) -m e2e.servers cluster --image build/image/searchsync.tar

demo: build ## start everything, and show it at work; SYSTEM=database and the like
	$(PYTHON) -m e2e.demo

bench: build ## measure, beside what it replaces
	$(PYTHON) -m bench
	$(PYTHON) -m bench.ingest
	$(PYTHON) -m bench operator
	$(PYTHON) -m bench.aggregate
	$(PYTHON) -m bench.commands

format: packages ## format the C++ sources
	git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-14 -i

# What only tidy and fuzz need.
clang: packages
	@bash cmake/packages.sh clang

tidy: clang ## clang-tidy over all C++ sources: many minutes
	cmake --preset tidy
	run-clang-tidy-16 -quiet -p build/tidy

FUZZ_SECONDS ?= 30

fuzz: clang ## feed each parser with hostile input, for FUZZ_SECONDS
	cmake --preset fuzz -DFUZZ_SECONDS=$(FUZZ_SECONDS)
	cmake --build --preset fuzz
	ctest --preset fuzz

tsan: packages ## unit tests of what has threads, with ThreadSanitizer
	cmake --preset tsan
	cmake --build --preset tsan
	ctest --preset tsan

clean: ## remove what was built; the cache of downloaded servers stays
	rm -rf build .searchsync
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
