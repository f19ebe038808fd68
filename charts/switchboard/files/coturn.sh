#!/bin/sh
# Runs coturn, and gives it new secrets and a new certificate without a restart, which would cut every relayed call.
# The secrets are in coturn's database, in memory: coturn reads it at each allocation. Only shell builtins, sleep and turnadmin.
set -eu
umask 077

DATABASE=/var/lib/coturn/turndb
LOADED=/run/coturn/loaded
LINE_END='
'
in_use=''

first_line() {
  line=''
  if [ -r "$1" ]; then IFS= read -r line <"$1" || true; fi
  printf %s "$line"
}

admin() { turnadmin --userdb="$DATABASE" --realm="$REALM" "$@"; }

# Makes the database hold just the secrets that count: two during a rotation (docs/kubernetes.md). turnadmin calls it a success
# when it could not write because coturn was reading, so only what the database lists afterwards says that it was done.
update_secrets() {
  secret=$(first_line /secret/secret) other=$(first_line /secret/other)
  if [ "$secret'$other" = "$in_use" ]; then return; fi
  if [ -z "$secret" ]; then echo "coturn: the TURN secret is empty" >&2; return 1; fi
  for one in "$secret" "$other"; do
    case $one in
      '') ;;
      *\'*) echo "coturn: the TURN secret has a quote, which coturn cannot store" >&2; return 1 ;;
      *) admin --set-secret="$one" >/dev/null ;;
    esac
  done
  listed=$(list)
  surplus | while IFS= read -r one; do admin --delete-secret="$one" >/dev/null; done
  listed=$(list)
  if is_listed "$secret" && is_listed "${other:-$secret}" && [ -z "$(surplus)" ]; then
    in_use="$secret'$other"
  else
    echo "coturn: the TURN secrets are not loaded yet; trying again" >&2
    return 1
  fi
}

# The secrets in the database, a line each; none while it is locked.
list() {
  admin --show-secret | while IFS= read -r line; do
    case $line in *"[$REALM]") printf '%s\n' "${line%"[$REALM]"}" ;; esac
  done
}

is_listed() { case $LINE_END$listed$LINE_END in *"$LINE_END$1$LINE_END"*) ;; *) return 1 ;; esac; }

# Those of them that no longer count.
surplus() {
  printf '%s\n' "$listed" | while IFS= read -r one; do
    case $one in '' | "$secret" | "$other") ;; *) printf '%s\n' "$one" ;; esac
  done
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
