# Two commands: `make demo` (see it learn) and `make test`.  Both set everything up themselves.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
OUT ?= runs/demo

.PHONY: demo demo-short smoke test lint bench bench-gpu setup lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip sync --quiet --python $(RUN) requirements.lock
	$(VENV)/bin/uv pip install --quiet --python $(RUN) --no-deps -e .
	touch $@

demo: setup
	$(RUN) -m launch.demo --out $(OUT)

demo-short: setup
	$(RUN) -m launch.demo --short --out $(OUT)-short

# Two processes; a file stays with one of them, and so does the data it prepares.
test: setup
	$(RUN) -m pytest -q -n 2 --dist loadfile --durations=40

# The shortest way through everything, for another Python.
smoke: setup
	$(RUN) -m pytest -q tests/test_train.py -k "learns or reads_back"

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell
	$(VENV)/bin/pyright

bench: setup
	for script in tests/benchmarks/prep.py tests/benchmarks/bench_*.py; do $(RUN) $$script || exit 1; done

# On a machine with GPUs or TPUs: how much fits, ways to attend, ways to save memory, the loss.
STEP := $(RUN) tests/benchmarks/bench_step.py --config=base --batch=32 --micro_batch=8
bench-gpu: setup
	$(RUN) tests/benchmarks/bench_step.py --config=base --largest
	for way in cudnn xla plain; do $(STEP) --attention=$$way || true; done
	for how in none dots full; do $(STEP) --remat=$$how || true; done
	$(STEP) --profile=runs/profile
	$(RUN) tests/benchmarks/bench_attention.py
	$(RUN) tests/benchmarks/bench_loss.py 16384 32768 65536

# The lock file: one for every Python and platform.
lock: setup
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --extra prep --extra eval --extra published --extra search --extra test setup.cfg -o requirements.lock

clean:
	rm -rf $(VENV) runs
