"""The dashboard "node": the resources of the selected nodes. Not here: the whole cluster (cluster.py)."""

from build import NODES, lines, stat

TITLE = "Switchboard / Node"
UID = "switchboard-node"
DESCRIPTION = "State, resources and refusals of the nodes that are selected at the top."

ROWS = [
    ("Now", False, [
        stat("Up", "Whether the nodes answer Prometheus.", f"min(up{{{NODES}}})", steps=[(0, "red"), (1, "green")], mappings={"0": "no", "1": "yes"}),
        stat("On the bus", "Whether the nodes receive the messages that they publish, on every Redis server. No: /readyz on the operations port gives the reason.", f"min(switchboard_bus_up{{{NODES}}})", steps=[(0, "red"), (1, "green")], mappings={"0": "no", "1": "yes"}),
        stat("Draining", "Whether a node drains. It then refuses new clients.", f"max(switchboard_draining{{{NODES}}})", steps=[(0, "green"), (1, "blue")], mappings={"0": "no", "1": "yes"}),
        stat("Connections", "Open connections of the selected nodes.", f"sum(switchboard_connections{{{NODES}}})"),
        stat("Pending sends", "Sends without an outcome. The deadline (5 s) bounds them.", f"sum(switchboard_pending_sends{{{NODES}}})"),
        stat("Lease age", "Time since the last renewal. Normal: up to 3 s. After 10 s other nodes consider this node dead.", f"max(time() - (switchboard_lease_renewed_timestamp_seconds{{{NODES}}} > 0))", "s", steps=[(0, "green"), (6, "orange"), (10, "red")]),
    ]),
    ("State", False, [
        lines("Connections and sessions", "A session starts with welcome, so both differ by the running handshakes.",
              [(f"sum by (instance) (switchboard_connections{{{NODES}}})", "connections {{instance}}"),
               (f"sum by (instance) (switchboard_sessions{{{NODES}}})", "sessions {{instance}}"),
               (f"sum by (instance) (switchboard_connections_limit{{{NODES}}})", "limit {{instance}}")]),
        lines("Send queues", "Payload bytes accepted for clients and not delivered yet. Grows: clients read or acknowledge too slowly.",
              [(f"switchboard_send_queue_bytes{{{NODES}}}", "{{instance}}")], "bytes"),
        lines("Send queue per session", "Send queue bytes divided by sessions. The dashed line is a quarter of the default limit of one send queue.",
              [(f"switchboard_send_queue_bytes{{{NODES}}} / (switchboard_sessions{{{NODES}}} > 0)", "{{instance}}")], "bytes", alarm=65536),
        lines("Pending sends", "Grows without limit: acknowledgements do not arrive; check the bus.",
              [(f"switchboard_pending_sends{{{NODES}}}", "{{instance}}")]),
        lines("Queue overflows", "Normal: 0. send-queue: slow receivers. publisher: Redis is slower than the senders. pending: a client sends without waiting for outcomes.",
              [(f"sum by (queue) (rate(switchboard_queue_overflows_total{{{NODES}}}[$__rate_interval]))", "{{queue}}")], "ops", alarm=0.1),
        lines("Subscriptions", "Normal: confirmed follows desired within a second. A permanent gap: other nodes cannot reach some peers.",
              [(f"sum by (instance) (switchboard_subscriptions_desired{{{NODES}}})", "desired {{instance}}"),
               (f"switchboard_subscriptions_confirmed{{{NODES}}}", "confirmed {{instance}}")]),
    ]),
    ("Resources", False, [
        lines("CPU", "CPU cores in use. Above four fifths of the budget latency grows.",
              [(f"rate(process_cpu_seconds_total{{{NODES}}}[$__rate_interval])", "{{instance}}")]),
        lines("Memory", "Memory of the process. The kernel needs about 5 KiB more for each socket, and a container's limit counts both.",
              [(f"process_resident_memory_bytes{{{NODES}}}", "{{instance}}")], "bytes"),
        lines("Memory per connection", "Normal: about 5 KiB when idle, plus the base of the process. Much more: full send queues.",
              [(f"process_resident_memory_bytes{{{NODES}}} / (sum without (transport) (switchboard_connections{{{NODES}}}) > 100)", "{{instance}}")], "bytes"),
        lines("Open files", "One for each connection, and a few more. The limit (LimitNOFILE, nofile) must exceed limits.connections.",
              [(f"process_open_fds{{{NODES}}}", "{{instance}}")]),
        lines("Bytes", "Frame bytes received from clients and written to clients.",
              [(f"sum by (instance) (rate(switchboard_received_bytes_total{{{NODES}}}[$__rate_interval]))", "in {{instance}}"),
               (f"sum by (instance) (rate(switchboard_sent_bytes_total{{{NODES}}}[$__rate_interval]))", "out {{instance}}")], "Bps"),
        lines("Frames to clients", "Messages, receipts and events.",
              [(f"sum by (instance) (rate(switchboard_frames_sent_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "ops"),
    ]),
    ("Refusals", False, [
        lines("Handshakes refused", "By reason. See the runbooks SwitchboardHandshakesRefusedBusy, SwitchboardAuthFailuresHigh and SwitchboardSigningKeysUnavailable.",
              [(f"sum by (reason) (rate(switchboard_connect_refusals_total{{{NODES}}}[$__rate_interval]))", "{{reason}}")], "reqps", stacked=True),
        lines("Unfinished handshakes", "Request heads that did not arrive in 10 s. Many: a slow-loris attack, or a proxy that opens connections in advance.",
              [(f"sum by (instance) (rate(switchboard_handshake_timeouts_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "reqps"),
        lines("Rejected commands", "rate-limited: a client sends too much. bad-frame: a client is broken. not-allowed: the token does not permit it.",
              [(f"sum by (code) (rate(switchboard_command_errors_total{{{NODES}}}[$__rate_interval])) > 0", "{{code}}")], "ops", stacked=True),
    ]),
]
