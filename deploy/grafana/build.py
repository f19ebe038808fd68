#!/usr/bin/env python3
"""Generates dashboards/*.json from spec/*.py. Grafana's JSON repeats every setting; a spec states it once.

  build.py           writes the files
  build.py --check   exit code 1 if a file differs from its spec (tests/operations/run.py)

A spec has TITLE, UID, DESCRIPTION and ROWS: (row title, collapsed?, [panels of the functions below]). A spec of another program
than the node has SERIES, the series by which its servers are found.
"""

import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SPECS = ("cluster", "node", "delivery", "redis", "coturn")
# The schema of Grafana 11. Newer versions migrate it at load.
SCHEMA_VERSION = 39
WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# The label selectors of every query: the selected cluster, and the selected nodes.
CLUSTER = 'job=~"$job"'
NODES = 'job=~"$job", instance=~"$node"'


def panel(kind, title, description, queries, unit, width, height, options, field):
    """`queries` is [(expression, legend)]. `description` gives the normal state, and what to do otherwise."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "size": (width, height),
        "targets": [
            {"datasource": DATASOURCE, "expr": expression, "legendFormat": legend, "refId": chr(ord("A") + at)}
            for at, (expression, legend) in enumerate(queries)
        ],
        "fieldConfig": {"defaults": {"unit": unit, **field}, "overrides": []},
        "options": options,
    }


def thresholds(steps):
    """`steps` is [(lower bound, colour)]. The first colour is for all values below the second bound."""
    values = [None, *(value for value, _ in steps[1:])]
    return {
        "mode": "absolute",
        "steps": [{"color": colour, "value": value} for value, (_, colour) in zip(values, steps)],
    }


def lines(title, description, queries, unit="short", width=8, height=8, stacked=False, alarm=None, top=None):
    """Lines over time. `alarm` draws the threshold of an alert, `top` fixes the top of the axis."""
    custom = {
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none"},
    }
    field = {"custom": custom, "min": 0}
    if top is not None:
        field["max"] = top
    if alarm is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        field["thresholds"] = thresholds([(0, "transparent"), (alarm, "red")])
    options = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, queries, unit, width, height, options, field)


def stat(title, description, expression, unit="short", width=4, steps=((0, "green"),), mappings=None):
    """One number."""
    options = {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "textMode": "auto",
    }
    field = {"thresholds": thresholds(list(steps))}
    if mappings:
        field["mappings"] = [{"type": "value", "options": {key: {"text": text} for key, text in mappings.items()}}]
    return panel("stat", title, description, [(expression, "")], unit, width, 4, options, field)


def heat(title, description, expression, unit="s", width=12, height=8):
    """A histogram's buckets over time."""
    made = panel(
        "heatmap", title, description, [(expression, "{{le}}")], unit, width, height,
        {"calculate": False, "yAxis": {"unit": unit}, "color": {"mode": "scheme", "scheme": "Oranges"}}, {},
    )
    made["targets"][0]["format"] = "heatmap"
    return made


def table(title, description, queries, unit="short", width=12, height=8):
    """The newest value of each series."""
    made = panel("table", title, description, queries, unit, width, height, {"showHeader": True}, {})
    for target in made["targets"]:
        target.update(instant=True, format="table")
    made["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True, "__name__": True}}}]
    return made


def laid_out(rows):
    """Panels with ids and positions, from left to right, in rows. A collapsed row contains its panels."""
    placed, number, top = [], 0, 0
    for title, closed, panels in rows:
        number += 1
        row = {"type": "row", "id": number, "title": title, "collapsed": closed, "panels": []}
        row["gridPos"] = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        placed.append(row)
        top += 1
        left, tallest = 0, 0
        for one in panels:
            number += 1
            width, height = one["size"]
            if left + width > WIDTH:
                left, top, tallest = 0, top + tallest, 0
            place = {"x": left, "y": top, "w": width, "h": height}
            left, tallest = left + width, max(tallest, height)
            made = {"id": number, "gridPos": place, **{key: one[key] for key in one if key != "size"}}
            (row["panels"] if closed else placed).append(made)
        top += tallest
    return placed


def variable(name, label, query, **more):
    return {
        "type": "query", "name": name, "label": label, "datasource": DATASOURCE, "refresh": 2, "sort": 1,
        "query": {"query": query, "refId": name}, "definition": query, **more,
    }


def variables(series):
    """The choices above a dashboard. Servers are found by a series that each of them has."""
    several = {"multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"},
        variable("job", "Cluster", f"label_values({series}, job)"),
        variable("node", "Node", f'label_values({series}{{job=~"$job"}}, instance)', **several),
    ]


def annotation(name, colour, expression, title):
    return {
        "name": name, "enable": True, "iconColor": colour, "datasource": DATASOURCE,
        "expr": expression, "titleFormat": title, "step": "15s",
    }


def dashboard(spec):
    return {
        "title": spec.TITLE,
        "uid": spec.UID,
        "description": spec.DESCRIPTION,
        "tags": ["switchboard"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables(getattr(spec, "SERIES", "switchboard_build_info"))},
        "annotations": {
            "list": [
                annotation("Drains", "blue", f"switchboard_draining{{{CLUSTER}}} == 1", "{{instance}} drains"),
                annotation(
                    "Alerts", "red", f'ALERTS{{alertname=~"Switchboard.*", alertstate="firing", {CLUSTER}}}',
                    "{{alertname}} {{instance}}",
                ),
            ]
        },
        "links": [
            {
                "type": "dashboards", "tags": ["switchboard"], "title": "Switchboard", "asDropdown": True,
                "keepTime": True, "includeVars": True, "targetBlank": False,
            }
        ],
        "panels": laid_out(spec.ROWS),
    }


def text(board):
    """One line for each panel and each other part, so that a diff shows only the changed parts."""
    lines = []
    for key, value in board.items():
        if key == "panels":
            panels = ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in value)
            lines.append(f'"panels": [\n  {panels}\n ]')
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def main():
    sys.path.insert(0, str(HERE))
    # The specs import this file by its name.
    sys.modules["build"] = sys.modules[__name__]
    stale = []
    for name in SPECS:
        made = text(dashboard(importlib.import_module(f"spec.{name}")))
        path = HERE / "dashboards" / f"{name}.json"
        if "--check" not in sys.argv[1:]:
            path.write_text(made)
        elif not path.exists() or path.read_text() != made:
            stale.append(path.name)
    if stale:
        sys.exit(f"different from their specs: {', '.join(stale)}; run deploy/grafana/build.py")


if __name__ == "__main__":
    main()
