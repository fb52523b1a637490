# One image a package: `docker build --build-arg PACKAGE=billing .`, with billing, crm, k8s, memory or orchestrator.
# Versions and hashes are those of requirements.lock; deploy/images/ says which of its names a package needs.
ARG BASE=docker.io/library/python:3.12-slim-bookworm
# The same Python, with binutils.
ARG BUILD_BASE=docker.io/library/python:3.12-bookworm

# What all packages need, and, in an environment that stays here, what builds the wheels of our own.
FROM ${BUILD_BASE} AS kit
WORKDIR /build
COPY requirements.lock deploy/images/build.txt deploy/images/kit.txt ./
COPY deploy/locked.awk ./
RUN python3 -m venv --without-pip /build/wheels-env \
    && python3 -m venv --without-pip /opt/flotilla \
    && awk -f locked.awk build.txt requirements.lock > build.lock \
    && awk -f locked.awk kit.txt requirements.lock > kit.lock \
    && python3 -m pip --python /build/wheels-env/bin/python install --no-cache-dir --require-hashes --no-deps -r build.lock \
    && python3 -m pip --python /opt/flotilla/bin/python install --no-cache-dir --require-hashes --no-deps -r kit.lock

FROM kit AS build
ARG PACKAGE=billing
COPY deploy/images/${PACKAGE}.txt ./
# Wheels bring debug symbols, sources of extensions and their own tests.
RUN awk -f locked.awk ${PACKAGE}.txt requirements.lock > package.lock \
    && python3 -m pip --python /opt/flotilla/bin/python install --no-cache-dir --require-hashes --no-deps -r package.lock \
    && find /opt/flotilla -name '*.so*' -exec strip --strip-unneeded {} + \
    && find /opt/flotilla -type d \( -name tests -o -path '*/sqlalchemy/testing' -o -path '*/alembic/testing' \) -prune -exec rm -r {} + \
    && find /opt/flotilla -type f -regex '.*\.\(pyi\|pyx\|pxd\|c\|h\|cpp\|hpp\)' -delete
COPY configs configs
COPY servers servers
COPY rehearsal rehearsal
COPY orchestrator orchestrator
RUN case ${PACKAGE} in \
        orchestrator) members="servers/kit rehearsal orchestrator"; command="flotilla serve --configs /etc/flotilla/configs" ;; \
        *) members="servers/kit servers/${PACKAGE}"; command="flotilla-${PACKAGE}" ;; \
    esac \
    && for member in $members; do \
        python3 -m pip --python /build/wheels-env/bin/python wheel --no-index --no-deps --no-build-isolation -w wheels ./$member || exit 1; \
    done \
    && python3 -m pip --python /opt/flotilla/bin/python install --no-cache-dir --no-index --no-deps wheels/*.whl \
    && python3 -m pip --python /opt/flotilla/bin/python check \
    && printf '#!/bin/sh\nexec %s --http 0.0.0.0:8000 "$@"\n' "$command" > /opt/flotilla/bin/serve-http \
    && chmod 755 /opt/flotilla/bin/serve-http

FROM ${BASE}
ARG PACKAGE=billing
LABEL org.opencontainers.image.title="flotilla-${PACKAGE}" org.opencontainers.image.licenses="Apache-2.0"
# The folders exist so that volumes mounted there belong to the user.
RUN for name in data kubeconfig credentials/database credentials/mandates credentials/passwords \
        credentials/approvers/approvers credentials/databases/orchestrator \
        credentials/databases/billing credentials/databases/crm credentials/databases/k8s credentials/databases/memory; do \
        mkdir -p /$name; \
    done \
    && chown -R 10001:10001 /data /kubeconfig /credentials
COPY configs /etc/flotilla/configs
COPY --from=build /opt/flotilla /opt/flotilla
ENV PATH=/opt/flotilla/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/data FLOTILLA_HOME=/data
WORKDIR /data
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["serve-http"]
