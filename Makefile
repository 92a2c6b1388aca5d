# Everything happens in .venv, which is made, filled and rebuilt as far as it is out of date; `make` alone lists the targets.
#   make run ARGS="..."          another command line for loadgen          make test ARGS="-k codec"
#   make run PYTHON=python3.12   another Python; remembered until `make clean`

VENV   := .venv
BIN    := $(VENV)/bin
# Each stamp says that one step is done; the first is named after the Python that made .venv, and another starts it afresh.
PYTHON ?= $(or $(patsubst $(VENV)/made-by-%,%,$(wildcard $(VENV)/made-by-*)),python3)
MADE      := $(VENV)/made-by-$(notdir $(PYTHON))
INSTALLED := $(VENV)/installed
BUILT     := $(VENV)/built
TOOLS     := $(VENV)/tools

COMPILED := $(shell find src/loadgen -name '_*.pyx' -o -name '_*.pxd')
FACES    := $(subst /,.,$(patsubst src/%.pyi,%,$(shell find src/loadgen -name '_*.pyi')))
# What a compilation leaves beside the sources.
OBJECTS  := find src/loadgen \( -name '_*.c' -o -name '_*.so' -o -name '_*.html' \) -delete
PIP      := $(BIN)/python -m pip --quiet --disable-pip-version-check
STUBTEST := --ignore-disjoint-bases --allowlist tests/stubtest-allowlist.txt --ignore-unused-allowlist
ARGS     ?=
FUZZ_SECONDS ?= 60

.PHONY: help run build test laws seeds campaign lint type bench bench-agents bench-client bench-histories bench-proxy mutants simulate soak-rates soaks jobs gates failovers stills trials fuzz asan cover clean
.DEFAULT_GOAL := help

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' Makefile

run: $(BUILT)  ## build, then put load on the built-in server: no other server needed
	$(BIN)/loadgen $(or $(ARGS),benchmark/config/quick-test.toml --format verbose --embedded)

build: $(BUILT)  ## compile what has changed and install the command into .venv

test: $(BUILT) $(TOOLS)  ## run the whole test suite; installs redis-server and memcached where they are missing
	@scripts/prepare servers
	PYTHON=$(BIN)/python scripts/test $(ARGS)

laws: $(BUILT) $(TOOLS)  ## the laws of time at full length, one after another: ten minutes, nightly in CI
	@scripts/prepare servers
	$(BIN)/python -m pytest -m law $(ARGS)

seeds: $(BUILT)  ## run the seed bank, tests/regression_seeds.txt: cases that failed once, within seconds
	@scripts/prepare servers
	$(BIN)/loadgen seeds test $(ARGS)

SIMULATED ?= 20
SIMULATED_OPS ?= 300
campaign: $(BUILT)  ## SIMULATED (20) seeds of the engine, the client and the queues in simulated worlds, within a minute
	$(BIN)/loadgen simulate --seeds $(SIMULATED) --ops $(SIMULATED_OPS) --artifacts build/failures $(ARGS)

lint: $(TOOLS)  ## ruff (rules and layout) and cython-lint; `.venv/bin/ruff format` mends the layout
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PATH=$(CURDIR)/$(BIN):$$PATH cython-lint src

type: $(BUILT) $(TOOLS)  ## mypy, and whether each .pyi agrees with its compiled module
	$(BIN)/mypy
	$(if $(FACES),MYPYPATH=src $(BIN)/python -m mypy.stubtest $(FACES) --concise $(STUBTEST))

bench: $(BUILT)  ## CPU per request beside the other generators on this machine, as ratios of one run
	$(BIN)/python benchmark/bench.py $(ARGS)

bench-proxy: $(BUILT)  ## the cost of loadgen proxy beside Toxiproxy's, which Go builds once: added round trip, throughput
	LOADGEN_BUILD_TOXIPROXY=1 $(BIN)/python benchmark/proxy.py $(ARGS)

bench-client: $(BUILT) $(TOOLS)  ## loadgen.client beside pymemcache on one core, as ratios of one run: some minutes
	$(BIN)/python benchmark/client.py $(ARGS)

bench-histories: $(BUILT)  ## time and memory of loadgen check for a million operations: half a minute
	$(BIN)/python benchmark/histories.py $(ARGS)

bench-agents: $(BUILT)  ## what more workers and more machines give, and what a leader pays for each agent: some minutes, as root
	@scripts/prepare servers
	$(BIN)/python benchmark/agents.py $(ARGS)

mutants: $(BUILT)  ## whether loadgen simulate finds every planted defect, and how small it makes the case: some minutes
	$(BIN)/python benchmark/mutants.py $(ARGS)

