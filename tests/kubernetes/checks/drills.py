"""The drills of docs/drills.md, typed as they are: each alert fires and is silent again. They take minutes, so only their name asks for them."""

import time

from alerts import Alerts
from documented import drills, files
from processes import until
from reader import reader

NAMESPACE, NODES = "drills", 3
BEGIN, END = "Begin", "End"
# A kubelet writes a changed Secret into a pod within two minutes.
FIRES_S, SILENT_S = 150, 150


def drill(one, alerts, heading, steps):
    """Does a drill. Returns how long its alerts took to fire, and all of them to be silent again."""
    start = time.monotonic()
    one.types_all(steps[:-1])
    for alert in heading.split(", "):
        alerts.until_firing(alert, FIRES_S)
    fired = time.monotonic() - start
    one.types_all(steps[-1:])
    one.end_background()
    alerts.until_silent(SILENT_S)
    return f"{fired:.0f} s and {time.monotonic() - start - fired:.0f} s"


def each_drill_makes_its_alerts_fire_and_ends_them(live):
    sections = drills()
    first, last = sections.pop(BEGIN), sections.pop(END)
    took = []
    with reader(live.cluster) as one:
        try:
            for name, text in files(first).items():
                one.save(name, text)
            one.types_all(first)
            with Alerts(live.cluster.plane, NAMESPACE) as alerts:
                until("Prometheus finds the nodes", lambda: alerts.nodes() == NODES, FIRES_S)
                alerts.until_silent(SILENT_S)
                for heading, steps in sections.items():
                    took.append(f"{heading} {drill(one, alerts, heading, steps)}")
                    print(f"        {took[-1]}", flush=True)
            one.types_all(last)
        finally:
            live.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
    return f"{len(took)} drills"


CHECKS = [each_drill_makes_its_alerts_fire_and_ends_them]
