# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= 2.13.0
BIN := $(VENV)/bin
# One thread per process: the suite runs one process per core.
TEST_ENV := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1

.PHONY: help demo test install lint types unit benchmark clean

help:                    ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/:/' | column -t -s:

demo: $(VENV)/.installed ## set up, then run the main job beside plain decoding
	@$(BIN)/ngramspec demo

test: $(VENV)/.installed-test lint types unit ## set up, then style, types and the whole suite

install: $(VENV)/.installed ## set up only

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

unit: $(VENV)/.installed-test
	$(TEST_ENV) $(BIN)/python -m pytest -n auto -q

benchmark: $(VENV)/.installed-test ## the tables that the README quotes (needs recorded traffic: TRACES="a.jsonl.gz …")
	$(BIN)/pip install --quiet --editable '.[benchmarks]'
	$(BIN)/python -m benchmarks.drafters $(TRACES)
	$(BIN)/python -m benchmarks.suffix_index
	$(BIN)/python -m benchmarks.live
	$(BIN)/python -m benchmarks.end_to_end $(TRACES)
	$(BIN)/python -m benchmarks.host_time

clean:                   ## remove the environment
	rm -rf $(VENV)

# PyPI's torch for Linux brings several GB of CUDA. Without a GPU the CPU build is taken: from wherever pip finds it, else
# through uv, which knows where PyTorch keeps it.
$(VENV)/.torch:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ngramspec needs Python 3.11 or later, got `$(PYTHON) --version`: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@if [ "`uname -s`" != Linux ] || { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; }; then \
		$(BIN)/pip install --quiet 'torch==$(TORCH)'; \
	else \
		$(BIN)/pip install --quiet 'torch==$(TORCH)+cpu' 2>/dev/null || { \
			$(BIN)/pip install --quiet uv && \
			$(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend=cpu 'torch==$(TORCH)'; }; \
	fi
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test]'
	$(BIN)/pip install --quiet --no-deps 'xgrammar>=0.2'
	@touch $@ $(VENV)/.installed
