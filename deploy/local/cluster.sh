# What `up` and `down` share: names, ports, folders. Sourced, not run.

cd "$(dirname "$0")/../.."
RUN_DIR=${SWITCHBOARD_LOCAL_DIR:-$PWD/out/local}
NODES=(n1 n2 n3)
PUBLIC_PORT=${SWITCHBOARD_LOCAL_PORT:-7800}
NODE_PORT_BASE=$((PUBLIC_PORT + 1))
OPS_PORT_BASE=$((PUBLIC_PORT + 11))
REDIS_PORT=$((PUBLIC_PORT + 21))

# Stops the process whose PID stands in file $1, if it is still the program $2.
stop() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]; then
    kill "$pid" 2>/dev/null
    for _ in $(seq 100); do [ -d "/proc/$pid" ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)" != Z ] || break; sleep 0.1; done
  fi
  rm -f "$1"
}
