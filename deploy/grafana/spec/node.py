"""The dashboard "node": one node, or some, from inside. The cluster as a whole: cluster.py."""

from build import NODES, lines, stat

TITLE = "Switchboard / Node"
UID = "switchboard-node"
DESCRIPTION = "One node from inside: what it holds, what it uses, what it turns away. Choose it at the top."

ROWS = [
    ("Now", False, [
        stat("Answers", "Whether Prometheus reaches it.", f"min(up{{{NODES}}})", steps=[(0, "red"), (1, "green")], mappings={"0": "no", "1": "yes"}),
        stat("On the bus", "Whether it hears what it publishes. No: /readyz on the operations port says why.", f"min(switchboard_bus_up{{{NODES}}})", steps=[(0, "red"), (1, "green")], mappings={"0": "no", "1": "yes"}),
        stat("Draining", "Whether it empties itself; nobody new comes to it then.", f"max(switchboard_draining{{{NODES}}})", steps=[(0, "green"), (1, "blue")], mappings={"0": "no", "1": "yes"}),
        stat("Connections", "Open now, on the nodes chosen at the top.", f"sum(switchboard_connections{{{NODES}}})"),
        stat("Sends under way", "Without their final word. Bounded by the deadline (5 s): more than five seconds' worth of sends cannot be.", f"sum(switchboard_pending_sends{{{NODES}}})"),
        stat("Age of the lease", "Since its last renewal; every 3 s is usual. From 10 s on other nodes take this one for dead.", f"max(time() - (switchboard_lease_renewed_timestamp_seconds{{{NODES}}} > 0))", "s", steps=[(0, "green"), (6, "orange"), (10, "red")]),
    ]),
    ("What it holds", False, [
        lines("Connections and sessions", "A session begins with the welcome: the two differ by handshakes under way.",
              [(f"sum by (instance) (switchboard_connections{{{NODES}}})", "connections {{instance}}"),
               (f"sum by (instance) (switchboard_sessions{{{NODES}}})", "sessions {{instance}}"),
               (f"sum by (instance) (switchboard_connections_limit{{{NODES}}})", "limit {{instance}}")]),
        lines("Waiting for clients", "Payload bytes on their way to clients and not done. Grows: clients that read, or acknowledge, too slowly.",
              [(f"switchboard_send_queue_bytes{{{NODES}}}", "{{instance}}")], "bytes"),
        lines("Waiting for each client", "The same over sessions. The dashed line is a quarter of what one send queue holds by default.",
              [(f"switchboard_send_queue_bytes{{{NODES}}} / (switchboard_sessions{{{NODES}}} > 0)", "{{instance}}")], "bytes", alarm=65536),
        lines("Sends under way", "Grows without end: acknowledgements do not come back; look at the bus.",
              [(f"switchboard_pending_sends{{{NODES}}}", "{{instance}}")]),
        lines("Queues without room", "Any steady rate is trouble: mailbox: slow receivers; publisher: Redis slower than the senders; pending: a client that sends without waiting.",
              [(f"sum by (queue) (rate(switchboard_queue_overflows_total{{{NODES}}}[$__rate_interval]))", "{{queue}}")], "ops", alarm=0.1),
        lines("Subscriptions", "Confirmed follows desired within a second; a gap that stays means peers that other nodes cannot reach.",
              [(f"switchboard_subscriptions_desired{{{NODES}}}", "desired {{instance}}"),
               (f"switchboard_subscriptions_confirmed{{{NODES}}}", "confirmed {{instance}}")]),
    ]),
    ("What it uses", False, [
        lines("CPU", "Cores. Beyond four fifths of the budget latency grows first.",
              [(f"rate(process_cpu_seconds_total{{{NODES}}}[$__rate_interval])", "{{instance}}")]),
        lines("Memory", "The process's own; sockets come on top, about 5 KiB each, and count towards a container's limit.",
              [(f"process_resident_memory_bytes{{{NODES}}}", "{{instance}}")], "bytes"),
        lines("Memory for each connection", "About 5 KiB when idle, beside what the process itself needs; much more: mail that waits.",
              [(f"process_resident_memory_bytes{{{NODES}}} / (sum without (transport) (switchboard_connections{{{NODES}}}) > 100)", "{{instance}}")], "bytes"),
        lines("Open files", "One for each connection, and a few. The limit (LimitNOFILE, nofile) must be above limits.connections.",
              [(f"process_open_fds{{{NODES}}}", "{{instance}}")]),
        lines("Bytes", "Payloads taken from clients, frames written to them.",
              [(f"sum by (instance) (rate(switchboard_received_bytes_total{{{NODES}}}[$__rate_interval]))", "in {{instance}}"),
               (f"sum by (instance) (rate(switchboard_sent_bytes_total{{{NODES}}}[$__rate_interval]))", "out {{instance}}")], "Bps"),
        lines("Frames to clients", "Messages, receipts and events.",
              [(f"sum by (instance) (rate(switchboard_frames_sent_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "ops"),
    ]),
    ("What it turns away", False, [
        lines("Handshakes refused", "By reason; see the runbooks HandshakesRefusedBusy, AuthFailuresHigh and SigningKeysUnavailable.",
              [(f"sum by (reason) (rate(switchboard_connect_refusals_total{{{NODES}}}[$__rate_interval]))", "{{reason}}")], "reqps", stacked=True),
        lines("Unfinished handshakes", "Clients that did not finish the head of a request in 10 s. Many: a slow-loris, or a proxy that opens connections ahead of need.",
              [(f"sum by (instance) (rate(switchboard_handshake_timeouts_total{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "reqps"),
        lines("Commands answered with an error at once", "rate-limited: a client floods; bad-frame: a client is broken; not-allowed: a token does not permit it.",
              [(f"sum by (code) (rate(switchboard_command_errors_total{{{NODES}}}[$__rate_interval])) > 0", "{{code}}")], "ops", stacked=True),
    ]),
]
