# Two commands on a fresh machine with Python (3.11 or newer) and make: `make test` and `make bench`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: environment test test-all bench report docs clean told

test: WHAT = style, types and tests, together a quarter of an hour on two cores
test: told environment
	$(BIN)/tox run-parallel --parallel-live -e lint,type,tests

test-all: WHAT = what `make test` does, and then the exhaustive tests, together less than half an hour on two cores
test-all: told environment
	$(BIN)/tox run-parallel --parallel-live -e lint,type,tests
	$(BIN)/tox run -e exhaustive

bench: WHAT = benchmarks on generated data into bench-results, some minutes on two cores with the time left shown; \
	then the leaderboard, into bench-reports. What is stored already is not run again
bench: told environment
	$(BIN)/tox run -e bench,report

# Says what comes before it is begun: to install takes minutes and is quiet.
told:
	@echo "make $(MAKECMDGOALS): first the environment in .venv, unless it is there; then $(WHAT)"

report: environment
	$(BIN)/stabbench report --store results --out reports --plan results/plan.toml

docs: WHAT = the documentation as a site, into site/index.html: a minute, without a network
docs: told environment
	$(BIN)/python docs/site/build.py

environment: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "installing torch and the rest into .venv: a few minutes without a word"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,dev,docs]'
	touch $(READY)

clean:
	rm -rf .venv .tox bench-results bench-reports site
