# shellcheck shell=bash disable=SC2034
# What `up` and `down` share: names, ports, folders. Sourced, not run.

cd "$(dirname "$0")/../.." || exit
RUN_DIR=${SWITCHBOARD_LOCAL_DIR:-$PWD/out/local}
NODES=(n1 n2 n3)
PUBLIC_PORT=${SWITCHBOARD_LOCAL_PORT:-7800}
NODE_PORT_BASE=$((PUBLIC_PORT + 1))
OPS_PORT_BASE=$((PUBLIC_PORT + 11))
REDIS_PORT=$((PUBLIC_PORT + 21))

# Whether there is a process $1 that has not ended; a zombie has.
running() { [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || echo Z)" != Z ]; }

stop_all() {
  local node
  stop "$RUN_DIR/nginx.pid" nginx
  for node in "${NODES[@]}"; do
    stop "$RUN_DIR/$node.pid" switchboard
  done
  stop "$RUN_DIR/redis.pid" redis-server
}

# Stops the process whose PID stands in file $1, if it is still the program $2.
stop() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]; then
    kill "$pid" 2>/dev/null
    for _ in $(seq 100); do
      running "$pid" || break
      sleep 0.1
    done
    if running "$pid"; then
      echo "$2 (PID $pid) did not end within 10 s and is killed" >&2
      kill -9 "$pid" 2>/dev/null
    fi
  fi
  rm -f "$1"
}
