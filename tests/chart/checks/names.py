"""Names and text that YAML or Kubernetes could take for something else, in every value and every name of a release."""

import base64
import copy
import json
import pathlib
import re
import tempfile
import tomllib

import yaml

from checks.validity import invalid
from support import CHART, KUBERNETES, LOADER, VALUES, check, helm, value_sets

RELEASES = ["1234", "0x1f", "true", "null", "a", "sb.v2", "1.2.3", "calls-switchboard", "a" * 53, "1" * 53, "a." + "b" * 51, "x-" * 26 + "x"]
# Text that YAML reads as something else where it is not quoted.
TEXTS = ["1234", "null", "a: b #c", "- 'a\"", "{{ x }}\\"]
# Sets with every kind of object.
EVERYTHING = ["coturn-deployment", "coturn-tls", "extras", "gateway", "ingress-cert-manager", "issuers", "keda", "load-balancer",
              "loadtest", "loadtest-own-key", "monitoring", "placement", "pod-monitor", "public-keys-inline", "public-keys-secret",
              "redis-password", "trial", "turn-regions", "webhooks", "jwks-without-test", "hpa", "coturn-metrics", "everything"]
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# Bytes of a name where Kubernetes takes more than the 63 of a label.
LONG_NAMES = {"ConfigMap": 253}
# Templates, and what becomes part of a name.
TEMPLATES = ("metrics.matchers", "autoscaling.keda.query", "autoscaling.keda.prometheusAddress", "loadtest.scenario", "extraObjects",
             "fullnameOverride", "nameOverride", "extraEnv", "extraEnvFrom", "extraVolumes", "extraVolumeMounts", "extraContainers", "initContainers")


def rendered(release, *arguments, namespace="calls", chart=CHART):
    """The text for a release of this name, and the errors."""
    return helm("template", release, chart, "--namespace", namespace, "--kube-version", KUBERNETES, *arguments)


def read(text):
    """The objects of a text."""
    return [one for one in yaml.load_all(text, Loader=LOADER) if one]


@check
def any_name_of_a_release_makes_names_that_every_kind_accepts():
    texts = []
    for release in RELEASES:
        for name in ("trial", "coturn-deployment", "coturn-tls", "loadtest", "monitoring", "api-port"):
            code, text, errors = rendered(release, "--values", VALUES / f"{name}.yaml", "--set", "coturn.port=49000")
            assert code == 0, (release, errors)
            texts.append(text)
            for one in read(text):
                name_of, most = one["metadata"]["name"], LONG_NAMES.get(one["kind"], 63)
                assert LABEL.fullmatch(name_of) and len(name_of) <= most, (release, one["kind"], name_of)
                for value in one["metadata"]["labels"].values():
                    assert isinstance(value, str) and re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", value), value
                assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == release
    errors = invalid("\n---\n".join(texts), KUBERNETES)
    assert not errors, errors


@check
def a_namespace_may_look_like_a_number_and_another_one_may_be_chosen():
    for namespace, sets in (("1234", ()), ("calls", ("--set-string", "namespaceOverride=1234"))):
        for name in ("monitoring", "trial", "coturn-tls"):
            code, text, errors = rendered("sb", "--values", VALUES / f"{name}.yaml", *sets, namespace=namespace)
            assert code == 0, errors
            assert not invalid(text, KUBERNETES)
            assert {one["metadata"]["namespace"] for one in read(text)} == {"1234"}, name
            assert "namespace: calls" not in text and 'namespace="calls"' not in text


# Sums and the names of Jobs depend on all other text.
SUM = re.compile(r"[0-9a-f]{64}|(?<=-loadtest-)[0-9a-f]{8}")


