"""The dashboard "cluster": is it well, how much does it carry, who is let in. One node: node.py."""

from build import CLUSTER, NODES, lines, stat, table

TITLE = "Switchboard / Cluster"
UID = "switchboard-cluster"
DESCRIPTION = "Is the cluster well, how much does it carry, who is let in."

ROWS = [
    ("Now", False, [
        stat("Nodes up", "Nodes that Prometheus reaches.", f"sum(up{{{CLUSTER}}})", steps=[(0, "red"), (1, "orange"), (2, "green")]),
        stat("Nodes on the bus", "Nodes that hear what they publish. Fewer than are up: see the Redis dashboard.", f"sum(switchboard_bus_up{{{CLUSTER}}})", steps=[(0, "red"), (1, "green")]),
        stat("Connections", "Open connections of all nodes.", f"sum(switchboard_connections{{{CLUSTER}}})"),
        stat("Sends", "Messages with an id that came to their final word, per second.", f"sum(rate(switchboard_messages_total{{{CLUSTER}}}[$__rate_interval]))", "reqps"),
        stat("Failed sends", "Share that ended in timeout, bus-unavailable, queue-full or internal. Absent receivers are not counted.",
             f"sum(job:switchboard_failed_sends:rate5m{{{CLUSTER}}}) / sum(job:switchboard_sends:rate5m{{{CLUSTER}}})", "percentunit", steps=[(0, "green"), (0.001, "orange"), (0.01, "red")]),
        stat("Draining", "Nodes that empty themselves now.", f"sum(switchboard_draining{{{CLUSTER}}})", steps=[(0, "green"), (1, "blue")]),
    ]),
    ("Load", False, [
        lines("Connections by node", "Even within a few per cent. Uneven: the balancer must count connections (least_conn), and new nodes fill up only as clients come.",
              [(f"sum by (instance) (switchboard_connections{{{NODES}}})", "{{instance}}")], stacked=True),
        lines("Share of the limit", "Connections against limits.connections. At 100 % clients are refused with 503.",
              [(f"sum by (instance) (switchboard_connections{{{NODES}}}) / sum by (instance) (switchboard_connections_limit{{{NODES}}})", "{{instance}}")], "percentunit", alarm=0.8, most=1),
        lines("Against the mean", "A node's connections over the mean of the cluster. 1 is even.",
              [(f"instance:switchboard_connections:sum{{{NODES}}} / on (namespace, job) group_left () job:switchboard_connections:avg{{{CLUSTER}}}", "{{instance}}")], alarm=1.5),
        lines("Messages from clients", "Taken from clients, by kind, with and without an id.",
              [(f"sum by (kind) (rate(switchboard_messages_received_total{{{NODES}}}[$__rate_interval]))", "{{kind}}")], "reqps", stacked=True),
        lines("CPU by node", "Cores in use. The dashed line is four fifths of the usual budget of two.",
              [(f"instance:switchboard_cpu_cores:rate5m{{{NODES}}}", "{{instance}}")], "short", alarm=1.6),
        lines("Memory by node", "The process's own; the kernel keeps about 5 KiB more for each socket.",
              [(f"process_resident_memory_bytes{{{NODES}}}", "{{instance}}")], "bytes"),
    ]),
    ("Coming and going", False, [
        lines("Connections opened", "A peak on all nodes but one: that one has ended, and its clients moved.",
              [(f"sum by (instance) (rate(switchboard_connections_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "cps"),
        lines("Handshakes refused", "token: the issuer's clock or key; origin: server.allowed_origins; limit and pace: too many clients for the nodes there are; draining: as it should be.",
              [(f"sum by (reason) (rate(switchboard_connect_refusals_total{{{NODES}}}[$__rate_interval]))", "{{reason}}")], "reqps", stacked=True),
        lines("Connections ended, by close code", "1000 and 1001 are usual, 1012 a drain. 4408: dead networks; 4508: slow receivers; 4400: a broken client.",
              [(f"sum by (code) (rate(switchboard_closes_total{{{NODES}}}[$__rate_interval])) > 0", "{{code}}")], "cps", stacked=True),
        lines("Resumed sessions", "refused: clients come back after the window, or Redis lost its data. gap: something may be missing, the client was told.",
              [(f"sum by (outcome) (rate(switchboard_resumes_total{{{NODES}}}[$__rate_interval]))", "{{outcome}}")], "cps"),
        lines("Told to go, and replaced", "goaway: drains. Takeovers: peers that connect a second time; many are a client that reconnects while its connection lives.",
              [(f"sum(rate(switchboard_goaways_total{{{NODES}}}[$__rate_interval]))", "goaway"),
               (f"sum(rate(switchboard_takeovers_total{{{NODES}}}[$__rate_interval]))", "takeover")], "cps"),
        lines("From handshake to welcome, p99", "Slow: look at subscribe and claim on the Redis dashboard.",
              [(f"histogram_quantile(0.99, sum by (instance, le) (rate(switchboard_connect_duration_seconds_bucket{{{NODES}}}[$__rate_interval])))", "{{instance}}")], "s"),
    ]),
    ("What runs", True, [
        table("Builds", "Version and commit of each node. Two for long: an upgrade has stopped half way.",
              [(f"sum by (instance, version, commit) (switchboard_build_info{{{NODES}}})", "")], width=24),
    ]),
]
