"""Checks without a cluster: rules and their test cases, runbooks, dashboards and configurations.

Each check is a function that fails with a sentence. Prometheus in the live test parses PromQL.
"""

import functools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

from support import ROOT, binary

RULES = ROOT / "deploy/prometheus/alerts.yaml"
RUNBOOKS = ROOT / "docs/runbooks"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
CASES = sorted(pathlib.Path(__file__).parent.glob("*.test.yaml"))
RUNBOOK_URL = "https://github.com/switchboard-signaling/switchboard/blob/main/docs/runbooks/"
SEVERITIES = {"critical", "warning"}
RUNBOOK_PARTS = ("## What it means", "## What users notice", "## Look at", "## Likely causes", "## Do this")

# Metrics of other programs: of Prometheus, of redis_exporter for the last row of one dashboard, and of coturn for its own.
OTHER_METRICS = {"up", "ALERTS", "stun_binding_request", "stun_binding_error"} | {
    f"turn_{name}"
    for name in ("packet_processed", "packet_dropped", "total_allocations", "total_traffic_rcvb", "total_traffic_sentb")
} | {
    f"redis_{name}"
    for name in (
        "memory_used_bytes", "memory_max_bytes", "commands_processed_total", "cpu_user_seconds_total",
        "cpu_sys_seconds_total", "connected_clients", "pubsub_channels", "evicted_keys_total",
    )
}
METRIC = re.compile(r"\b(?:(?:job|instance|job_path|job_outcome|switchboard):[a-z0-9_:]+|(?:switchboard|process|redis|turn|stun)_[a-z_]+|up|ALERTS)\b")


@functools.cache
def groups():
    return yaml.safe_load(RULES.read_text())["groups"]


def alerts():
    return {rule["alert"]: rule for group in groups() for rule in group["rules"] if "alert" in rule}


@functools.cache
def known_metrics():
    """The metrics of docs/metrics.md (a Rust test compares it with the catalogue), recorded series, and other programs."""
    page = (ROOT / "docs/metrics.md").read_text()
    own = set(re.findall(r"`((?:switchboard|process)_[a-z_]+)`", page))
    for name in re.findall(r"^\| `(switchboard_[a-z_]+)` \| histogram", page, re.M):
        own |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    recorded = {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule}
    return own | recorded | OTHER_METRICS


def metrics_in(expression):
    """The metrics of an expression, without its label values and ranges."""
    return set(METRIC.findall(re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)))


def assert_known(where, expression):
    used = metrics_in(expression)
    assert used, f"{where}: no metric in {expression!r}"
    unknown = used - known_metrics()
    assert not unknown, f"{where}: no such metric: {', '.join(sorted(unknown))}"


def rules_are_valid():
    subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES], check=True, capture_output=True, text=True)
    subprocess.run(["promtool", "check", "config", "--syntax-only", ROOT / "deploy/compose/prometheus.yml"], check=True, capture_output=True, text=True)
    for group in groups():
        for rule in group["rules"]:
            if rule.get("record") != "switchboard:cpu_budget_cores":
                assert_known(rule.get("alert", rule.get("record")), rule["expr"])


def alerts_are_complete():
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in SEVERITIES, name
        assert "for" in rule, f"{name} has no `for`"
        annotations = rule["annotations"]
        assert annotations["runbook_url"] == f"{RUNBOOK_URL}{name}.md", name
        assert "{{" in annotations["summary"] + annotations["description"], f"{name} has no template value in its texts"
        assert len(annotations["description"]) > len(annotations["summary"]), name


def every_alert_has_a_runbook_and_every_runbook_an_alert():
    pages = {page.stem: page.read_text() for page in RUNBOOKS.glob("Switchboard*.md")}
    assert pages.keys() == alerts().keys(), f"an alert or a runbook is missing: {sorted(pages.keys() ^ alerts().keys())}"
    index = (RUNBOOKS / "README.md").read_text()
    for name, page in pages.items():
        assert f"({name}.md)" in index, f"docs/runbooks/README.md does not list {name}"
        at = [page.find(part) for part in RUNBOOK_PARTS]
        assert page.startswith(f"# {name}\n") and -1 not in at and at == sorted(at), f"{name}.md lacks a section"
        severity = alerts()[name]["labels"]["severity"]
        assert f"Severity: {severity}" in page, f"{name}.md: the severity is {severity}"
        for query in runbook_queries(page):
            assert_known(f"{name}.md", query)


