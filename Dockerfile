FROM python:3.13-slim AS build
# "[demo]" for an image that can show the demo too.
ARG EXTRAS=""
WORKDIR /src
COPY pyproject.toml README.md ./
COPY alerts alerts
COPY grafana grafana
COPY exporter exporter
RUN python -m venv /opt/zope-exporter \
    && /opt/zope-exporter/bin/pip install --no-cache-dir ".${EXTRAS}"

FROM python:3.13-slim
# Where it was built from is told by who builds it: --label org.opencontainers.image.revision=COMMIT
LABEL org.opencontainers.image.title="zope-exporter" \
    org.opencontainers.image.description="Prometheus exporter for Zope, ZODB, ZEO and Plone" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"
COPY --from=build /opt/zope-exporter /opt/zope-exporter
# The one place it writes to, as whatever user it is run; the root file system may be read-only.
RUN install -d -m 1777 /var/lib/zope-exporter
VOLUME /var/lib/zope-exporter
ENV PATH=/opt/zope-exporter/bin:$PATH \
    MALLOC_ARENA_MAX=2 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ZOPE_EXPORTER_HEALTH_SOCKET=zope-exporter
USER 65532:65532
EXPOSE 9673
# At the socket above, so that no password, no TLS and no other address keeps it out.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD \
    ["python", "-m", "zope_exporter.system.healthcheck"]
ENTRYPOINT ["zope-exporter"]
