#!/usr/bin/env python3
"""Compares the node's configuration in values.schema.json with the node.

`config_schema.py [--write]`: takes `switchboard config schema` without the keys that the chart sets itself. Compares it
with `$defs.nodeConfig` of the chart's schema, or writes it there. The rest of that file is written by hand.
"""

import json
import subprocess
import sys

from support import CHART, SWITCHBOARD

SCHEMA = CHART / "values.schema.json"
LINE = 118
# Set by the chart: a whole section, or single keys.
OWNED = {
    "node": None,
    "auth": None,
    "broker": None,
    "demo": None,
    "ops": {"token", "token_file", "tls"},
    "server": {"listen", "ops_listen", "api_listen", "tls", "api_tls"},
    "webhooks": {"endpoints"},
    "ice": {"stun_urls", "turn_urls", "turn_secret", "turn_secret_file", "regions"},
}
KEPT = ("type", "items", "enum", "minimum", "maximum")


def layout(value, indent=0):
    """JSON in which every object or list that fits is on one line."""
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or indent + len(text) <= LINE:
        return text
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(key)}: {layout(one, indent + 2)}" for key, one in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + layout(one, indent + 2) for one in value) + "\n" + " " * indent + "]"


def leaf(key, definitions):
    """One key of the node as a schema of draft 7, the version that Helm reads."""
    if "$ref" in key:
        key = definitions[key["$ref"].split("/")[-1]]
    if "oneOf" in key:
        return {"enum": [one["const"] for one in key["oneOf"]]}
    return {name: key[name] for name in KEPT if name in key}


def node_schema():
    """The schema of the node's configuration."""
    return json.loads(subprocess.run([SWITCHBOARD, "config", "schema"], capture_output=True, check=True).stdout)


def wanted():
    """The expected `$defs.nodeConfig`."""
    schema = node_schema()
    sections = {}
    for name, section in sorted(schema["properties"].items()):
        owned = OWNED.get(name, set())
        if owned is None:
            continue
        keys = schema["$defs"][section["$ref"].split("/")[-1]]["properties"]
        leaves = {key: leaf(one, schema["$defs"]) for key, one in sorted(keys.items()) if key not in owned}
        sections[name] = {"type": "object", "additionalProperties": False, "properties": leaves}
    return {"type": "object", "additionalProperties": False, "properties": sections}


def is_current():
    """Whether the chart's schema has exactly the node's keys."""
    return json.loads(SCHEMA.read_text())["$defs"]["nodeConfig"] == wanted()


def main():
    if "--write" in sys.argv:
        schema = json.loads(SCHEMA.read_text())
        schema["$defs"]["nodeConfig"] = wanted()
        SCHEMA.write_text(layout(schema) + "\n")
    elif not is_current():
        sys.exit("values.schema.json differs from the node's keys; tests/chart/config_schema.py --write")


if __name__ == "__main__":
    main()
