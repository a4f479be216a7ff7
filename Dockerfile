# One image for all processes: which one a container is, its command says.

FROM python:3.11-slim AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# The locked versions first: they change less often than our code and stay in the layer cache.
COPY requirements/build.txt requirements/server.txt requirements/
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
RUN python -m venv /opt/xacbe && /opt/xacbe/bin/pip install --require-hashes -r requirements/server.txt

COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/xacbe/bin/pip install --no-deps --no-index /wheel/xacbe-*.whl

FROM python:3.11-slim
COPY --from=build /opt/xacbe /opt/xacbe
ENV PATH=/opt/xacbe/bin:$PATH PYTHONUNBUFFERED=1
# The number is fixed, so that an operator can give mounted folders to it.
RUN groupadd --gid 10001 xacbe && useradd --uid 10001 --gid xacbe --home-dir /srv/xacbe --no-create-home xacbe \
    # Open to other numbers, because a container may run under the account that owns what is mounted below.
    && install -d -o xacbe -g xacbe -m 0755 /srv/xacbe /srv/xacbe/config /srv/xacbe/certs /srv/xacbe/var
# Settings files name certs/ and var/ relative to themselves, here as in a clone.
WORKDIR /srv/xacbe
USER xacbe
# Each process takes SIGTERM itself and drains, so it may be process 1.
STOPSIGNAL SIGTERM
CMD ["xacbe", "--help"]
