# The two commands that matter are `make run` and `make test`.

PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$each >/dev/null && $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$each && break; done)
VENV := .venv/bin
PACKAGES := core server identity scheduling consultations signaling media records billing notifications compliance analytics loadtests

.PHONY: run test proof check lock python

python:
	@test -n "$(PYTHON)" || { echo "bedside: Python 3.11 or newer is needed" >&2; exit 2; }

run: python
	@$(PYTHON) deploy/bootstrap.py run
	@exec $(VENV)/python -m server demo $(if $(LAN),--lan)

test: python
	@$(PYTHON) deploy/bootstrap.py test
	@$(MAKE) --no-print-directory check
	@$(VENV)/python -m pytest $(TESTS)

# The long proofs; figures go into docs/. PART=fuzz, traffic, api, kills, bench or network for one of them; PROOF_MINUTES of fuzzing.
proof: python
	@$(PYTHON) deploy/bootstrap.py proof
	@$(VENV)/python -m loadtests.proof $(if $(PART),--part $(PART)) --minutes $(or $(PROOF_MINUTES),60)

# Formatting, lint, types, boundaries, and the pages' own tests.
check:
	@$(VENV)/ruff check . && $(VENV)/ruff format --check -q .
	@$(VENV)/mypy $(addprefix -p ,$(PACKAGES))
	@$(VENV)/lint-imports
	@PATH="$(CURDIR)/$(VENV):$$PATH" npm --prefix web test --silent

lock: python
	@for each in run test proof node mongo-test; do \
		$(VENV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			requirements/$$each.in -o requirements/$$each.txt || exit 1; done
