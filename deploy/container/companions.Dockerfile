# What stands beside the service in deploy/compose.yaml, each from Debian's own packages on the base that is there
# already: a database, a directory with people for trying out, and the two that watch. One stage each.

FROM python:3.11-slim-bookworm AS base
ARG DEBIAN_FRONTEND=noninteractive
STOPSIGNAL SIGTERM

FROM base AS postgres
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends postgresql-15 \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
 && install -d -o postgres -g postgres -m 0700 /data
COPY --chmod=0755 deploy/container/companions/postgres.sh /usr/local/bin/start
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/data/postgres
USER postgres
VOLUME ["/data"]
EXPOSE 5432
# PostgreSQL's own quick and clean stop: it does not wait for clients to leave.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "atraso"]
ENTRYPOINT ["/usr/local/bin/start"]

FROM base AS directory
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends slapd ldap-utils openssl \
 && rm -rf /var/lib/apt/lists/* /var/lib/ldap/* /etc/ldap/slapd.d /var/log/* /var/cache/* \
 && install -d -o openldap -g openldap -m 0755 /data /tls
COPY --chmod=0755 deploy/container/companions/directory.sh /usr/local/bin/start
COPY deploy/container/companions/slapd.conf deploy/container/companions/people.ldif /etc/atraso/
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin
USER openldap
VOLUME ["/data", "/tls"]
EXPOSE 3890
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
  CMD ["ldapsearch", "-x", "-H", "ldap://127.0.0.1:3890", "-s", "base", "namingContexts"]
ENTRYPOINT ["/usr/local/bin/start"]

FROM base AS prometheus
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
 && install -d -o prometheus -g prometheus -m 0755 /data
USER prometheus
VOLUME ["/data"]
EXPOSE 9090
ENTRYPOINT ["prometheus", "--storage.tsdb.path=/data"]
CMD ["--config.file=/monitoring/prometheus/prometheus.yml"]

FROM base AS alertmanager
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends prometheus-alertmanager \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
 && install -d -o prometheus -g prometheus -m 0755 /data
USER prometheus
VOLUME ["/data"]
EXPOSE 9093
ENTRYPOINT ["prometheus-alertmanager", "--storage.path=/data", "--cluster.listen-address="]
CMD ["--config.file=/monitoring/alertmanager/alertmanager.yml"]
