# The benchmarks in a container, on the CPU: built from source in one stage, run from an installed wheel in the next.
#
#   docker build -f docker/cpu.Dockerfile -t bolide-benchmarks .
#   docker run --rm bolide-benchmarks
#
# Both bases can be replaced, by anything that has Debian 12's apt and Python 3.11 or later.
ARG BUILD_BASE=debian:bookworm-slim
ARG RUN_BASE=debian:bookworm-slim

FROM ${BUILD_BASE} AS build
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates g++ python3 python3-dev python3-venv && \
    rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python3 -m venv /build && \
    /build/bin/python -m pip wheel --no-deps --wheel-dir /wheels /src

FROM ${RUN_BASE}
# g++ compiles the probe of the machine's limits (benchmarks/limits.cpp) where it runs.
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates g++ python3 python3-venv && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /wheels /wheels
# The peers to compare with; an empty PEERS compares with NumPy alone.
ARG PEERS=""
RUN python3 -m venv /opt/bolide && \
    /opt/bolide/bin/python -m pip install --no-cache-dir /wheels/*.whl numpy ${PEERS}
COPY benchmarks /benchmarks
WORKDIR /results
ENTRYPOINT ["/opt/bolide/bin/python", "/benchmarks/compare.py"]
CMD []
