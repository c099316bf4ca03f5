# One image for every role. Built in stages; runs as a user without rights.

FROM node:22-bookworm-slim AS pages
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm install --no-save --no-audit --no-fund
COPY web/ ./
RUN npm run build

FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/bedside \
    && /opt/bedside/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt

FROM python:3.11-slim-bookworm AS media
RUN apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY media media
RUN python -m media.path.build

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/bedside bedside
WORKDIR /srv/bedside
ENV PATH=/opt/bedside/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BEDSIDE_DATA_DIR=/var/lib/bedside
COPY --from=packages /opt/bedside /opt/bedside
COPY . .
COPY --from=pages /build/web/dist web/dist
COPY --from=media /build/media/native/build media/native/build
USER bedside
EXPOSE 8080 8189/udp 8189/tcp
ENTRYPOINT ["python", "-m", "server"]
CMD ["serve"]
