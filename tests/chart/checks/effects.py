"""Each value of values.yaml does something: changed, it changes an object of some release, or is refused."""

import concurrent.futures
import functools
import itertools
import json
import pathlib
import re
import tempfile

import yaml

import readme
from support import CHART, KUBERNETES, NAMESPACE, VALUES, check, helm

# Releases that have everything switched on between them.
SETS = ["everything", "coturn-metrics", "coturn-deployment", "coturn-tls", "trial", "ingress-cert-manager", "gateway", "load-balancer",
        "node-port", "hpa", "webhooks", "keda", "monitoring", "pod-monitor", "redis-password", "issuers", "turn-elsewhere", "node-settings",
        "jwks", "api-port", "budget", "node-tls", "node-tls-secret", "redis-sentinel", "extras", "loadtest-own-key", "public-keys-secret", "minimal", "one-node", "ingress-gke"]
# A text for each form that the schema asks for.
TEXTS = ["other", "1.2.3.4", "http://other.example:1", "redis://other:1", "15m", "50%", 'job="other"', "sha256:" + "ab" * 32,
         "IPv6", "stun:other", "memory", "redis", "[::]", "DoNotSchedule", "NodePort", "LoadBalancer", "Local", "haproxy", "Always", "deployment",
         "assigned", "PreferDualStack", "required", "1.3", "cluster", "x" * 40]
ITEMS = ["other", "stun:other", "turn:other", "IPv6", "hook-failed", 5354, "192.0.2.0", {"name": "other"}, {"a": "b"},
         {"name": "other", "url": "https://other.example", "existingSecret": "other"}, {"issuer": "https://other.example", "publicKeys": "o"},
         {"name": "other", "turnUrls": ["turn:other"]}, {"namespaceSelector": {"matchLabels": {"a": "b"}}},
         {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}]
MAPS = [{"other": "b"}, {"other": "192.0.2.9"}, {"name": "other"}, {"schedulerName": "other"}, {"turn_ttl_s": 61}, {"heartbeat_ms": 9000},
        {"refusals": 7}, {"request": "1s"}, {"requests": {"cpu": "7"}}, {"periodSeconds": 7}, {"other": "-----BEGIN PUBLIC KEY-----"},
        {"imageRegistry": "other.example"}, {"runAsUser": 7}]
# Read by parent charts only.
WITHOUT_EFFECT = {"enabled"}
AT_A_TIME = 2
# Other values of one key in one release.
TRIES = 16


SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict, "null": type(None)}


def resolved(schema):
    """The schema that a reference leads to."""
    return resolved(SCHEMA["$defs"][schema["$ref"].split("/")[-1]]) if "$ref" in schema else schema


def schema_of(path):
    """The schema of a value."""
    schema = SCHEMA
    for key in path:
        schema = resolved(schema)["properties"][key]
    return resolved(schema)


def fits(value, schema):
    """Whether the parts of JSON Schema that values.schema.json uses accept the value."""
    schema = resolved(schema)
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return any(value == one and type(value) is type(one) for one in schema["enum"])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, TYPES[one]) and (one == "boolean" or not isinstance(value, bool)) for one in kinds):
        return False
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0) and bool(re.search(schema.get("pattern", ""), value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        return all(fits(one, schema.get("items", {"type": list(TYPES)})) for one in value)
    if isinstance(value, dict):
        return fits_object(value, schema)
    return True


def fits_object(value, schema):
    """As `fits`, for an object."""
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    if not set(schema.get("required", [])) <= value.keys():
        return False
    if not all(re.search(schema.get("propertyNames", {}).get("pattern", ""), key) for key in value):
        return False
    rest = {"type": list(TYPES)} if more is True else more
    return all(fits(one, known.get(key, rest)) if key in known or rest else False for key, one in value.items())


def others(value):
    """Other values, of every kind."""
    yield from [not value] if isinstance(value, bool) else []
    if isinstance(value, list):
        yield from ([*value, one] for one in ITEMS)
        yield value[:-1]
    if isinstance(value, dict):
        yield from ({**value, **one} for one in MAPS)
    if isinstance(value, (int, float)):
        yield from (value + 1, value - 1)
    yield from [*TEXTS, 7, 49155, 1.5, True]


@functools.cache
def rendered(name, changed=None):
    """Whether a value set with a change (JSON) renders, and its text or why not."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "changed.json"
        file.write_text(changed or "{}")
        code, text, errors = helm("template", "sb", CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES,
                             "--values", VALUES / f"{name}.yaml", "--values", file)
    return code == 0, errors if code else text


def nested(path, value):
    """{a: {b: value}} for a.b."""
    for key in reversed(path):
        value = {key: value}
    return value


def places(key):
    """The value sets that may show a value: those that have its section first."""
    section = key.split(".")[0]
    return sorted(SETS, key=lambda name: f"\n{section}:" not in (VALUES / f"{name}.yaml").read_text())


def effect(key):
    """Whether another value of this key changes a release."""
    path = key.split(".")
    schema = schema_of(path)
    for name in places(key):
        own, value = yaml.safe_load((VALUES / f"{name}.yaml").read_text()), DEFAULTS
        for part in path:
            own, value = own.get(part) if isinstance(own, dict) else None, value[part]
        value = value if own is None else own
        fitting = (one for one in others(value) if one != value and fits(one, schema))
        for other in itertools.islice(fitting, TRIES):
            accepted, text = rendered(name, json.dumps(nested(path, other)))
            # A sentence of the chart names the value.
            if (accepted and text != rendered(name)[1]) or (not accepted and "cannot work" in text and key in text):
                return True
    return False


@check
def every_value_has_an_effect():
    keys = [key for key, _, _ in readme.rows() if key not in WITHOUT_EFFECT]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        dead = [key for key, lives in zip(keys, pool.map(effect, keys)) if not lives]
    assert len(keys) > 200, len(keys)
    assert not dead, f"without effect: {', '.join(dead)}"
