"""The dashboard "Redis": the bus from the view of the nodes, and the metrics of redis_exporter."""

from build import NODES, heat, lines, stat

TITLE = "Switchboard / Redis"
UID = "switchboard-redis"
DESCRIPTION = "Health and latency of the bus between the nodes. The last row needs redis_exporter."


def slow(metric, by):
    return f"histogram_quantile(0.99, sum by ({by}, le) (rate({metric}_bucket{{{NODES}}}[$__rate_interval])))"


ROWS = [
    ("Now", False, [
        stat("Servers without a node", "Redis servers that no node reaches. Their share of the peers cannot be reached across nodes.", f"count(max by (job, shard) (switchboard_bus_up{{{NODES}}}) == 0) or vector(0)", width=6, steps=[(0, "green"), (1, "red")]),
        stat("Probe p99", "From publishing a probe to receiving it.", slow("switchboard_bus_probe_duration_seconds", "job"), "s", 6, [(0, "green"), (0.05, "orange"), (0.25, "red")]),
        stat("Errors", "Commands that failed, per second.", f"sum(rate(switchboard_redis_command_errors_total{{{NODES}}}[$__rate_interval]))", "ops", 6, [(0, "green"), (0.1, "red")]),
        stat("Oldest lease", "Time since the last renewal. Normal: up to 3 s.", f"max(time() - (switchboard_lease_renewed_timestamp_seconds{{{NODES}}} > 0))", "s", 6, [(0, "green"), (6, "orange"), (10, "red")]),
    ]),
    ("Bus", False, [
        lines("On the bus", "Nodes that receive their own messages over each Redis server. 0: the server is down. Fewer than all: check the network of the others.",
              [(f"sum by (shard) (switchboard_bus_up{{{NODES}}})", "{{shard}}")]),
        lines("Missed probes", "Three in a row rebuild the connection.",
              [(f"sum by (instance, shard) (rate(switchboard_bus_probes_missed_total{{{NODES}}}[$__rate_interval]))", "{{instance}} {{shard}}")], "ops"),
        lines("Rebuilt connections", "connect: after an outage of Redis. deaf: open, but without messages. overflow: messages arrive too fast. closed: by the network, or by Redis' output buffer limit.",
              [(f"sum by (shard, reason) (rate(switchboard_bus_rebuilds_total{{{NODES}}}[$__rate_interval]))", "{{reason}} {{shard}}")], "ops", stacked=True),
        lines("Probe p99", "99th percentile from publishing a probe to receiving it, by Redis server.",
              [(slow("switchboard_bus_probe_duration_seconds", "shard"), "{{shard}}")], "s", 12),
        heat("Probe, distribution", "Each cell is the number of probes with this latency at this time.",
             f"sum by (le) (rate(switchboard_bus_probe_duration_seconds_bucket{{{NODES}}}[$__rate_interval]))"),
    ]),
    ("Commands", False, [
        lines("p99 by command", "publish carries messages; claim and subscribe precede a welcome. The alert fires above 0.1 s.",
              [(slow("switchboard_redis_command_duration_seconds", "op"), "{{op}}")], "s", alarm=0.1),
        lines("Rate by command", "Normal: about 1.1 publishes for each message across nodes at low load, and 1.02 at saturation.",
              [(f"sum by (op) (rate(switchboard_redis_command_duration_seconds_count{{{NODES}}}[$__rate_interval]))", "{{op}}")], "ops", stacked=True),
        lines("Errors by command", "While the bus is up: Redis answers with errors (memory full, a replica, no permission).",
              [(f"sum by (shard, op) (rate(switchboard_redis_command_errors_total{{{NODES}}}[$__rate_interval])) > 0", "{{op}} {{shard}}")], "ops"),
        lines("Commands in one pipeline", "Grows with load. 256 is the bound.",
              [(f"sum by (instance) (rate(switchboard_publish_batch_size_sum{{{NODES}}}[$__rate_interval])) / sum by (instance) (rate(switchboard_publish_batch_size_count{{{NODES}}}[$__rate_interval]))", "{{instance}}")], width=12),
        lines("Unconfirmed subscriptions", "Desired minus confirmed. Normal: 0 except for moments.",
              [(f"switchboard_subscriptions_desired{{{NODES}}} - switchboard_subscriptions_confirmed{{{NODES}}}", "{{instance}} {{shard}}")], width=12),
    ]),
    ("Memory of Redis, as nodes see it", False, [
        lines("May evict", "1: the server has another maxmemory-policy than noeviction, and throws away records that are in use when it is full.",
              [(f"max by (shard) (switchboard_redis_may_evict{{{NODES}}})", "{{shard}}")], width=8),
        lines("Lost records", "Times that nodes found records missing although their connections stayed: eviction, FLUSHALL, or another program.",
              [(f"sum by (shard) (increase(switchboard_redis_losses_total{{{NODES}}}[$__rate_interval]))", "{{shard}}")], width=8),
        lines("Short of memory", "1: above the watermark. Messages to detached peers end in queue-full.",
              [(f"max by (shard) (switchboard_redis_memory_short{{{NODES}}})", "{{shard}}")], width=8),
    ]),
    ("Redis itself (needs redis_exporter)", True, [
        lines("Memory", "Leases, records and offline queues. It must stay below maxmemory, with maxmemory-policy noeviction.",
              [("redis_memory_used_bytes", "used {{instance}}"), ("redis_memory_max_bytes > 0", "maxmemory {{instance}}")], "bytes"),
        lines("Commands", "Commands of all clients.", [("rate(redis_commands_processed_total[$__rate_interval])", "{{instance}}")], "ops"),
        lines("CPU", "Redis uses one core for commands. Near 1 it is the bottleneck.",
              [("rate(redis_cpu_user_seconds_total[$__rate_interval]) + rate(redis_cpu_sys_seconds_total[$__rate_interval])", "{{instance}}")], alarm=0.8),
        lines("Clients", "Two of each node, and up to five more that come and go.", [("redis_connected_clients", "{{instance}}")]),
        lines("Channels", "One for each peer, and one for each node.", [("redis_pubsub_channels", "{{instance}}")]),
        lines("Evicted keys", "Must be 0: an evicted record is a lost session.", [("rate(redis_evicted_keys_total[$__rate_interval])", "{{instance}}")], "ops"),
    ]),
]
