# Server and metrics API in one small image: Python, what those two import, no compiler, no package manager in use.
#
#   docker build -t tonnage .        or: buildah build -t tonnage .
#
# The base can be pinned by digest: --build-arg BASE=docker.io/library/python:3.12-slim-bookworm@sha256:...
# A model comes on top (examples/filetype/Dockerfile) or as a volume (tonnage render --model-image).
ARG BASE=docker.io/library/python:3.12-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /build
COPY requirements-image.lock ./
# copies, not links: the environment must not point into the build stage
RUN python -m venv --copies --without-pip /opt/tonnage \
    && python -m pip --python /opt/tonnage/bin/python install --require-hashes --only-binary :all: -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# what built the package has no place in what runs; what other commands need (simulate, audit, up) is not here
RUN python -m pip --python /opt/tonnage/bin/python install --no-deps --no-build-isolation . \
    && python -m pip --python /opt/tonnage/bin/python uninstall --yes \
        editables hatchling pathspec pluggy tomlkit trove-classifiers \
    && /opt/tonnage/bin/python -m compileall -q /opt/tonnage/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="tonnage" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/tonnage/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/tonnage /opt/tonnage
RUN ["tonnage", "--version"]
WORKDIR /model
# a number, so that the kubelet can see that it is not root
USER 65532:65532
EXPOSE 8080 9000
ENTRYPOINT ["tonnage"]
CMD ["--help"]
