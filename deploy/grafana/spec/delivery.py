"""The dashboard "delivery": what becomes of messages, and how soon. Redis' part in it: redis.py."""

from build import CLUSTER, NODES, heat, lines, stat

TITLE = "Switchboard / Delivery"
UID = "switchboard-delivery"
DESCRIPTION = "What becomes of messages with an id, how soon, and what was repeated or kept on the way."


def quantile(share, path):
    return (f'histogram_quantile({share}, sum by (le) '
            f'(rate(switchboard_delivery_duration_seconds_bucket{{{NODES}, path="{path}"}}[$__rate_interval])))')


def rate(metric):
    return f"sum(rate({metric}{{{NODES}}}[$__rate_interval]))"


ROWS = [
    ("Now", False, [
        stat("Delivered", "Share of the sends whose final word was delivered.",
             f'sum(rate(switchboard_messages_total{{{NODES}, outcome="delivered"}}[$__rate_interval])) / {rate("switchboard_messages_total")}', "percentunit", 6, [(0, "red"), (0.5, "orange"), (0.9, "green")]),
        stat("Failed by the cluster", "timeout, bus-unavailable, queue-full, internal. The alert counts from 1 % on.",
             f"sum(job:switchboard_failed_sends:rate5m{{{CLUSTER}}}) / sum(job:switchboard_sends:rate5m{{{CLUSTER}}})", "percentunit", 6, [(0, "green"), (0.001, "orange"), (0.01, "red")]),
        stat("Remote p99", "From taking a send to knowing that it was delivered, across nodes.", quantile(0.99, "remote"), "s", 6, [(0, "green"), (0.1, "orange"), (0.5, "red")]),
        stat("Across nodes", "Share of the sends that took the bus.",
             f'sum(rate(switchboard_messages_total{{{NODES}, path="remote"}}[$__rate_interval])) / {rate("switchboard_messages_total")}', "percentunit", 6),
    ]),
    ("Final words", False, [
        lines("By outcome", "peer-offline and expired are ordinary. The others are in the runbook DeliveryErrors.",
              [(f"sum by (outcome) (rate(switchboard_messages_total{{{NODES}}}[$__rate_interval])) > 0", "{{outcome}}")], "ops", 12, stacked=True),
        lines("By kind", "Offers without answers: receivers that are there and do not answer, or do not come to it.",
              [(f"sum by (kind) (rate(switchboard_messages_total{{{NODES}}}[$__rate_interval]))", "{{kind}}")], "ops", 12),
    ]),
    ("How soon", False, [
        lines("On the same node", "Well below a millisecond.",
              [(quantile(0.5, "local"), "p50"), (quantile(0.99, "local"), "p99"), (quantile(0.999, "local"), "p99.9")], "s", 12),
        lines("Across nodes", "About a millisecond. Slow while the other is quick: Redis, or the network between.",
              [(quantile(0.5, "remote"), "p50"), (quantile(0.99, "remote"), "p99"), (quantile(0.999, "remote"), "p99.9")], "s", 12, alarm=0.5),
        heat("Across nodes, all of them", "Each column is a moment, each cell how many messages took that long.",
             f'sum by (le) (rate(switchboard_delivery_duration_seconds_bucket{{{NODES}, path="remote"}}[$__rate_interval]))', width=24),
    ]),
    ("On the way", False, [
        lines("Repeated for want of an acknowledgement", "A steady rate without faults: a node or Redis is overloaded. Duplicates and gaps follow it; clients see neither.",
              [(rate("switchboard_retransmissions_total"), "repeated"),
               (rate("switchboard_duplicates_dropped_total"), "duplicates dropped"),
               (rate("switchboard_order_gaps_total"), "waited for one before")], "ops"),
        lines("Mailboxes of detached peers", "delivered far below queued: peers do not come back within the resume window.",
              [(rate("switchboard_messages_queued_total"), "queued"), (rate("switchboard_offline_queue_delivered_total"), "delivered from there")], "ops"),
        lines("Acknowledgements in one publish", "More of them in one under load; that is what keeps the contract cheap.",
              [(f"sum(rate(switchboard_ack_batch_size_sum{{{NODES}}}[$__rate_interval])) / sum(rate(switchboard_ack_batch_size_count{{{NODES}}}[$__rate_interval]))", "mean")]),
    ]),
]