simulate: $(BUILT)  ## how often the rule of comparisons errs, in simulated suites with fixed seeds
	$(BIN)/python benchmark/simulations.py $(ARGS)

soak-rates: $(BUILT)  ## how often the verdict of a soak errs, in simulated series with fixed seeds: some minutes
	$(BIN)/python benchmark/soak_rates.py $(ARGS)

soaks: $(BUILT)  ## whether soaks of healthy servers pass, with real servers: 45 minutes; ARGS=--real: long ones and leaks
	@scripts/prepare servers
	$(BIN)/python benchmark/soaks.py $(ARGS)

jobs: $(BUILT) $(TOOLS)  ## the full set of tests of job queues, with the queues of other libraries: an hour, nightly in CI
	@scripts/prepare servers
	$(BIN)/python benchmark/jobs.py $(ARGS)

gates: $(BUILT)  ## how often a gate is right on this host, with real servers: an hour or more
	$(BIN)/python benchmark/gates.py $(ARGS)

trials: $(BUILT) $(TOOLS)  ## clients under faults at full length, and every scenario once: an hour, as root, nightly in CI
	@scripts/prepare servers
	$(BIN)/python benchmark/trials.py $(ARGS)

failovers: $(BUILT)  ## faults on nodes of a Redis Cluster that loadgen starts, and who takes over: five minutes, as root
	@scripts/prepare servers
	$(BIN)/python benchmark/failovers.py $(ARGS)

stills: $(BUILT)  ## whether a generator that stands still is found out, and only then: ten minutes, as root
	$(BIN)/python benchmark/stills.py $(ARGS)

fuzz: $(BUILT)  ## give mutated inputs to parsers and servers for FUZZ_SECONDS (60)
	$(BIN)/loadgen fuzz --duration $(FUZZ_SECONDS) $(ARGS)

# The codecs only are compiled anew, in a copy: the rest of loadgen is as it was built.
SANITIZE   := -fsanitize=address,undefined -fno-omit-frame-pointer
SANITIZERS  = $(shell gcc -print-file-name=libasan.so) $(shell gcc -print-file-name=libubsan.so)
CODECS     := _codec _memcache _request _resp

asan: $(BUILT)  ## fuzz codecs that are built with AddressSanitizer and UBSan for FUZZ_SECONDS (60)
	rm -rf build/asan && mkdir -p build/asan
	cp -a src setup.py pyproject.toml README.md LICENSE build/asan
	cd build/asan && rm -f $(foreach codec,$(CODECS),src/loadgen/$(codec).c src/loadgen/$(codec).*.so) && \
	  CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" $(CURDIR)/$(BIN)/python setup.py --quiet build_ext --inplace
	cd build/asan && LD_PRELOAD="$(SANITIZERS)" PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/build/asan/src \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  $(CURDIR)/$(BIN)/python -m loadgen fuzz --target resp_parser,memcache_parser,meta_parser,binary_parser --duration $(FUZZ_SECONDS) $(ARGS)

# Line tracing is compiled in for the measurement only, and thrown away with its build whether or not the tests pass.
cover: $(INSTALLED) $(TOOLS)  ## line coverage of Python and of compiled code
	@scripts/prepare servers
	rm -f $(BUILT) .coverage*; $(OBJECTS)
	trap "rm -f .coverage.*; $(OBJECTS)" EXIT; \
	LOADGEN_TRACE=1 $(BIN)/python setup.py --quiet build_ext --inplace && \
	$(BIN)/coverage run -m pytest -m 'not law' --ignore tests/project/test_packaging.py $(ARGS); tested=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$tested

clean:  ## remove everything that was built, .venv too
	rm -rf $(VENV) build dist src/*.egg-info \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* htmlcov
	$(OBJECTS)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@scripts/prepare build $(PYTHON)
	$(PYTHON) -m venv $(if $(wildcard $(VENV)/made-by-*),--clear) $(VENV)
	$(PIP) install --upgrade pip 'setuptools>=77' 'cython>=3.2'
	@touch $@

# Other flags make other C: what was generated under the old ones goes first.
$(INSTALLED): $(MADE) pyproject.toml setup.py
	find src/loadgen -name '_*.c' -delete
	$(PIP) install --editable .
	@touch $@

$(BUILT): $(INSTALLED) $(COMPILED)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

$(TOOLS): $(MADE) pyproject.toml
	$(PIP) install --group dev
	$(PIP) install --no-deps 'arq>=0.28,<0.29'
	@touch $@
