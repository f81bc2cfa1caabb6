# What each target does is in README.md. Further words for pulumi go into ARGS:
#   make preview STACK=local ARGS=--json
STACK ?= local
ARGS ?=
REPORT ?=
BACKUP ?=

PYTHON := .venv/bin/python
TOOLCHAIN := $(PYTHON) -m toolchain

.DEFAULT_GOAL := help
.PHONY: help up preview policy down drift plan-digest state restore unlock test lint doctor shell bench lock setup setup-stack setup-clouds

help:
	@echo "make up       bring the stack up and send a model's held-out data through the gateway"
	@echo "make preview  show what 'make up' would change; with REPORT=report.md, as a report"
	@echo "make policy   show the same, and fail where it breaks a rule of policy/"
	@echo "make down     destroy the stack"
	@echo "make drift    what was changed outside of Pulumi; with REPORT=drift.md, as a report"
	@echo "make test     everything: lint, pure tests, the engine, a real cluster"
	@echo "make state    where the state is, who holds its lock since when, which backups there are"
	@echo "make restore  make a backup the state again; BACKUP=... one that 'make state' lists"
	@echo "make unlock   remove the lock of a run that has ended"
	@echo "make plan-digest  one digest of everything that the program registers"
	@echo "make doctor   what this machine has, what it can get, what is in the way"
	@echo "make shell    a shell with the pinned programs first on PATH"
	@echo "make lint     ruff and mypy"
	@echo "make bench    measure the stack, the server and its peers, and write docs/benchmarks.md"
	@echo "make lock     write the lock files again after a change of pyproject.toml"
	@echo "STACK=$(STACK) names another stack"

# Makes .venv, or finds in a few milliseconds that it is as it should be.
setup:
	@toolchain/bootstrap.sh

# With the SDKs of the clouds where a stack is on one.
setup-stack:
	@toolchain/bootstrap.sh --stack "$(STACK)"

setup-clouds:
	@toolchain/bootstrap.sh --clouds

up policy down doctor shell plan-digest state unlock: setup-stack
	@$(TOOLCHAIN) $@ --stack "$(STACK)" $(ARGS)

# With REPORT=report.md a reviewer's report, of several stacks too: STACK=all, STACK="local prod".
preview: setup-stack
	@$(TOOLCHAIN) $@ --stack "$(STACK)" $(if $(REPORT),--report "$(REPORT)") $(ARGS)

restore: setup-stack
	@$(TOOLCHAIN) $@ --stack "$(STACK)" $(if $(BACKUP),--backup "$(BACKUP)")

# Exit code 0 without drift and 2 with some, of `python -m toolchain drift`; of make it is 2 for errors
# too.
drift: setup
	@$(TOOLCHAIN) $@ --stack "$(STACK)" $(if $(REPORT),--report "$(REPORT)") $(ARGS)

lint: setup-clouds
	@$(PYTHON) -m toolchain.testing lint

# Stages run in order; the first that fails ends the run. PYTEST=... adds arguments for pytest.
test: setup-clouds
	@$(PYTHON) -m toolchain.testing all $(PYTEST)

bench: setup
	@$(PYTHON) -m bench $(ARGS)

lock: setup
	@toolchain/lock.sh
