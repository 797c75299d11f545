#!/bin/sh
# Starts PostgreSQL; the first time it makes the database `atraso` for the user of that name, whose password is
# POSTGRES_PASSWORD. What an interrupted first start leaves is thrown away by the next.
set -eu
: "${POSTGRES_PASSWORD:?is not set: make compose-up writes it into deploy/.env}"

if [ ! -d "$PGDATA" ]; then
  rm -rf "$PGDATA.new"
  umask 077
  printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA.new" -U atraso -A scram-sha-256 --pwfile=/tmp/password -E UTF8 --locale=C.UTF-8 > /tmp/initdb.log \
    || { cat /tmp/initdb.log >&2; exit 1; }
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA.new/pg_hba.conf"
  echo 'CREATE DATABASE atraso;' | postgres --single -D "$PGDATA.new" postgres > /dev/null
  mv "$PGDATA.new" "$PGDATA"
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
