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
#   PROFILE=profiles/slurm    `make figures` on a cluster, with this profile of Snakemake's
#   VERBOSE=1                 `make figures` with all of Snakemake's own output
#   TASK=/data/reviews MODEL=/models/bert NAME=mine OWN="--label stars"
#                             `make own`: your task, your model (default: the embedded one), a name
#                             for the experiment (default: the task's), and more arguments
#   RUN=/models/reviews-run   `make own`: a finished run of Hugging Face's Trainer on the task, which is
#                             looked at in place of training (MODEL: its base, if its files name none)
#   OUTPUT=results/figures/minilm/figure1.pdf
#                             the file that `make explain` is about
#   EXPERIMENTS="runs/a runs/b"
#                             folders that `make compare` compares; a path with blanks is quoted in it
#   PLAN="--gpu h100 --gpus 4"
#                             more arguments for `make plan`: another machine than this one
#   BENCH=name                `make bench` for benchmarks/name.py alone
#   PYTEST="-m 'not slow'"    more arguments for pytest
PYTHON ?=
TORCH_INDEX ?=
CORES ?= all
EXPERIMENT ?=
PROFILE ?=
VERBOSE ?=
TASK ?=
MODEL ?=
RUN ?=
NAME ?=
OWN ?=
OUTPUT ?=
EXPERIMENTS ?=
BENCH ?= *
PLAN ?=
PYTEST ?=

# Before anything is installed.
problem := $(shell sh envs/check_folder.sh)
ifneq (,$(problem))
$(error $(problem))
endif

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/tunescape-setup
# Tests call `snakemake` by name, as users do.
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup own plan figures compare explain import recover docs test pytest lint format bench clean

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

# A word for the shell, whatever characters a path has.
quote = '$(subst ','\'',$(1))'
experiment = $(call quote,$(EXPERIMENT))
# Where an experiment's results are: `runs/` and the name of its file.
folder = $(shell name=$(experiment); name=$${name##*/}; printf %s "runs/$${name%.*}")
DIRECTORY = $(if $(EXPERIMENT),--directory $(call quote,$(folder)))
RUN_IN = $(if $(EXPERIMENT),$(DIRECTORY) --configfile $(experiment))
# $(call check,TARGET) refuses an experiment that is not there; $(call need,TARGET,VARIABLE,EXAMPLE)
# a variable that is not set.
comma := ,
no_file = $(1): EXPERIMENT: got $(EXPERIMENT)$(comma) no such file
check = $(if $(EXPERIMENT),@test -f $(experiment) || \
	{ echo $(call quote,$(call no_file,$(1))) >&2; exit 1; })
need = $(if $($(2)),,@echo "$(1): expected $(2), such as: make $(1) $(2)=$(3)" >&2; exit 1)

own: $(STAMP) ## write an experiment for your own task (TASK=..., MODEL=..., RUN=..., NAME=..., OWN=...)
	$(call need,own,TASK,/data/reviews)
	@$(BIN)/python -m workflow_scripts.plan.own --task $(call quote,$(TASK)) \
	    $(if $(MODEL),--model $(call quote,$(MODEL))) $(if $(RUN),--run $(call quote,$(RUN))) \
	    $(if $(NAME),--name $(call quote,$(NAME))) $(OWN)

# The target comes first: options such as --configfile take every word that follows.
plan: $(STAMP) ## jobs, hours, disk and memory before a run (EXPERIMENT=..., CORES=..., PLAN=...)
	$(call check,plan)
	@$(BIN)/python -m workflow_scripts.plan $(RUN_IN) $(if $(filter-out all,$(CORES)),--cores $(CORES)) $(PLAN)

# A cluster's profile says how many jobs run at a time, so that CORES counts only if it is set.
HOW = $(if $(PROFILE),--workflow-profile $(call quote,$(PROFILE)) \
    $(if $(filter-out all,$(CORES)),--cores $(CORES)),--cores $(CORES))
# The plugin that shows progress is a package of this checkout.
LOGGER = $(if $(VERBOSE),,--logger tunescape)
figures: $(STAMP) ## every figure and table (EXPERIMENT=..., CORES=..., PROFILE=..., VERBOSE=1)
	$(call check,figures)
	@PYTHONPATH=$(call quote,$(CURDIR)) $(BIN)/snakemake results/figures/all $(HOW) $(LOGGER) $(RUN_IN)

compare: $(STAMP) ## finished experiments side by side, in runs/compare.html (EXPERIMENTS="runs/a runs/b")
	$(call need,compare,EXPERIMENTS,'runs/a runs/b')
	@$(BIN)/python -m workflow_scripts.compare --experiments $(call quote,$(EXPERIMENTS))

explain: $(STAMP) ## why a result is stale or fresh (OUTPUT=..., EXPERIMENT=...)
	$(call need,explain,OUTPUT,results/figures/minilm/figure1.pdf)
	$(call check,explain)
	@$(BIN)/python -m workflow_scripts.rebuilds explain $(call quote,$(OUTPUT)) $(RUN_IN)

import: $(STAMP) ## results that Snakemake has no record of, by their own records (EXPERIMENT=...)
	@$(BIN)/python -m workflow_scripts.rebuilds import $(DIRECTORY)

recover: $(STAMP) ## after a kill: end what is left of a run, and unlock it (EXPERIMENT=...)
	@$(BIN)/python -m workflow_scripts.rebuilds.recover $(DIRECTORY)

docs: $(STAMP) ## the documentation as a site, in site/
	@$(BIN)/python -m sphinx -q -W --keep-going -E -b html -c docs . site
	@echo "Open site/index.html in a browser; no server is needed."

# Lint first: it takes seconds, and pytest's own last line then closes the output.
test: lint pytest ## everything that has to pass: lint, then the tests

# One thread a worker, so that as many workers as cores do not fight over them; a file's tests stay
# with one worker, since they share what is slow to make. Files keep their order: slow ones first.
WORKERS = -n auto --maxprocesses=8 --dist=loadfile --no-loadscope-reorder
pytest: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/pytest -q --durations=15 $(WORKERS) $(PYTEST)

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

clean: ## delete caches and site/; results, runs and .venv stay
	@rm -rf .pytest_cache .ruff_cache build dist site *.egg-info
	@find . -path ./$(VENV) -prune -o -path ./results -prune -o -path ./runs -prune \
	    -o -type d -name __pycache__ -prune -exec rm -rf {} +
	@echo "Caches deleted. Results stay: delete results/ or runs/NAME yourself to compute them again."
