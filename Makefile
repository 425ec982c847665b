# `make help` lists the targets. README.md and CONTRIBUTING.md explain their use.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Every target uses the lab's inventory, because the default inventory is production.
export ANSIBLE_INVENTORY := inventory/lab.yml
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
VENV ?= .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# crun does not support hybrid cgroups, so machines with hybrid cgroups use runc. On other machines, podman's own
# settings apply.
ifneq ($(shell stat -fc %T /sys/fs/cgroup),cgroup2fs)
export CONTAINERS_CONF := $(CURDIR)/lab/containers.conf
endif

PYTHON ?= $(shell lab/find-python)
# The PostgreSQL servers in tests/servers load this library.
LIBRARIES := libossp-uuid16
PACKAGES := podman runc conmon netavark aardvark-dns iptables nftables mmdebstrap debian-archive-keyring \
  openssh-client openssl $(LIBRARIES)
# The tests open the report in one of these browsers. The first name is also the name of Debian's package.
BROWSERS := chromium chromium-browser google-chrome
PLAYBOOKS := migrate.yml rollback.yml $(wildcard playbooks/*.yml) $(wildcard lab/*.yml)
PYTHON_FILES := benchmarks docs lab/release.py collections/ansible_collections/aimemory/tenancy/plugins tests/unit \
  $(filter-out %/conftest.py,$(wildcard tests/servers/*.py)) molecule/shared
BASES := trixie bookworm
PGVECTOR_trixie := postgresql-17-pgvector
PGVECTOR_bookworm :=
# The major versions of the throwaway servers in tests/servers.
SERVERS := 13 14 15 16 17 18

# Keep the stamp files of the base images, which make otherwise removes as intermediate files.
.SECONDARY:

.PHONY: help setup images prepare demo check test test-faults bench lint types compatible unit postgresql servers \
  oldest oldest-setup scenarios lab docs screenshots clean lock release
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand --tabs=14

setup: $(VENV)/complete ## create the Python environment .venv, which contains the collections

.lab/libraries: lab/install-packages Makefile
	mkdir -p .lab && chmod 0700 .lab
	lab/install-packages $(LIBRARIES)
	touch $@

.lab/packages: lab/install-packages Makefile .lab/libraries
	lab/install-packages $(PACKAGES)
	touch $@

# Ubuntu has no chromium package, so any installed browser from the list is accepted.
.lab/browser: .lab/packages
	command -v $(BROWSERS) > /dev/null || lab/install-packages $(firstword $(BROWSERS))
	touch $@

# The `ansible` package contains the collections that requirements.yml lists.
$(VENV)/complete: requirements/py311-dev.txt requirements/py312-dev.txt
	lab/make-venv $(VENV) "$(PYTHON)"
	touch $@

.lab/base-%: .lab/packages
	podman image exists localhost/debian:$* || { \
	  mmdebstrap --quiet --variant=minbase $* .lab/$*.tar && podman import --quiet .lab/$*.tar localhost/debian:$*; }
	rm -f .lab/$*.tar
	touch $@

.lab/image-%: .lab/base-% lab/image/Containerfile
	podman build --quiet --tag localhost/ai-memory-lab:$* --build-arg BASE=localhost/debian:$* \
	  --build-arg PGVECTOR=$(PGVECTOR_$*) lab/image
	touch $@

# Only npm provides binaries of PostgreSQL 13. Any version of npm works.
.lab/npm: .lab/libraries
	command -v npm > /dev/null || lab/install-packages npm
	touch $@

.lab/postgresql-13.tar.gz: | .lab/npm

.lab/postgresql-%.tar.gz: requirements/postgresql-%.txt $(VENV)/complete | .lab/libraries
	lab/fetch-postgresql $* $@

images: $(BASES:%=.lab/image-%) ## build the images of the lab hosts

lab: setup images ## boot the lab hosts
	ansible-playbook lab/up.yml

demo: setup .lab/image-trixie ## migrate a freshly seeded lab host, ending with the report
	ansible-playbook lab/up.yml --limit lab17,localhost
	ansible-playbook lab/reset.yml --limit lab17
	ansible-playbook migrate.yml --limit lab17 -e migrate_confirm=YES

# ansible-lint also checks the syntax of the playbooks.
lint: setup types ## check format, types, YAML, Ansible and English
	ruff check .
	ruff format --check .
	yamllint --strict .
	ansible-lint --strict
	lab/check-collection
	python docs/prose.py

types: setup ## check types
	mypy $(PYTHON_FILES)

# The results may depend on the versions of Python and ansible-core, so `oldest` also runs this target.
compatible: types ## check types and the syntax of the playbooks
	for playbook in $(PLAYBOOKS); do ansible-playbook --syntax-check "$$playbook" > /dev/null; done

unit: setup ## run the unit tests
	python -m pytest --numprocesses 2 tests/unit

postgresql: setup $(SERVERS:%=.lab/postgresql-%.tar.gz) ## download PostgreSQL 13 to 18 for the throwaway servers

# These tests also cover the PostgreSQL versions that no lab host runs.
servers: postgresql ## run the tests on throwaway servers with PostgreSQL 13 to 18
	python -m pytest --numprocesses 2 tests/servers

# If Python 3.11 is installed, the unit tests also run with the oldest supported ansible-core. The scenarios run only
# with the newest.
OLDEST = $(filter-out $(PYTHON),$(shell lab/find-python 3.11 2> /dev/null))
oldest: ## run the unit tests with Python 3.11 and the oldest ansible-core, if installed
	$(if $(OLDEST),$(MAKE) VENV=.venv-3.11 PYTHON=$(OLDEST) compatible unit,\
	  @echo "Skipped the tests with the oldest ansible-core: Python 3.11 is missing, or is the default.")
oldest-setup: ## create the environment for Python 3.11
	$(if $(OLDEST),$(MAKE) VENV=.venv-3.11 PYTHON=$(OLDEST) setup)

# Run two jobs, because images, setup and oldest-setup each keep one core busy.
prepare: ## install and build everything that make test needs
	$(MAKE) --jobs 2 --output-sync=target images setup oldest-setup .lab/browser $(SERVERS:%=.lab/postgresql-%.tar.gz)

scenarios: lab .lab/browser .lab/postgresql-16.tar.gz ## run the scenarios on the lab hosts
	lab/run-scenarios

# Run this target before every commit. It needs no lab host. It runs two jobs, because ansible-lint and the tests
# each keep one core busy.
check: setup $(SERVERS:%=.lab/postgresql-%.tar.gz) ## run lint, unit tests and tests on servers
	$(MAKE) --jobs 2 --output-sync=target lint unit servers

test: prepare check oldest scenarios ## run every test; TESTS=all runs every variant on both hosts

# The "faults" scenario causes a fixed sample of the faults. This target causes all of them, divided among the hosts.
test-faults: lab ## kill runs at every task, and cause other faults: about two hours
	FAULTS=all FAULTS_RECORD=$(CURDIR)/.cache/faults.jsonl python -m pytest --hosts=lab17,lab15 \
	  --ansible-inventory=$(CURDIR)/$(ANSIBLE_INVENTORY) --connection=ansible \
	  --numprocesses 2 --dist loadscope molecule/faults/tests molecule/live/tests/test_kills.py

# No test depends on these measurements.
bench: lab ## compare runs with manual SQL and a shell script
	PYTHONPATH=benchmarks:collections:tests/unit:molecule/shared \
	  python benchmarks/run.py $(BENCH)

docs: setup ## generate the reference pages
	python docs/variables.py
	PYTHONPATH=collections python docs/audit.py
	PYTHONPATH=collections python docs/refusals.py
	PYTHONPATH=collections python docs/filters.py

# SHOTS selects the runs to capture again, such as "run-80 failed-run-60". All other captures are reused.
CAPTURES := .cache/captures
screenshots: setup .lab/image-trixie .lab/browser ## run on lab17, and take screenshots of terminals and report
	ansible-playbook lab/up.yml --limit lab17,localhost
	PYTHONPATH=molecule/shared:collections python docs/captures.py $(CAPTURES) $(SHOTS)
	PYTHONPATH=molecule/shared:collections python docs/screenshots.py $(CAPTURES)

release: setup ## build the archive, the checksum and the notes of the version in galaxy.yml
	python lab/release.py

lock: ## write the hash-locked requirements
	lab/lock-requirements

clean: ## remove everything that the other targets created, except Debian packages
	-podman rm --force --time 1 $$(podman ps --all --quiet --filter name=^ai-memory-lab)
	-podman rmi --force $(BASES:%=localhost/ai-memory-lab:%) $(BASES:%=localhost/debian:%)
	rm -rf .lab .venv .venv-3.11 .cache .hypothesis .ansible .mypy_cache .pytest_cache .ruff_cache release
	rm -rf $(foreach host,lab17 lab15,logs/*-$(host) backups/$(host) support/*-$(host).* drafts/*-$(host))
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
