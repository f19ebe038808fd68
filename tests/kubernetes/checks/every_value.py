"""Every value of values.yaml, changed once by an upgrade of a live release: an object changes, or a sentence refuses it."""

import collections
import json
import pathlib

import support
import yaml
from checks.installs import secrets
from checks.upgrades import different
from releases import HelmFailed, Release

HERE = pathlib.Path(__file__).resolve().parents[1]
SETS = ["balancer", "keda", "hpa"]
# `enabled` is for the condition of a parent chart, and `global` for parent charts; tests/chart has checks for both.
FOR_PARENTS = ("enabled", "global")
SECRETS = ["jwt", "ops", "turn", "turn-tls", "webhook", "redis-url", "other-redis-url"]
# Helm asks for the schemas of all kinds otherwise, and the API server checks each object anyway.
QUICK = ["--disable-openapi-validation"]
TEST_OBJECT = "selftest."


def leaves(value, path=()):
    """The path and value of every key that has no keys below it."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    else:
        yield path, value


def nested(path, value):
    """{"a": {"b": value}} for the path a.b."""
    return nested(path[:-1], {path[-1]: value}) if path else value


def choices(schema, path):
    """What the schema offers for a value, if that is a fixed choice."""
    at = schema
    for key in path:
        while "$ref" in at:
            at = schema["$defs"][at["$ref"].rpartition("/")[2]]
        at = at.get("properties", {}).get(key, {})
    return at.get("enum", [])


def another(path, now, schema, changes):
    """Another value for a path; `now` is that of the release."""
    name = ".".join(path)
    if name in changes:
        return changes[name]
    if offered := choices(schema, path):
        return offered[(offered.index(now) + 1) % len(offered)]
    if isinstance(now, bool):
        return not now
    assert isinstance(now, int), f"changes.yaml has no other value for {name}"
    return now + 1


def value_at(values, path):
    """The value at a path; None if there is none."""
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


class Live:
    """A release of one value set, and what it consists of before any change."""

    def __init__(self, cluster, release, name, defaults):
        self.cluster, self.release, self.file = cluster, release, HERE / f"values/{name}.yaml"
        self.values, self.defaults = yaml.safe_load(self.file.read_text()), defaults
        release.helm("install", [self.values])
        self.contents = release.contents()

    def now(self, path):
        """The value of a path in this release."""
        own = value_at(self.values, path)
        return value_at(self.defaults, path) if own is None else own

    def tested(self, is_tested):
        """The content of the Pod of `helm test`, which is no part of the release."""
        if not is_tested:
            return None
        self.release.run("test", self.release.name)
        return [one["spec"] | one["metadata"]["annotations"] for one in self.release.list("Pod", "selftest")]


def outcome(lives, path, schema, changes):
    """"effective" in one of the releases, or else "refused" by one. Fails if no release changes."""
    outcomes = set()
    for live in lives:
        outcomes.add(changed(live, path, another(path, live.now(path), schema, changes)))
        if "effective" in outcomes:
            return "effective"
    assert "refused" in outcomes, f"{'.'.join(path)}: no object changes in {', '.join(SETS)}"
    return "refused"


def changed(live, path, value):
    """Upgrades with one changed value. Returns "effective", "refused" or "unchanged"."""
    name = ".".join(path)
    is_tested = name.startswith(TEST_OBJECT)
    before = live.tested(is_tested)
    try:
        live.release.upgrade(live.values, nested(path, value), arguments=QUICK)
        after, pods = live.release.contents(), live.tested(is_tested)
    except HelmFailed as why:
        # The schema names the value. The chart and the API server say what does not fit, which may be another value.
        sentences = [name, "/".join(path), "These values cannot work:\n  - ", " is invalid: "]
        assert any(one in str(why) for one in sentences), f"{name}: {why}"
        return "refused"
    return "effective" if after != live.contents or pods != before else "unchanged"


def every_value_changed_by_an_upgrade_changes_an_object_or_is_refused_with_a_sentence(cluster):
    defaults = yaml.safe_load((support.CHART / "values.yaml").read_text())
    schema = json.loads((support.CHART / "values.schema.json").read_text())
    changes = yaml.safe_load((HERE / "changes.yaml").read_text())
    paths = [path for path, _ in leaves(defaults) if path[0] not in FOR_PARENTS]
    assert not (unknown := set(changes) - {".".join(path) for path in paths}), f"values.yaml has no {unknown}"
    results, failures, lives = collections.Counter(), [], []
    cluster.api.create("Namespace", None, "other-calls")
    for at, name in enumerate(SETS):
        namespace = f"values-{name}"
        cluster.api.create("Namespace", None, namespace)
        secrets(cluster, namespace, *SECRETS)
        lives.append(Live(cluster, Release(cluster, "Helm 3", f"v{at}", namespace), name, defaults))
    for path in paths:
        try:
            results[outcome(lives, path, schema, changes)] += 1
        except AssertionError as why:
            failures.append(str(why))
    for live in lives:
        live.release.upgrade(live.values)
        if left := different(live.contents, live.release.contents()):
            failures.append(f"changes are left in {live.file.stem}: {left}")
        live.release.uninstall()
    said = f"{sum(results.values())} values tried, {results['effective']} effective, {results['refused']} refused"
    assert not failures, "\n        ".join([said, *failures])
    return said


CHECKS = [every_value_changed_by_an_upgrade_changes_an_object_or_is_refused_with_a_sentence]
