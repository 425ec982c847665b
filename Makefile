# make demo   migrate a freshly seeded lab host, ending with the report
# make test   lint, unit tests, every scenario; make test TESTS=all: on both hosts, with every side path
# make test-faults  everything that can go wrong in the middle of a run
# make bench  what callers feel and runs cost, beside SQL by hand and a shell script
# make clean  remove everything that the other targets made, but for Debian packages
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Every target names the lab: the default inventory is production.
export ANSIBLE_INVENTORY := inventory/lab.yml
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
VENV ?= .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# crun refuses hybrid cgroups; an ordinary machine keeps its own settings.
ifneq ($(shell stat -fc %T /sys/fs/cgroup),cgroup2fs)
export CONTAINERS_CONF := $(CURDIR)/lab/containers.conf
endif

PYTHON ?= $(shell lab/find-python)
PACKAGES := podman runc conmon netavark aardvark-dns iptables nftables mmdebstrap debian-archive-keyring openssh-client openssl \
  libossp-uuid16
# One of them shows the report to the tests; Debian's is the first.
BROWSERS := chromium chromium-browser google-chrome
PLAYBOOKS := migrate.yml rollback.yml $(wildcard playbooks/*.yml) $(wildcard lab/*.yml)
PYTHON_FILES := benchmarks docs collections/ansible_collections/aimemory/tenancy/plugins tests/unit $(filter-out %/conftest.py,$(wildcard tests/servers/*.py)) molecule/shared
BASES := trixie bookworm
PGVECTOR_trixie := postgresql-17-pgvector
PGVECTOR_bookworm :=
# Of each major version a server that needs no host.
SERVERS := 17 18

# The bases of the images are intermediate files, which make would remove.
.SECONDARY:

.PHONY: help setup images prepare demo test test-faults bench lint compatible unit servers oldest oldest-setup scenarios lab docs screenshots clean lock
help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST) | head -5

setup: $(VENV)/complete

.lab/packages: lab/install-packages Makefile
	mkdir -p .lab && chmod 0700 .lab
	lab/install-packages $(PACKAGES)
	touch $@

# Ubuntu has no such package: whatever is there will do.
.lab/browser: .lab/packages
	command -v $(BROWSERS) > /dev/null || lab/install-packages $(firstword $(BROWSERS))
	touch $@

$(VENV)/complete: requirements/py311-dev.txt requirements/py312-dev.txt requirements.yml
	lab/make-venv $(VENV) "$(PYTHON)"
	ansible-galaxy collection install --requirements-file requirements.yml
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

.lab/postgresql-%.tar.gz: requirements/postgresql-%.txt $(VENV)/complete
	lab/fetch-postgresql $* $@

images: $(BASES:%=.lab/image-%)

lab: setup images
	ansible-playbook lab/up.yml

demo: setup .lab/image-trixie
	ansible-playbook lab/up.yml --limit lab17,localhost
	ansible-playbook lab/reset.yml --limit lab17
	ansible-playbook migrate.yml --limit lab17 -e migrate_confirm=YES

lint: setup compatible
	ruff check .
	ruff format --check .
	yamllint --strict .
	ansible-lint --strict

# What another Python or ansible-core could see with other eyes.
compatible: setup
	mypy $(PYTHON_FILES)
	for playbook in $(PLAYBOOKS); do ansible-playbook --syntax-check "$$playbook" > /dev/null; done

unit: setup
	python -m pytest --numprocesses 2 tests/unit

# The planner and its SQL on versions of PostgreSQL that no lab host has.
servers: setup $(SERVERS:%=.lab/postgresql-%.tar.gz)
	python -m pytest --numprocesses 2 tests/servers

# The oldest ansible-core that is supported, where its Python is installed; the scenarios run on the newest.
OLDEST = $(filter-out $(PYTHON),$(shell lab/find-python 3.11 2> /dev/null))
oldest:
	$(if $(OLDEST),$(MAKE) VENV=.venv-3.11 PYTHON=$(OLDEST) compatible unit,\
	  @echo "No second environment: Python 3.11 is missing, or is the one used above.")
oldest-setup:
	$(if $(OLDEST),$(MAKE) VENV=.venv-3.11 PYTHON=$(OLDEST) setup)

# Each of the first three keeps one core busy.
prepare:
	$(MAKE) --jobs 2 --output-sync=target images setup oldest-setup .lab/browser $(SERVERS:%=.lab/postgresql-%.tar.gz)

scenarios: lab .lab/browser
	lab/run-scenarios

test: prepare lint unit servers oldest scenarios

# The scenario "faults" tries a fixed sample; this tries all, shared among the hosts.
test-faults: lab
	FAULTS=all FAULTS_RECORD=$(CURDIR)/.cache/faults.jsonl python -m pytest --hosts=lab17,lab15 \
	  --ansible-inventory=$(CURDIR)/$(ANSIBLE_INVENTORY) --connection=ansible --numprocesses 2 --dist loadscope molecule/faults/tests

# Its results are measurements, not verdicts: no test depends on them.
bench: lab
	PYTHONPATH=benchmarks:collections:tests/unit:molecule/shared \
	  python benchmarks/run.py $(BENCH)

docs: setup
	python docs/variables.py
	PYTHONPATH=collections python docs/audit.py
	PYTHONPATH=collections python docs/refusals.py

# Of the newest report in logs/.
screenshots: setup .lab/browser
	PYTHONPATH=molecule/shared python docs/screenshots.py "$$(ls -t logs/*/report.html | head -1)"

lock:
	lab/lock-requirements

clean:
	-podman rm --force --time 1 $$(podman ps --all --quiet --filter name=^ai-memory-lab)
	-podman rmi --force $(BASES:%=localhost/ai-memory-lab:%) $(BASES:%=localhost/debian:%)
	rm -rf .lab .venv .venv-3.11 .cache .hypothesis .ansible .mypy_cache .pytest_cache .ruff_cache
	rm -rf $(foreach host,lab17 lab15,logs/*-$(host) backups/$(host) support/*-$(host).*)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
