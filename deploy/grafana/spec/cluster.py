"""The dashboard "cluster": health, load and admission of the cluster. Not here: a single node (node.py)."""

from build import CLUSTER, NODES, lines, stat, table

TITLE = "Switchboard / Cluster"
UID = "switchboard-cluster"
DESCRIPTION = "Health, load and admission of the cluster."

ROWS = [
    ("Now", False, [
        stat("Nodes up", "Nodes that answer Prometheus.", f"sum(up{{{CLUSTER}}})", steps=[(0, "red"), (1, "orange"), (2, "green")]),
        stat("Nodes on the bus", "Nodes that receive the messages that they publish, on every Redis server. Fewer than are up: see the Redis dashboard.", f"sum(min by (instance) (switchboard_bus_up{{{CLUSTER}}}))", steps=[(0, "red"), (1, "green")]),
        stat("Connections", "Open connections of all nodes.", f"sum(switchboard_connections{{{CLUSTER}}})"),
        stat("Sends", "Sends with an id that got their outcome, per second.", f"sum(rate(switchboard_messages_total{{{CLUSTER}}}[$__rate_interval]))", "reqps"),
        stat("Failed sends", "Share of the outcomes timeout, bus-unavailable, queue-full and internal. Absent receivers are not counted.",
             f"sum(job:switchboard_failed_sends:rate5m{{{CLUSTER}}}) / sum(job:switchboard_sends:rate5m{{{CLUSTER}}})", "percentunit", steps=[(0, "green"), (0.001, "orange"), (0.01, "red")]),
        stat("Draining", "Nodes that drain now.", f"sum(switchboard_draining{{{CLUSTER}}})", steps=[(0, "green"), (1, "blue")]),
    ]),
    ("Load", False, [
        lines("Connections by node", "Normal: equal within a few per cent. Uneven: let the balancer count connections (least_conn). New nodes fill as clients connect.",
              [(f"sum by (instance) (switchboard_connections{{{NODES}}})", "{{instance}}")], stacked=True),
        lines("Share of the limit", "Connections divided by limits.connections. At 100 % the node refuses clients with 503.",
              [(f"sum by (instance) (switchboard_connections{{{NODES}}}) / sum by (instance) (switchboard_connections_limit{{{NODES}}})", "{{instance}}")], "percentunit", alarm=0.8, top=1),
        lines("Against the mean", "A node's connections divided by the mean of the cluster. Normal: about 1.",
              [(f"instance:switchboard_connections:sum{{{NODES}}} / on (namespace, job) group_left () job:switchboard_connections:avg{{{CLUSTER}}}", "{{instance}}")], alarm=1.5),
        lines("Messages from clients", "Messages received from clients, by kind, with and without an id.",
              [(f"sum by (kind) (rate(switchboard_messages_received_total{{{NODES}}}[$__rate_interval]))", "{{kind}}")], "reqps", stacked=True),
        lines("CPU by node", "CPU cores in use. The dashed line is four fifths of the default budget of two.",
              [(f"instance:switchboard_cpu_cores:rate5m{{{NODES}}}", "{{instance}}")], "short", alarm=1.6),
        lines("Memory by node", "Memory of the process. The kernel needs about 5 KiB more for each socket.",
              [(f"process_resident_memory_bytes{{{NODES}}}", "{{instance}}")], "bytes"),
    ]),
    ("Connects and disconnects", False, [
        lines("Connections opened", "A peak on all nodes except one: that node ended, and its clients moved.",
              [(f"sum by (instance) (rate(switchboard_connections_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "cps"),
        lines("Handshakes refused", "token: check the issuer's clock and keys. origin: check server.allowed_origins. limit and connect-rate: too many clients for these nodes. draining: normal.",
              [(f"sum by (reason) (rate(switchboard_connect_refusals_total{{{NODES}}}[$__rate_interval]))", "{{reason}}")], "reqps", stacked=True),
        lines("Connections ended, by close code", "1000 and 1001 are normal, 1012 is a drain. 4408: dead networks. 4508: slow receivers. 4400: a broken client.",
              [(f"sum by (code) (rate(switchboard_closes_total{{{NODES}}}[$__rate_interval])) > 0", "{{code}}")], "cps", stacked=True),
        lines("Resumed sessions", "refused: clients return after the resume window, or Redis lost its data. gap: messages may be missing; the client is informed.",
              [(f"sum by (outcome) (rate(switchboard_resumes_total{{{NODES}}}[$__rate_interval]))", "{{outcome}}")], "cps"),
        lines("Moves and takeovers", "goaway: drains and rebalancing. takeover: peers that connect a second time. Many: a client reconnects while its old connection is open.",
              [(f"sum(rate(switchboard_goaways_total{{{NODES}}}[$__rate_interval]))", "goaway"),
               (f"sum(rate(switchboard_takeovers_total{{{NODES}}}[$__rate_interval]))", "takeover")], "cps"),
        lines("From handshake to welcome, p99", "Slow: see subscribe and claim on the Redis dashboard.",
              [(f"histogram_quantile(0.99, sum by (instance, le) (rate(switchboard_connect_duration_seconds_bucket{{{NODES}}}[$__rate_interval])))", "{{instance}}")], "s"),
    ]),
    ("Builds", True, [
        table("Builds", "Version and commit of each node. Two for a long time: an upgrade has stopped.",
              [(f"sum by (instance, version, commit) (switchboard_build_info{{{NODES}}})", "")], width=24),
    ]),
]
