# Every target sets up .venv by itself. `make help` lists them.
#
#   make PYTHON=python3.13 test    another interpreter (3.11 or newer)
#   make test ARGS="-k lease -x"   arguments for pytest; then only the suite on sim and cluster runs

PYTHON ?= python3
VENV   ?= .venv
RAY_VENV ?= .venv-ray
BENCH_VENV ?= .venv-bench
DEPLOY_VENV ?= .venv-deploy
ARGS   ?=
RAY_ARGS ?=

PY     := $(VENV)/bin/python
RAYSIM := $(VENV)/bin/raysim
OUT    := runs/demo

# One stamp for what the demo needs, one for what developers need; named after the interpreter,
# so that another PYTHON sets up again.
STAMP     := $(VENV)/.ready-$(subst /,_,$(PYTHON))
RUN_STAMP := $(STAMP)-run
DEV_STAMP := $(STAMP)-dev
RAY_STAMP := $(RAY_VENV)/.ready-$(subst /,_,$(PYTHON))-ray
BENCH_STAMP := $(BENCH_VENV)/.ready-$(subst /,_,$(PYTHON))-bench
DEPLOY_STAMP := $(DEPLOY_VENV)/.ready-$(subst /,_,$(PYTHON))-deploy
SET_UP_BY := pyproject.toml constraints.txt tools/set_up_venv.py

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-ray check format bench mutants replays kills handover soak shuffles paper manifests pex constraints clean python fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_STAMP) ## a workflow that loses a node, then one program in two worlds
	@rm -rf $(OUT)
	@printf '\n== 1/3  A workflow on a simulated cluster that loses a node ==\n\n'
	@$(RAYSIM) run scenarios/quickstart.yaml --out $(OUT)
	@printf '\n== 2/3  A Ray Core program on the simulator ==\n\n'
	@$(RAYSIM) run examples/quickstart.py --backend sim
	@printf '\n== 3/3  The same program on real processes ==\n\n'
	@$(RAYSIM) run examples/quickstart.py --backend cluster
	@test -f $(OUT)/report.html || { echo 'make demo: the run left no $(OUT)/report.html' >&2; exit 1; }
	@printf '\nThe report of the first run: %s\n' "$(CURDIR)/$(OUT)/report.html"

test: $(DEV_STAMP) ## the whole suite, on Ray too where it can be installed (ARGS="..." goes to pytest)
	@$(PY) -m pytest $(ARGS)
ifeq ($(strip $(ARGS)),)
	@printf '\n== Once more on sim, in other orders of events ==\n\n'
	@RAYSIM_TEST_BACKENDS=sim RAYSIM_TEST_DISORDER=1 $(PY) -m pytest -q tests/api
	@printf '\n== What is shipped for Kubernetes, containers and systemd ==\n\n'
	@$(MAKE) --no-print-directory manifests ARGS=
	@printf '\n== On Ray, where it can be installed, for 12 minutes or so ==\n\n'
	@$(MAKE) --no-print-directory test-ray RAY_ARGS="--within 690" ARGS='-m "not own_ray"'
endif

# Ray has a virtual environment of its own: nothing else is to depend on it. Its workers would run at a
# niceness of 15, and time out where the machine has something else to do.
test-ray: $(RAY_STAMP) ## the API's suite on Ray: every test, those as well that start a Ray of their own
	@[ -e '$(RAY_STAMP)' ] || exit 0; \
	export RAY_ADDRESS=local RAY_worker_niceness=0 RAYSIM_TEST_BACKENDS=ray; \
	$(RAY_VENV)/bin/python -m tools.pytest_on_ray $(RAY_ARGS) tests/api tests/on_ray tests/examples -- \
	  --timeout=180 -o cache_dir=$(RAY_VENV)/.pytest_cache $(ARGS)

check: $(DEV_STAMP) ## format, lint, types, layers, known vulnerabilities of what is pinned
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PY) tools/audit.py

format: $(DEV_STAMP) ## let ruff format and mend what it can
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

bench: $(DEV_STAMP) $(RAY_STAMP) $(BENCH_STAMP) ## the real backend beside its rivals, and the bars (ARGS="--quick")
	@$(PY) -m bench --python $(RAY_VENV)/bin/python --python $(BENCH_VENV)/bin/python $(ARGS)

mutants: $(DEV_STAMP) ## how soon the campaign finds each safeguard that is taken away
	@$(PY) -m tests.mutants.measure $(ARGS)

