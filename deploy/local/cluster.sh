# shellcheck shell=bash disable=SC2034
# Names, ports and folders of `up` and `down`. They source this file.

cd "$(dirname "$0")/../.." || exit
RUN_DIR=${SWITCHBOARD_LOCAL_DIR:-$PWD/out/local}
NODES=(n1 n2 n3)
PUBLIC_PORT=${SWITCHBOARD_LOCAL_PORT:-7800}
NODE_PORT_BASE=$((PUBLIC_PORT + 1))
OPS_PORT_BASE=$((PUBLIC_PORT + 11))
REDIS_PORT=$((PUBLIC_PORT + 21))

# Whether process $1 is running. A zombie is not.
running() { [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || echo Z)" != Z ]; }

stop_all() {
  local node
  stop "$RUN_DIR/nginx.pid" nginx
  for node in "${NODES[@]}"; do
    stop "$RUN_DIR/$node.pid" switchboard
  done
  stop "$RUN_DIR/redis.pid" redis-server
}

# Stops the process with the PID in file $1, if it is the program $2.
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
