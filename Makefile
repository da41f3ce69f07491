# Two commands do everything: `make demo` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The console is built when it is installed: whoever pulled changes of it has the old pages until then.
PAGES := $(shell find console -path console/node_modules -prune -o -type f -print 2>/dev/null)

.PHONY: demo console screenshots test lint unit versions bench soak torture mutate clean help

help:            ## what there is
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' Makefile

$(STAMP): pyproject.toml hatch_build.py $(PAGES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Hotbay needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); apt-get update -q && apt-get install -q -y python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

demo: $(STAMP)   ## the billing host with plugins to install, on 127.0.0.1:$(PORT)
	@exec $(BIN)/python examples/billing/demo.py --port $(PORT)

test: lint unit  ## linters, types, import rules and all tests

lint: $(STAMP) console/node_modules/.hotbay  ## ruff, mypy, import-linter, TypeScript
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	console/node_modules/@typescript/typescript-*/lib/tsc --noEmit -p console

console: $(STAMP)  ## build the console anew when its sources changed
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .

screenshots: $(VENV)/.driver /usr/bin/chromium  ## pictures of every page, into screenshots/
	$(BIN)/python scripts/screenshots.py

# The TypeScript compiler comes with the console's build; a checkout whose console is up to date may lack it.
console/node_modules/.hotbay: console/package-lock.json | $(STAMP)
	@test -e $@ || rm -f src/hotbay/console/static/.built
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# What starts servers and browsers has the machine for itself; the rest shares it, and waits half of its time. In CI, on a
# machine that others use too, a test of the former may be tried once more; it is listed then, and wants to be looked at.
ALONE := tests/system tests/browser tests/benchmarks
AGAIN := $(if $(CI),--reruns 1 -rR)
SLOWEST := $(if $(CI),--durations=30)

unit: $(VENV)/.driver /usr/bin/chromium /usr/bin/bwrap /usr/bin/curl  ## all tests
	@failed=0; \
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(SLOWEST) $(ALONE:%=--ignore=%) || failed=1; \
	$(BIN)/python -m pytest $(AGAIN) $(SLOWEST) $(ALONE) || failed=1; \
	exit $$failed

# The tests of the console drive a real browser; those of the compiler attack it in each of its cells; README's commands are
# run as they stand there.
APT_INSTALL := apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends
/usr/bin/chromium: PACKAGE = chromium
/usr/bin/bwrap: PACKAGE = bubblewrap
/usr/bin/curl: PACKAGE = curl
/usr/bin/chromium /usr/bin/bwrap /usr/bin/curl:
	$(APT_INSTALL) $(PACKAGE)

# What steers the browser brings a Node of its own, which needs a library that a bare Debian has not.
$(VENV)/.driver: $(STAMP)
	@$(BIN)/python -m playwright --version > /dev/null 2>&1 || { $(APT_INSTALL) libatomic1; }
	@$(BIN)/python -m playwright --version > /dev/null
	@touch $@

versions: $(STAMP) /usr/bin/bwrap  ## the core's tests on the other supported Pythons that are here
	@sh scripts/versions.sh

bench: $(VENV)/.driver /usr/bin/chromium  ## all benchmarks, in their quick form
	@for name in overhead install boot stall backup leak swap_under_load browser_swap; do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py --quick --json || exit 1; done

soak: $(STAMP)   ## random operations, kills and requests against a model, for MINUTES (60)
	$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),60) --json

torture: $(STAMP)  ## kill -9 at every effect of every operation, an hour or two
	HOTBAY_KILLS=50 $(BIN)/python -m pytest -q -s tests/system/test_random_kills.py
	$(BIN)/python benchmarks/torture.py --json

mutate: $(STAMP) ## which changes of MODULE (serve) no test notices; docs/mutation.md
	@$(BIN)/python -m pip install -q --disable-pip-version-check 'mutmut>=3.8,<4'
	@scripts/mutate.sh $(or $(MODULE),serve)

clean:           ## forget the installation and the demo's state
	rm -rf $(VENV) .venv-3.* var .mypy_cache .pytest_cache .ruff_cache
