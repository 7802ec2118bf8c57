# Everything here works from a fresh clone with Python 3.11 or newer, pip and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-pretrained check lint bench clean

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	touch $@

# Trains sdit.digits (a few minutes on two cores), translates the test digits, measures and writes runs/demo.
demo: setup
	rm -rf runs/demo
	$(BIN)/dragoman train sdit.digits --out runs/demo
	@printf '%s\n' '' 'The same with your own folder, in which train/DOMAIN/*.jpg and test/DOMAIN/*.jpg are the images:' \
	  '  $(BIN)/dragoman data check FOLDER' \
	  '  $(BIN)/dragoman train sdit.folder --data.root FOLDER --out runs/mine' \
	  '  $(BIN)/dragoman translate runs/mine/model PHOTO --to DOMAIN --out translated'

test: setup
	$(BIN)/pytest -n 2 --dist loadfile

# The frozen networks and distances against the packages that publish them, in an environment of its own: torchvision
# fits one version of torch only, and beside another one it breaks every package that imports it.
test-pretrained: .venv-pretrained/.installed
	.venv-pretrained/bin/python -m pytest tests_pretrained

.venv-pretrained/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-pretrained
	.venv-pretrained/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[metrics]" \
	  pytest torchvision==0.28.0 torch-fidelity==0.4.0 lpips==0.1.4
	touch $@

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What a developer runs before committing: the linters and the quick tests.
check: lint
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

bench: setup
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/worlds.py
	$(BIN)/python benchmarks/metrics.py

clean:
	rm -rf .venv .venv-pretrained build dist runs
