"""The dashboard "delivery": outcomes and latency of messages. Not here: Redis (redis.py)."""

from build import CLUSTER, NODES, heat, lines, stat

TITLE = "Switchboard / Delivery"
UID = "switchboard-delivery"
DESCRIPTION = "Outcomes and latency of messages with an id, retransmissions and offline queues."


def quantile(share, path):
    return (f'histogram_quantile({share}, sum by (le) '
            f'(rate(switchboard_delivery_duration_seconds_bucket{{{NODES}, path="{path}"}}[$__rate_interval])))')


def rate(metric):
    return f"sum(rate({metric}{{{NODES}}}[$__rate_interval]))"


ROWS = [
    ("Now", False, [
        stat("Delivered", "Share of the sends with the outcome delivered.",
             f'sum(rate(switchboard_messages_total{{{NODES}, outcome="delivered"}}[$__rate_interval])) / {rate("switchboard_messages_total")}', "percentunit", 6, [(0, "red"), (0.5, "orange"), (0.9, "green")]),
        stat("Failed by the cluster", "Outcomes timeout, bus-unavailable, queue-full and internal. The alert fires above 1 %.",
             f"sum(job:switchboard_failed_sends:rate5m{{{CLUSTER}}}) / sum(job:switchboard_sends:rate5m{{{CLUSTER}}})", "percentunit", 6, [(0, "green"), (0.001, "orange"), (0.01, "red")]),
        stat("Remote p99", "From accepting a send to its outcome delivered, across nodes.", quantile(0.99, "remote"), "s", 6, [(0, "green"), (0.1, "orange"), (0.5, "red")]),
        stat("Across nodes", "Share of the sends that used the bus.",
             f'sum(rate(switchboard_messages_total{{{NODES}, path="remote"}}[$__rate_interval])) / {rate("switchboard_messages_total")}', "percentunit", 6),
    ]),
    ("Outcomes", False, [
        lines("By outcome", "peer-offline and expired are normal. For the others see the runbook SwitchboardDeliveryErrors.",
              [(f"sum by (outcome) (rate(switchboard_messages_total{{{NODES}}}[$__rate_interval])) > 0", "{{outcome}}")], "ops", 12, stacked=True),
        lines("By kind", "Offers without answers: receivers are connected, but do not answer.",
              [(f"sum by (kind) (rate(switchboard_messages_total{{{NODES}}}[$__rate_interval]))", "{{kind}}")], "ops", 12),
    ]),
    ("Latency", False, [
        lines("On the same node", "Normal: well below a millisecond.",
              [(quantile(0.5, "local"), "p50"), (quantile(0.99, "local"), "p99"), (quantile(0.999, "local"), "p99.9")], "s", 12),
        lines("Across nodes", "Normal: about a millisecond. Only this path is slow: check Redis and the network.",
              [(quantile(0.5, "remote"), "p50"), (quantile(0.99, "remote"), "p99"), (quantile(0.999, "remote"), "p99.9")], "s", 12, alarm=0.5),
        heat("Across nodes, distribution", "Each cell is the number of messages with this latency at this time.",
             f'sum by (le) (rate(switchboard_delivery_duration_seconds_bucket{{{NODES}, path="remote"}}[$__rate_interval]))', width=24),
    ]),
    ("Reliability", False, [
        lines("Retransmissions", "A steady rate without faults: a node or Redis is overloaded. Duplicates and gaps follow. Clients see neither.",
              [(rate("switchboard_retransmissions_total"), "retransmitted"),
               (rate("switchboard_duplicates_dropped_total"), "duplicates dropped"),
               (rate("switchboard_order_gaps_total"), "order gaps")], "ops"),
        lines("Offline queues", "delivered far below stored: peers do not return within the resume window.",
              [(rate("switchboard_messages_queued_total"), "stored"), (rate("switchboard_offline_queue_delivered_total"), "delivered")], "ops"),
        lines("Acknowledgements in one publish", "Grows under load, which keeps acknowledgements cheap.",
              [(f"sum(rate(switchboard_ack_batch_size_sum{{{NODES}}}[$__rate_interval])) / sum(rate(switchboard_ack_batch_size_count{{{NODES}}}[$__rate_interval]))", "mean")]),
    ]),
    ("Webhooks", True, [
        lines("Waiting events", "Normal: near 0. Grows: an endpoint is slow or away. dead: events that were given up and can be replayed.",
              [(f"max(switchboard_webhook_backlog_events{{{NODES}}})", "waiting"), (f"max(switchboard_webhook_dead_events{{{NODES}}})", "dead")]),
        lines("Age of the oldest event", "Normal: below a second. The dashed line is the threshold of SwitchboardWebhooksDelayed.",
              [(f"max(switchboard_webhook_oldest_event_seconds{{{NODES}}})", "oldest")], "s", alarm=300),
        lines("Requests", "unreachable: the endpoint is away. refused: it answers with an error.",
              [(f"sum by (outcome) (rate(switchboard_webhook_requests_total{{{NODES}}}[$__rate_interval]))", "{{outcome}}")], "reqps", stacked=True),
        lines("Duration of requests", "Slow: the endpoint works before it answers.",
              [(f"histogram_quantile(0.99, sum by (le) (rate(switchboard_webhook_request_duration_seconds_bucket{{{NODES}}}[$__rate_interval])))", "p99")], "s"),
        lines("Lost events", "Normal: 0. See the runbook SwitchboardWebhookEventsLost.",
              [(rate("switchboard_webhook_events_dropped_total"), "dropped"), (rate("switchboard_webhook_events_given_up_total"), "given up")], "ops"),
    ]),
]
