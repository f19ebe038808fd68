"""The dashboard "Redis": the bus as the nodes see it, and Redis itself where redis_exporter runs."""

from build import NODES, heat, lines, stat

TITLE = "Switchboard / Redis"
UID = "switchboard-redis"
DESCRIPTION = "The bus between the nodes: reachable, heard, quick. The last row needs redis_exporter."


def slow(metric, by):
    return f"histogram_quantile(0.99, sum by ({by}, le) (rate({metric}_bucket{{{NODES}}}[$__rate_interval])))"


ROWS = [
    ("Now", False, [
        stat("Nodes on the bus", "Nodes that hear what they publish.", f"sum(switchboard_bus_up{{{NODES}}})", width=6, steps=[(0, "red"), (1, "green")]),
        stat("Probe p99", "From publishing the probe to hearing it: the health of the bus in one number.", slow("switchboard_bus_probe_duration_seconds", "job"), "s", 6, [(0, "green"), (0.05, "orange"), (0.25, "red")]),
        stat("Errors", "Commands that failed, per second.", f"sum(rate(switchboard_redis_command_errors_total{{{NODES}}}[$__rate_interval]))", "ops", 6, [(0, "green"), (0.1, "red")]),
        stat("Oldest lease", "Since its last renewal; every 3 s is usual.", f"max(time() - (switchboard_lease_renewed_timestamp_seconds{{{NODES}}} > 0))", "s", 6, [(0, "green"), (6, "orange"), (10, "red")]),
    ]),
    ("Heard", False, [
        lines("On the bus", "0: cross-node messages of that node wait or fail. All at once: Redis. One: its network.",
              [(f"switchboard_bus_up{{{NODES}}}", "{{instance}}")], most=1),
        lines("Probes not heard", "Three in a row rebuild the connection.",
              [(f"sum by (instance) (rate(switchboard_bus_probes_missed_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "ops"),
        lines("Connections built anew", "connect: after a lost Redis; deaf: open, but nothing came; overflow: more than the node could take; closed: cut by something between, or by Redis' output buffer limit.",
              [(f"sum by (reason) (rate(switchboard_bus_rebuilds_total{{{NODES}}}[$__rate_interval]))", "{{reason}}")], "ops", stacked=True),
        lines("Probe", "The 99th percentile of the way node - Redis - same node.",
              [(slow("switchboard_bus_probe_duration_seconds", "instance"), "{{instance}}")], "s", 12),
        heat("Probe, all of them", "Each column is a moment, each cell how many probes took that long.",
             f"sum by (le) (rate(switchboard_bus_probe_duration_seconds_bucket{{{NODES}}}[$__rate_interval]))"),
    ]),
    ("Commands", False, [
        lines("p99 by command", "publish carries messages, claim and subscribe are on the way to a welcome. The alert counts from 0.1 s on.",
              [(slow("switchboard_redis_command_duration_seconds", "op"), "{{op}}")], "s", alarm=0.1),
        lines("Rate by command", "About 1.1 publishes for a message across nodes when alone, 1.02 saturated.",
              [(f"sum by (op) (rate(switchboard_redis_command_duration_seconds_count{{{NODES}}}[$__rate_interval]))", "{{op}}")], "ops", stacked=True),
        lines("Errors by command", "While the bus is up: Redis answers with errors (memory full, a replica, no permission).",
              [(f"sum by (op) (rate(switchboard_redis_command_errors_total{{{NODES}}}[$__rate_interval]))", "{{op}}")], "ops"),
        lines("Commands in one pipeline", "Grows with load; at 256 the link is at its bound.",
              [(f"sum by (instance) (rate(switchboard_publish_batch_size_sum{{{NODES}}}[$__rate_interval])) / sum by (instance) (rate(switchboard_publish_batch_size_count{{{NODES}}}[$__rate_interval]))", "{{instance}}")], width=12),
        lines("Subscriptions not confirmed", "Desired minus confirmed; zero but for moments.",
              [(f"switchboard_subscriptions_desired{{{NODES}}} - switchboard_subscriptions_confirmed{{{NODES}}}", "{{instance}}")], width=12),
    ]),
    ("Redis itself (needs redis_exporter)", True, [
        lines("Memory", "Leases, records and mailboxes; small. It must stay below maxmemory, with maxmemory-policy noeviction.",
              [("redis_memory_used_bytes", "used {{instance}}"), ("redis_memory_max_bytes > 0", "maxmemory {{instance}}")], "bytes"),
        lines("Commands", "All of them, nodes' and others'.", [("rate(redis_commands_processed_total[$__rate_interval])", "{{instance}}")], "ops"),
        lines("CPU", "One core is all that Redis uses for commands: near 1 it is the bottleneck.",
              [("rate(redis_cpu_user_seconds_total[$__rate_interval]) + rate(redis_cpu_sys_seconds_total[$__rate_interval])", "{{instance}}")], alarm=0.8),
        lines("Clients", "Four for each node: publisher, subscriber, two pooled.", [("redis_connected_clients", "{{instance}}")]),
        lines("Channels", "One for each peer, and one for each node.", [("redis_pubsub_channels", "{{instance}}")]),
        lines("Evicted keys", "Must be 0: an evicted record is a session that cannot be resumed.", [("rate(redis_evicted_keys_total[$__rate_interval])", "{{instance}}")], "ops"),
    ]),
]
