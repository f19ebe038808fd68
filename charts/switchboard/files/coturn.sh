#!/bin/sh
# Runs coturn, and gives it new secrets and a new certificate without a restart, which would cut every relayed call.
# The secrets are in coturn's database, in memory: coturn reads it at each allocation. Only shell builtins, sleep and turnadmin.
set -eu
umask 077

DATABASE=/var/lib/coturn/turndb
LOADED=/run/coturn/loaded
secret='' other=''

first_line() {
  line=''
  if [ -r "$1" ]; then IFS= read -r line <"$1" || true; fi
  printf %s "$line"
}

database() { # OPTION SECRET
  case $2 in *\'*) echo "coturn: the TURN secret has a quote, which coturn cannot store" >&2; return 1 ;; esac
  turnadmin --userdb="$DATABASE" --realm="$REALM" "$1=$2" >/dev/null
}

# During a rotation there are two secrets (docs/kubernetes.md).
update_secrets() {
  new=$(first_line /secret/secret) new_other=$(first_line /secret/other)
  if [ -z "$new" ]; then echo "coturn: the TURN secret is empty" >&2; return 1; fi
  for one in "$new" "$new_other"; do
    case $one in '' | "$secret" | "$other") ;; *) database --set-secret "$one" || return 1 ;; esac
  done
  for one in "$secret" "$other"; do
    case $one in '' | "$new" | "$new_other") ;; *) database --delete-secret "$one" || return 1 ;; esac
  done
  secret=$new other=$new_other
}

update_certificate() {
  if [ /tls/tls.crt -nt "$LOADED" ]; then
    : >"$LOADED"
    kill -USR2 $$
  fi
}

external_address() {
  if [ "$EXTERNAL_IP" != auto ]; then printf %s "$EXTERNAL_IP"; return; fi
  while read -r machine address; do
    if [ "$machine" = "$MACHINE" ]; then printf %s "$address"; return; fi
  done </base/external-ips
  echo "coturn: no external address of the machine $MACHINE is known; set it in coturn.externalIps, or run helm upgrade again" >&2
  return 1
}

update_secrets
: >"$LOADED"
external=$(external_address)
(
  # Ends with coturn, which is this process by then.
  while sleep 5 && kill -0 $$ 2>/dev/null; do
    update_secrets || true
    update_certificate || true
  done
) &
exec turnserver -c /base/turnserver.conf ${external:+"--external-ip=$external/$POD_IP"} "$@"
