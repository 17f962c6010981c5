# The few commands that a person needs; `make` alone lists them.
#
#   PYTHON=/path/to/python3   the Python that .venv is made with (default: the newest tested one here)
#   TORCH_INDEX=https://download.pytorch.org/whl/cpu
#                             an index that torch is taken from when .venv is made; this one has the
#                             build without CUDA (on Linux the package index's own is the GPU build,
#                             several GB). Where pip is set up with a local wheel, that is used anyway.
#   CORES=4                   processor cores for `make figures` (default: all)
#   EXPERIMENT=experiments/smoke.yaml
#                             `make figures` for another experiment, in runs/smoke
#   PLAN="--gpu h100 --gpus 4"
#                             more arguments for `make plan`: another machine than this one
#   BENCH=name                `make bench` for benchmarks/name.py alone
#   PYTEST="-m 'not slow'"    more arguments for pytest
PYTHON ?=
TORCH_INDEX ?=
CORES ?= all
EXPERIMENT ?=
BENCH ?= *
PLAN ?=
PYTEST ?=

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/tunescape-setup
# Tests call `snakemake` by name, as users do.
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup plan figures recover test pytest lint format bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "Variables are explained at the top of the Makefile."

setup: $(STAMP) ## make .venv with all that is needed (nothing to do if it is there)

# An environment knows its own path: one that was copied or moved with the checkout, or whose Python
# is gone, is rebuilt.
ifneq ($(shell test -x $(VENV)/bin/python && head -n 1 $(STAMP) 2>/dev/null),$(CURDIR)/$(VENV))
.PHONY: $(STAMP)
endif
$(STAMP): pyproject.toml constraints.txt
	@python=$$(sh envs/find_python.sh "$(PYTHON)") && \
	"$$python" envs/setup_venv.py --torch-index "$(TORCH_INDEX)"

# The target comes first: options such as --configfile take every word that follows.
DIRECTORY = $(if $(EXPERIMENT),--directory runs/$(basename $(notdir $(EXPERIMENT))))
RUN_IN = $(if $(EXPERIMENT),$(DIRECTORY) --configfile $(EXPERIMENT))
plan: $(STAMP) ## jobs, hours, disk and memory before a run (EXPERIMENT=..., CORES=..., PLAN=...)
	@$(BIN)/python -m workflow_scripts.plan $(RUN_IN) $(if $(filter-out all,$(CORES)),--cores $(CORES)) $(PLAN)

figures: $(STAMP) ## every figure and table (EXPERIMENT=..., CORES=...)
	@$(BIN)/snakemake results/figures/all --cores $(CORES) $(RUN_IN)

recover: $(STAMP) ## after a kill: end what is left of a run, and unlock it (EXPERIMENT=...)
	@$(BIN)/python -m workflow_scripts.rebuilds.recover $(DIRECTORY)

# Lint first: it takes seconds, and pytest's own last line then closes the output.
test: lint pytest ## everything that has to pass: lint, then the tests

# One thread a worker, so that as many workers as cores do not fight over them; a file's tests stay
# with one worker, since they share what is slow to make.
pytest: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --maxprocesses=8 --dist=loadfile $(PYTEST)

SNAKEFILES = Snakefile $(wildcard rules/*.smk)
lint: $(STAMP) ## ruff, snakefmt and Snakemake's own lint
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/snakefmt --check $(SNAKEFILES)
	@$(BIN)/snakemake --lint

format: $(STAMP) ## rewrite what ruff and snakefmt can put right
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format
	@$(BIN)/snakefmt $(SNAKEFILES)

bench: $(STAMP) ## run the benchmarks (BENCH=name for one)
	@$(BIN)/python envs/setup_venv.py --extra bench
	@set -e; found=; for script in benchmarks/$(BENCH).py; do \
	    case "$$script" in */_*|*/'*'.py) continue;; esac; \
	    test -f "$$script" || continue; \
	    found=yes; echo "== $$script"; PYTHONPATH="$(CURDIR)" $(BIN)/python "$$script"; \
	done; test -n "$$found" || { echo "bench: no benchmarks/$(BENCH).py" >&2; exit 1; }

clean: ## delete caches; results, runs and .venv stay
	@rm -rf .pytest_cache .ruff_cache build dist *.egg-info
	@find . -path ./$(VENV) -prune -o -path ./results -prune -o -path ./runs -prune \
	    -o -type d -name __pycache__ -prune -exec rm -rf {} +
	@echo "Caches deleted. Results stay: delete results/ or runs/NAME yourself to compute them again."