replays: $(DEV_STAMP) ## 200 runs, failing and passing ones, again in fresh processes: each has to be the same
	@$(PY) -m tests.campaign.replays $(ARGS)

kills: $(DEV_STAMP) ## SIGKILL of each kind of process at 50 random moments of a mixed load (ARGS="--victim head --seed 7")
	@$(PY) -m tests.cluster.kills $(ARGS)

soak: $(DEV_STAMP) ## 30 minutes of a mixed load on three nodes, with a kill every 10 s (ARGS="--minutes 5")
	@$(PY) -m tests.cluster.soak $(ARGS)

shuffles: $(DEV_STAMP) ## 8 GiB through a store of 2 GiB: undisturbed, while workers are killed, and while a node is (ARGS="--data 1")
	@$(PY) -m tests.cluster.shuffles $(ARGS)

fuzz: $(DEV_STAMP) ## 1,000,000 malformed frames and a port scan at a head that works (ARGS="--frames 20000")
	@$(PY) -m tests.cluster.fuzz $(ARGS)

paper: $(DEV_STAMP) ## published results, measured again on the simulator (ARGS="a d --data FOLDER")
	@$(PY) -m bench.paper $(ARGS)

handover: $(DEV_STAMP) ## 64 threads, 8 workers and 8 drivers that submit together, 100 times (ARGS="--times 5")
	@$(PY) -m tests.cluster.handover $(ARGS)

manifests: $(DEPLOY_STAMP) ## the Helm chart, pods and units, by Helm and by the schemas of Kubernetes, where both can be installed
	@[ ! -e '$(DEPLOY_STAMP)' ] || $(DEPLOY_VENV)/bin/python -m pytest -q tests/deploy $(ARGS)

pex: $(DEPLOY_STAMP) ## one file with all of raysim that a node needs but Python: dist/raysim.pex
	@mkdir -p dist
	@$(DEPLOY_VENV)/bin/pex '.[cluster,numpy]' --constraints constraints.txt --venv prepend \
	  --script raysim --output-file dist/raysim.pex
	@dist/raysim.pex --version

constraints: ## take the newest versions and write them to constraints.txt
	@$(PYTHON) tools/set_up_venv.py --newest constraints.txt

clean: ## remove the virtual environments, caches and runs
	rm -rf $(VENV) $(RAY_VENV) $(BENCH_VENV) $(DEPLOY_VENV) runs build dist .benchmarks .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "raysim needs Python 3.11 or newer, and '$(PYTHON)' is $$('$(PYTHON)' --version 2>&1). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }

$(RUN_STAMP): $(SET_UP_BY) | python
	@'$(PYTHON)' tools/set_up_venv.py '$(VENV)' --extras sim,cluster,numpy
	@touch $@

$(DEV_STAMP): $(SET_UP_BY) | python
	@'$(PYTHON)' tools/set_up_venv.py '$(VENV)' --extras dev
	@touch $(RUN_STAMP) $@

# Each actor is a process that spends a fifth of its time on its end: Python looks through all that
# Ray has imported for garbage. The line of ends_sooner.pth spares it that. One task of plain Ray shows
# that it runs here, not only that there is a wheel.
ONE_TASK := import ray; \
  ray.init("local", num_cpus=1, include_dashboard=False, logging_level="error"); \
  ray.get(ray.remote(lambda: 1).remote(), timeout=120)
$(RAY_STAMP): $(SET_UP_BY) | python
	@rm -f $@
	@'$(PYTHON)' tools/set_up_venv.py '$(RAY_VENV)' --extras dev,ray && \
	  ( cd '$(RAY_VENV)'/lib/python3*/site-packages && \
	    echo 'import atexit, gc; atexit.register(gc.freeze)' > ends_sooner.pth ) && \
	  timeout 300 '$(RAY_VENV)/bin/python' -c '$(ONE_TASK)' && \
	  touch $@ || echo 'Ray cannot be installed here, or does not run: what needs it is left out.' >&2

$(BENCH_STAMP): $(SET_UP_BY) | python
	@rm -f $@
	@'$(PYTHON)' tools/set_up_venv.py '$(BENCH_VENV)' --extras bench && touch $@ || \
	  echo 'Dask and loky cannot be installed here: they are left out.' >&2

$(DEPLOY_STAMP): $(SET_UP_BY) | python
	@rm -f $@
	@'$(PYTHON)' tools/set_up_venv.py '$(DEPLOY_VENV)' --extras dev,deploy && touch $@ || \
	  echo 'Helm and the schemas of Kubernetes cannot be installed here: the manifests are not looked at.' >&2
