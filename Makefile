# `make demo` boots the photo feed, `make demo-NAME` another example; `make test` is what CI runs.
# All of them set everything up.
.PHONY: setup setup-tests demo check types unit simulated in-memory on-postgresql in-the-cloud real test bench soak

# The byte code of two hundred test modules, and of what they start, is not to be made in each run.
unexport PYTHONDONTWRITEBYTECODE

setup:
	@scripts/setup

setup-tests:
	@scripts/setup tests

demo:
	@scripts/demo

demo-%:
	@scripts/demo $*

# Format, lint, import contracts, types, unit tests: under a minute.
check: setup-tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports
	@$(MAKE) --no-print-directory -j 2 types unit

# Beside each other: mypy keeps one processor busy, and the tests wait now and then.
types:
	.venv/bin/mypy

unit:
	.venv/bin/pytest -q -n 2 tests/unit

# On a simulated host or account: all that is processor time, at a low priority, so that it keeps
# out of the way of what runs on this host.
simulated: setup-tests
	@$(MAKE) --no-print-directory in-memory on-postgresql in-the-cloud

# Daemon, command line, API and page as wholes.
in-memory: setup-tests
	nice .venv/bin/pytest -q -n 3 tests/contract tests/component

# What has a ledger under it, a second time, on a real PostgreSQL.
on-postgresql: setup-tests
	GREENROOM_TEST_DATABASE=postgresql nice .venv/bin/pytest -q -n 3 \
		tests/contract/test_store_schema.py \
		$$(grep -lE "make_(database|ledger)|(app|jobs)_stage import" tests/component/test_*.py)

in-the-cloud: setup-tests
	nice .venv/bin/pytest -q -n 2 tests/cloud

# On the real kernel with real servers; needs root.
real: setup-tests
	.venv/bin/pytest -q tests/real tests/scenario

# Everything. The real tests mostly wait, the simulated ones never do.
test: check
	@$(MAKE) --no-print-directory --output-sync=target -j 2 simulated real

bench: setup
	.venv/bin/python bench

# A thousand creates and destroys, with a random kill in every tenth: COUNT=100 SEED=7 make soak
COUNT ?= 1000
soak: setup
	.venv/bin/python -m tests.soak --count $(COUNT) $(if $(SEED),--seed $(SEED))
