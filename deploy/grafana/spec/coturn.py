"""The dashboard "coturn": relays of the TURN servers. Their own metrics (`coturn.metrics` of the chart). Not here: what nodes say."""

from build import NODES, lines, stat

TITLE = "Switchboard / coturn"
UID = "switchboard-coturn"
DESCRIPTION = "Relays and traffic of the TURN servers."
# The series that every server has.
SERIES = "turn_packet_processed"

ROWS = [
    ("Now", False, [
        stat("Servers", "Servers that answer Prometheus.", f"count(turn_packet_processed{{{NODES}}})", steps=[(0, "red"), (1, "green")]),
        stat("Relays", "Allocations that are open now.", f"sum(turn_total_allocations{{{NODES}}})"),
        stat("Dropped packets", "Packets dropped, per second. Normal: none. Others: coturn.bytesPerSecond and totalBytesPerSecond are reached.",
             f"sum(rate(turn_packet_dropped{{{NODES}}}[$__rate_interval]))", "pps", steps=[(0, "green"), (1, "orange")]),
    ]),
    ("Relays", False, [
        lines("Relays by server", "Open allocations. A server whose relays only fall is draining. All at coturn.totalQuota: new calls get no relay.",
              [(f"sum by (instance) (turn_total_allocations{{{NODES}}})", "{{instance}}")], stacked=True),
        lines("Relays by transport", "The transport between client and relay. Much TCP and TLS: networks of users block UDP.",
              [(f"sum by (type) (turn_total_allocations{{{NODES}}})", "{{type}}")], stacked=True),
        lines("Packets", "Packets that servers process, per second.",
              [(f"sum by (instance) (rate(turn_packet_processed{{{NODES}}}[$__rate_interval]))", "{{instance}}")], "pps"),
        lines("Bytes of ended relays", "coturn counts a relay when it ends, so a long call is one step.",
              [(f"sum(rate(turn_total_traffic_rcvb{{{NODES}}}[$__rate_interval]))", "from clients"),
               (f"sum(rate(turn_total_traffic_sentb{{{NODES}}}[$__rate_interval]))", "to clients")], "Bps"),
        lines("STUN", "Requests for an address, without a relay.",
              [(f"sum(rate(stun_binding_request{{{NODES}}}[$__rate_interval]))", "requests"),
               (f"sum(rate(stun_binding_error{{{NODES}}}[$__rate_interval]))", "errors")], "reqps"),
    ]),
]
