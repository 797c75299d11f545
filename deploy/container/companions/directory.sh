#!/bin/sh
# Starts OpenLDAP with people to try out log-ins with: alice (may do everything) and bob (may ask). Their passwords and
# that of the service's account come from the environment. It makes its own authority the first time: /tls/ca.pem.
set -eu
: "${LDAP_PASSWORD:?is not set: make compose-up writes it into deploy/.env}" "${ALICE_PASSWORD:?}" "${BOB_PASSWORD:?}"

if [ ! -f /tls/ca.pem ]; then
  umask 077
  cd /tmp
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650 \
    -subj '/CN=Atraso demonstration authority' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2> /dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
    -subj '/CN=directory' 2> /dev/null
  printf 'subjectAltName=DNS:directory\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n' > extensions
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile extensions \
    -out server.pem 2> /dev/null
  cp server.key server.pem /data/
  rm ca.key server.key server.csr
  install -m 0644 ca.pem /tls/ca.pem  # last: who waits for it finds the rest
fi
if [ ! -d /data/db ]; then
  rm -rf /data/new
  mkdir /data/new
  sed 's#/data/db#/data/new#' /etc/atraso/slapd.conf > /tmp/new.conf
  hashed() { slappasswd -s "$1"; }
  sed -e "s#@LDAP@#$(hashed "$LDAP_PASSWORD")#" -e "s#@ALICE@#$(hashed "$ALICE_PASSWORD")#" \
      -e "s#@BOB@#$(hashed "$BOB_PASSWORD")#" /etc/atraso/people.ldif > /tmp/people.ldif
  slapadd -q -f /tmp/new.conf -l /tmp/people.ldif
  rm /tmp/people.ldif
  mv /data/new /data/db
fi
unset LDAP_PASSWORD ALICE_PASSWORD BOB_PASSWORD
exec slapd -f /etc/atraso/slapd.conf -h 'ldap://0.0.0.0:3890/' -d 0
