# The serving image: no compiler, no torch, not root. It contains the demo release and answers out of the box:
#   docker build -t sightline .  &&  docker run --rm -p 8000:8000 sightline
# BASE may be anything with CPython 3.11 to 3.13, pip and Debian's package manager.
ARG BASE=python:3.11-slim

FROM ${BASE} AS builder
# Left to itself, hnswlib compiles for the very processor it is built on and dies of an illegal instruction on an
# older one. x86-64-v3 (AVX2, FMA) is any server since about 2015; x86-64-v4 (AVX-512) is worth trying where it exists.
ARG X86_64_LEVEL=x86-64-v3
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/build.txt requirements/serve.txt requirements/
RUN python -m venv /opt/sightline \
 && /opt/sightline/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
RUN export HNSWLIB_NO_NATIVE=1 \
 && if [ "$(uname -m)" = x86_64 ]; then export CXXFLAGS="-march=${X86_64_LEVEL}" CFLAGS="-march=${X86_64_LEVEL}"; fi \
 && /opt/sightline/bin/pip install --no-cache-dir --require-hashes --no-build-isolation -r requirements/serve.txt
COPY pyproject.toml ./
COPY service service
RUN /opt/sightline/bin/pip install --no-cache-dir --no-build-isolation --no-deps . \
 && cd /opt/sightline/lib/python3*/site-packages \
 && rm -rf pyarrow/include pyarrow/src pyarrow/tests \
 && /opt/sightline/bin/pip uninstall --yes --quiet pybind11 wheel setuptools pip

FROM ${BASE}
RUN groupadd --system --gid 10001 sightline \
 && useradd --system --uid 10001 --gid sightline --home-dir /srv/sightline --shell /usr/sbin/nologin sightline \
 && install --directory --owner=sightline --group=sightline /srv/sightline /srv/sightline/var
COPY --from=builder /opt/sightline /opt/sightline
COPY models/demo/store /srv/sightline/models/demo/store
WORKDIR /srv/sightline
# Huge pages make index searches about a tenth faster; an empty GLIBC_TUNABLES does without.
ENV PATH=/opt/sightline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 \
    OPENBLAS_NUM_THREADS=1 \
    ORT_DISABLE_TELEMETRY=1 \
    PORT=8000 \
    SIGHTLINE_SERVER__HOST=0.0.0.0
USER sightline
VOLUME /srv/sightline/var
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2)"]
CMD ["sightline", "serve"]
