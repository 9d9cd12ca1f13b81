# Two commands on a fresh machine with Python (3.11 or newer) and make: `make test` and `make bench`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: environment test bench report clean

test: environment
	$(BIN)/tox run -e lint,type,tests

bench: environment
	$(BIN)/tox run -e bench,report

report: environment
	$(BIN)/stabbench report --store results --out reports

environment: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,dev]'
	touch $(READY)

clean:
	rm -rf .venv .tox bench-results bench-reports
