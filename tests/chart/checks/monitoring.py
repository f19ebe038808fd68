"""Monitors, alerts and dashboards, and the existence of their metrics."""

import json
import re
import shutil
import subprocess
import tempfile

import yaml

from support import CHART, ROOT, TIMEOUT_S, Skip, check, metrics_of_the_page, of_kind, the

COPIES = [
    ("deploy/prometheus/alerts.yaml", "files/alerts.yaml"),
    ("deploy/grafana/dashboards", "files/dashboards"),
]
SUFFIXES = ("_bucket", "_sum", "_count")
# Metrics of other exporters and of the process are not in the page's table.
SERIES = re.compile(r"(?:[a-z_]+:)?\bswitchboard[a-z0-9_:]*|\bprocess_[a-z_]+|\bup\b")
NODE_METRIC = re.compile(r"\bswitchboard_[a-z0-9_]+")


def files_of(folder):
    """A file, or each file of a folder: name → bytes."""
    if folder.is_file():
        return {folder.name: folder.read_bytes()}
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def dashboards():
    """The dashboards: name → read JSON."""
    return {path.name: json.loads(path.read_text()) for path in sorted((CHART / "files/dashboards").glob("*.json"))}


def queries(value):
    """Every expression in a dashboard."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("expr", "query", "definition") and isinstance(one, str):
                yield one
            else:
                yield from queries(one)
    elif isinstance(value, list):
        for one in value:
            yield from queries(one)


def rules():
    """Every rule of the alerts file."""
    groups = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def unknown(expression):
    """The metrics of an expression that the page does not know."""
    known = metrics_of_the_page()
    missing = set()
    # Recorded series have colons in their names. Their own rules are checked separately.
    for name in NODE_METRIC.findall(re.sub(r"[\w]*:[\w:]+", "", expression)):
        base = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        if name not in known and known.get(base) != "histogram":
            missing.add(name)
    return missing


@check
def copies_in_the_chart_are_those_of_deploy():
    for original, copy in COPIES:
        if (ROOT / original).exists():
            assert files_of(ROOT / original) == files_of(CHART / copy), (
                f"charts/switchboard/{copy} differs from {original}: cp -r {original} there"
            )


@check
def alerts_name_only_metrics_that_exist():
    for rule in rules():
        assert not unknown(rule["expr"]), (rule.get("alert") or rule["record"], unknown(rule["expr"]))


@check
def dashboards_name_only_metrics_that_exist():
    assert dashboards()
    for name, dashboard in dashboards().items():
        found = list(queries(dashboard))
        assert found, name
        for query in found:
            assert not unknown(query), (name, unknown(query))


@check
def an_unknown_metric_is_found():
    assert unknown("rate(switchboard_messages_received_total[5m])") == set()
    assert unknown("switchboard_delivery_duration_seconds_bucket + job:switchboard_nothing:sum") == set()
    assert unknown("sum(switchboard_nothing) / switchboard_connections_bucket") == {
        "switchboard_nothing", "switchboard_connections_bucket",
    }


@check
def every_alert_keeps_its_runbook_and_gets_the_labels_of_the_team():
    rule = the("monitoring", "PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    rendered = [one for group in rule["spec"]["groups"] for one in group["rules"]]
    originals = [one for one in rules() if one.get("record") != "switchboard:cpu_budget_cores"]
    for before, after in zip(originals, rendered, strict=True):
        if "alert" in after:
            assert after["annotations"]["runbook_url"] == f"https://runbooks.example/calls/{after['alert']}.md"
            assert after["labels"]["team"] == "calls" and after["labels"]["severity"] == before["labels"]["severity"]
            assert after["annotations"]["summary"] == before["annotations"]["summary"], "templates stay Prometheus' own"


def without_matchers(expression, matchers):
    """The expression as it is in the file, and how often it has these matchers."""
    bare = expression.replace(f"{{{matchers}}}", "").replace(f"{{{matchers},", "{")
    return bare, expression.count(matchers)


@check
def alerts_of_two_releases_look_at_their_own_nodes_only():
    for name, matchers, cores in (
        ("monitoring", 'namespace="calls",job="sb-switchboard-pods"', "2"),
        ("everything", 'namespace="calls",job="signaling"', "1.5"),
    ):
        rendered = [one for group in the(name, "PrometheusRule")["spec"]["groups"] for one in group["rules"]]
        originals = [one for one in rules() if one.get("record") != "switchboard:cpu_budget_cores"]
        for before, after in zip(originals, rendered, strict=True):
            bare, count = without_matchers(after["expr"], matchers)
            wanted = before["expr"].replace("scalar(switchboard:cpu_budget_cores)", cores)
            assert bare.split() == wanted.split(), bare
            assert count == len(SERIES.findall(wanted)), after["expr"]
            assert "switchboard:cpu_budget_cores" not in str(after), "a series that all releases would share"


@check
def rendered_alerts_are_valid_for_prometheus():
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("promtool is missing; scripts/setup installs it")
    for name in ("monitoring", "everything"):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"groups": the(name, "PrometheusRule")["spec"]["groups"]}, file)
            file.flush()
            done = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True, timeout=TIMEOUT_S)
            assert done.returncode == 0, done.stdout + done.stderr


@check
def every_alert_has_its_runbook_where_there_are_any():
    folder = ROOT / "docs/runbooks"
    for rule in rules():
        if "alert" in rule and folder.exists():
            assert (folder / f"{rule['alert']}.md").exists(), rule["alert"]


@check
def every_dashboard_is_found_by_the_sidecar():
    found = [one for one in of_kind("monitoring", "ConfigMap") if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert len(found) == len(dashboards())
    for one in found:
        (name, text), = one["data"].items()
        assert json.loads(text) == dashboards()[name]
        assert one["metadata"]["annotations"] == {"grafana_folder": "Calls"}


@check
def a_service_monitor_scrapes_each_node_once_and_with_the_labels_asked_for():
    monitor = the("monitoring", "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    selector = monitor["spec"]["selector"]["matchLabels"]
    chosen = [one for one in of_kind("monitoring", "Service") if selector.items() <= one["metadata"]["labels"].items()]
    assert [one["metadata"]["name"] for one in chosen] == ["sb-switchboard-pods"]
    endpoint, = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["interval"]) == ("ops", "10s")
    assert "ops" in [port["name"] for port in chosen[0]["spec"]["ports"]]


@check
def a_pod_monitor_chooses_nodes_alone():
    spec = the("pod-monitor", "PodMonitor")["spec"]
    assert spec["selector"]["matchLabels"]["app.kubernetes.io/component"] == "node"
    assert spec["podMetricsEndpoints"][0]["metricRelabelings"][0]["action"] == "drop"
    assert not of_kind("pod-monitor", "ServiceMonitor")