def leaves(value, path=()):
    """The path of every text in the values."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from leaves(one, (*path, at))
    elif isinstance(value, str):
        yield path


def replaced(values, texts):
    """The values with other texts: path → text."""
    made = copy.deepcopy(values)
    for path, text in texts.items():
        at = made
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = text
    return made


def merged(defaults, values):
    """The values over the defaults, as Helm reads them."""
    if isinstance(defaults, dict) and isinstance(values, dict):
        return {key: merged(defaults.get(key), values.get(key, defaults.get(key))) for key in {**defaults, **values}}
    return values


def facts(text):
    """The objects of a text, with the node's configuration read and Secrets decoded."""
    made = read(SUM.sub("0", text))
    for one in made:
        if one["kind"] == "Secret":
            one["data"] = {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        if one["kind"] == "ConfigMap" and "switchboard.toml" in one.get("data", {}):
            one["data"]["switchboard.toml"] = tomllib.loads(one["data"]["switchboard.toml"])
    return made


def with_text(value, texts):
    """The objects with each mark replaced by its text."""
    if isinstance(value, dict):
        return {with_text(key, texts): with_text(one, texts) for key, one in value.items()}
    if isinstance(value, list):
        return [with_text(one, texts) for one in value]
    return MARKED.sub(lambda mark: texts[int(mark[1])], value) if isinstance(value, str) else value


MARKED = re.compile(r"q(\d+)z")


def accepted(folder, values, paths, text):
    """The paths at which the schema and the chart accept the text, and a mark in its place."""
    left, file = list(paths), folder / "values.yaml"
    for mark in (False, True):
        for _ in range(len(paths)):
            file.write_text(json.dumps(replaced(values, {path: f"q{at}z" if mark else text for at, path in enumerate(left)})))
            code, _, errors = rendered("sb", "--values", file)
            if code == 0:
                break
            # The schema names paths, and the chart's sentences values.
            refused = set(re.findall(r"- at '(/[^']*)'", errors))
            refused |= {"/" + one.replace(".", "/") for one in re.findall(r"^  - ([\w.]+):", errors, re.MULTILINE)}
            kept = [path for path in left if not any(f"{name_of(path)}/".startswith(f"{one}/") for one in refused)]
            assert len(kept) < len(left), f"{text}: {errors}"
            left = kept
    return left


def name_of(path):
    """A path as the schema writes it."""
    return "/" + "/".join(str(one).replace("~", "~0").replace("/", "~1") for one in path)


@check
def every_text_of_the_values_arrives_unchanged():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    seen, tried = set(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for one in EVERYTHING:
            values = merged(defaults, yaml.safe_load((VALUES / f"{one}.yaml").read_text()))
            paths = [path for path in leaves(values) if not ".".join(map(str, path)).startswith(TEMPLATES)]
            # A switch that another set has on shows more.
            own = [path for path in paths if (path, replaced_by(values, path)) not in seen]
            seen |= {(path, replaced_by(values, path)) for path in own}
            for text in TEXTS if own else ():
                texts = accepted(folder, values, own, text)
                outputs = []
                for put in (lambda at: f"q{at}z", lambda at: text):
                    file = folder / "values.yaml"
                    file.write_text(json.dumps(replaced(values, {path: put(at) for at, path in enumerate(texts)})))
                    code, out, errors = rendered("sb", "--values", file)
                    assert code == 0, f"{one}: {text}: {errors}"
                    outputs.append(facts(out))
                wanted = with_text(outputs[0], [text] * len(texts))
                for before, after in zip(wanted, outputs[1], strict=True):
                    assert before == after, f"{one}: {text}: {different(before, after)}"
                tried += len(texts)
    assert tried > 500, tried


def replaced_by(values, path):
    """The text at a path."""
    for key in path:
        values = values[key]
    return values


def different(before, after, path=""):
    """The first place where they differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            if before.get(key) != after.get(key):
                return different(before.get(key), after.get(key), f"{path}.{key}")
    if isinstance(before, list) and isinstance(after, list):
        for at, (one, other) in enumerate(zip(before, after)):
            if one != other:
                return different(one, other, f"{path}[{at}]")
    return f"{path} should be {str(before)[-300:]}, and is {str(after)[-300:]}"


@check
def an_umbrella_chart_can_switch_the_release_on_and_off():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "Chart.yaml").write_text(
            "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n"
            f"  - {{name: switchboard, version: '>=0.0.0', repository: 'file://{CHART}', condition: switchboard.enabled}}\n"
        )
        code, _, errors = helm("dependency", "build", folder)
        assert code == 0, errors
        for enabled in (True, False):
            values = {"global": {"imageRegistry": "registry.example", "other": 1}, "switchboard": {
                "enabled": enabled, "auth": {"hs256": {"existingSecret": "jwt"}}, "redis": {"external": {"url": "redis://r:6379"}},
            }}
            (folder / "v.yaml").write_text(json.dumps(values))
            code, text, errors = rendered("sb", "--values", folder / "v.yaml", chart=folder)
            assert code == 0, errors
            assert bool(read(text)) == enabled
