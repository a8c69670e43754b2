# Everything sets itself up in .venv; delete that folder to start afresh.
PYTHON ?= python3
TORCH ?= torch>=2.4
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint bench soak fuzz matrix clean

help:
	@echo 'make demo    set up, replay a sample recording through the real ROS graph, leave demo_out/'
	@echo 'make test    set up, run every test'
	@echo 'make test-fast  set up without PyTorch and ROS, run the core tests, under a minute'
	@echo 'make lint    style and types'
	@echo 'make matrix  the core tests under every Python, numpy and OpenCV that go together (docs/clean_machine.md)'
	@echo 'make fuzz    fuzz everything that reads files and messages; SECONDS=60 for each, or FLAT=600 until coverage is flat so long'
	@echo 'make bench   time every stage, beside peers where given: [PEERS=FOLDER] [FACES=FOLDER], leave bench_out/'
	@echo 'make soak    run the node for hours with everything that happens to it: [HOURS=2], leave soak_out/'
	@echo 'make clean   remove what the above made'

demo: $(VENV)/.demo
	@$(BIN)/python -m c2f_head_pose.models.fetch
	$(BIN)/python -m c2f_head_pose.ros.demo --output demo_out

test: $(VENV)/.test
	@$(BIN)/python -m c2f_head_pose.models.fetch
	$(BIN)/python -m pytest

test-fast: $(VENV)/.fast
	$(BIN)/python -m pytest tests/core -m 'not render'

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

matrix:
	$(PYTHON) tests/matrix/environments.py --output runs/matrix $(MATRIX)

fuzz: $(VENV)/.test
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) atheris || true  # without it inputs are changed at random
	PYTHONPATH=.:tests $(BIN)/python -m fuzz $(TARGETS) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(FLAT),--flat $(FLAT))

bench: $(VENV)/.test
	@$(BIN)/python -m c2f_head_pose.models.fetch
	$(BIN)/python -m c2f_head_pose.bench --path --json bench_out/path.json
	$(BIN)/python -m training.studies.peers $(if $(PEERS),--peers '$(PEERS)') $(if $(FACES),--faces '$(FACES)') --output bench_out

HOURS ?= 2
soak: $(VENV)/.demo
	@$(BIN)/python -m c2f_head_pose.models.fetch
	$(BIN)/python -m c2f_head_pose.ros.measure.soak --hours $(HOURS) --output soak_out

clean:
	rm -rf $(VENV) demo_out bench_out soak_out build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo '$(PYTHON) is missing or older than Python 3.10; name another one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@echo '== making $(VENV)'
	@$(PYTHON) -m venv $(VENV) || { echo 'Python has no venv; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@touch $@

$(VENV)/.fast: $(VENV)/.python setup.py
	@echo '== installing the package and pytest'
	$(PIP) -e . 'pytest>=7' hypothesis
	@touch $@

$(VENV)/.demo: $(VENV)/.python setup.py
	@echo '== installing the package and a pip build of ROS 2 (about 400 MB, a minute or two)'
	$(PIP) -e '.[ros,demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	@echo '== installing what the tests and training need (PyTorch: 200 MB to 3 GB, by platform)'
	$(PIP) '$(TORCH)'
	$(PIP) -e '.[ros,demo,training,test]'
	@touch $@