def runbook_queries(page):
    return [line for block in re.findall(r"```promql\n(.*?)```", page, re.S) for line in block.splitlines() if line]


def every_alert_has_a_firing_and_a_silent_case():
    firing, silent = set(), set()
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["promql_expr_test"]:
                for name in re.findall(r"Switchboard\w+", case["expr"]):
                    (firing if case["exp_samples"] else silent).add(name)
    assert firing == alerts().keys(), f"no firing case: {sorted(alerts().keys() ^ firing)}"
    assert silent >= alerts().keys(), f"no silent case: {sorted(alerts().keys() - silent)}"


def rules_pass_their_cases():
    subprocess.run(["promtool", "test", "rules", *CASES], check=True, capture_output=True, text=True)


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_queries():
    """(place, expression) of every query of every dashboard."""
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                yield f"{path.name}, {panel['title']}", target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            yield f"{path.name}, {annotation['name']}", annotation["expr"]


def dashboards_are_built_and_complete():
    subprocess.run([sys.executable, ROOT / "deploy/grafana/build.py", "--check"], check=True, capture_output=True, text=True)
    assert len(DASHBOARDS) == 5
    for where, expression in dashboard_queries():
        assert_known(where, expression)
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        ids = [panel["id"] for panel in panels(dashboard)]
        assert len(ids) == len(set(ids)), f"{path.name}: two panels have one id"
        for panel in panels(dashboard):
            if panel["type"] != "row":
                assert len(panel["description"]) > 15, f"{path.name}, {panel['title']}: no description"
                assert panel["fieldConfig"]["defaults"]["unit"], f"{path.name}, {panel['title']}: no unit"
                assert panel["datasource"]["uid"] == "${datasource}", f"{path.name}, {panel['title']}"


def ask_all_queries(prometheus):
    """Sends every query of dashboards and runbooks to a real Prometheus. A query that it cannot parse is an error."""
    asked = list(dashboard_queries())
    asked += [(page.name, query) for page in RUNBOOKS.glob("Switchboard*.md") for query in runbook_queries(page.read_text())]
    for where, expression in asked:
        expression = expression.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$node", ".*")
        try:
            prometheus.query(expression)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    print(f"  {len(asked)} queries of dashboards and runbooks were answered")


def node_configurations_are_valid():
    """Checks each *.toml of deploy/, with temporary files for its secrets."""
    found = sorted((ROOT / "deploy").rglob("*.toml"))
    assert found
    for path in found:
        with tempfile.TemporaryDirectory() as folder:
            text = path.read_text()
            for name in set(re.findall(r'_file = "(/[^"]+)"', text)):
                secret = pathlib.Path(folder) / pathlib.Path(name).name
                secret.write_text("x" * 48)
                text = text.replace(name, str(secret))
            copy = pathlib.Path(folder) / "node.toml"
            copy.write_text(text)
            check = subprocess.run([binary(), "config", "check", "--config", copy], capture_output=True, text=True)
            assert check.returncode == 0, f"{path.relative_to(ROOT)}: {check.stderr}"


def every_yaml_file_is_valid():
    for path in [*(ROOT / "deploy").rglob("*.yaml"), *(ROOT / "deploy").rglob("*.yml")]:
        documents = list(yaml.safe_load_all(path.read_text()))
        assert documents and all(documents), path
    envoy = yaml.safe_load((ROOT / "deploy/envoy/envoy.yaml").read_text())["static_resources"]
    manager = envoy["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["upgrade_configs"] == [{"upgrade_type": "websocket"}]
    assert manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["timeout"] == "0s"
    assert "REQ(:PATH)%" not in (ROOT / "deploy/envoy/envoy.yaml").read_text().split("text_format_source")[1]


def the_systemd_unit_is_valid_and_restricted():
    """Runs systemd's own checks. The exposure is from 0 (best) to 10."""
    unit = ROOT / "deploy/systemd/switchboard.service"
    with tempfile.TemporaryDirectory() as folder:
        # The program may not be installed here.
        copy = pathlib.Path(folder) / unit.name
        copy.write_text(unit.read_text().replace("/usr/local/bin/switchboard", binary()))
        verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
        assert verified.returncode == 0 and unit.name not in verified.stderr, verified.stderr
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", copy]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr
