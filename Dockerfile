# One image for every service: `docker build -t tongxin .`; the command names the service (`python -m membership`).
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY requirements-bootstrap.lock requirements.lock ./
RUN python -m pip install --no-cache-dir --require-hashes -r requirements-bootstrap.lock \
 && uv pip install --system --no-cache --require-hashes -r requirements.lock
COPY shared shared
COPY services services
RUN uv pip install --system --no-cache --no-deps --no-build-isolation \
    ./shared/contracts ./shared/foundation ./shared/node \
    ./services/membership ./services/assistance ./services/rights ./services/training \
 && useradd --system --no-create-home tongxin \
 && install -d -o tongxin -m 700 /var/lib/tongxin
USER tongxin
