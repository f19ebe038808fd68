"""What can be checked without running a cluster: rules and their cases, runbooks, dashboards, configurations.

Each check is a function that fails with a sentence. PromQL itself is parsed by the live test's Prometheus.
"""

import functools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

from parts import ROOT, binary

RULES = ROOT / "deploy/prometheus/alerts.yaml"
RUNBOOKS = ROOT / "docs/runbooks"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
CASES = sorted(pathlib.Path(__file__).parent.glob("*.test.yaml"))
RUNBOOK_URL = "https://github.com/switchboard-signaling/switchboard/blob/main/docs/runbooks/"
SEVERITIES = {"critical", "warning"}
RUNBOOK_PARTS = ("## What it means", "## What users notice", "## Look at", "## Likely causes", "## Do this")

# Metrics that are not the node's: Prometheus' own, and redis_exporter's for the last row of one dashboard.
FOREIGN = {"up", "ALERTS"} | {
    f"redis_{name}"
    for name in (
        "memory_used_bytes", "memory_max_bytes", "commands_processed_total", "cpu_user_seconds_total",
        "cpu_sys_seconds_total", "connected_clients", "pubsub_channels", "evicted_keys_total",
    )
}
METRIC = re.compile(r"\b(?:(?:job|instance|job_path|job_outcome|switchboard):[a-z0-9_:]+|(?:switchboard|process|redis)_[a-z_]+|up|ALERTS)\b")


@functools.cache
def groups():
    return yaml.safe_load(RULES.read_text())["groups"]


def alerts():
    return {rule["alert"]: rule for group in groups() for rule in group["rules"] if "alert" in rule}


@functools.cache
def known_metrics():
    """What docs/metrics.md lists (a Rust test keeps it in step with the catalogue), what rules record, others'."""
    page = (ROOT / "docs/metrics.md").read_text()
    own = set(re.findall(r"`((?:switchboard|process)_[a-z_]+)`", page))
    for name in re.findall(r"^\| `(switchboard_[a-z_]+)` \| histogram", page, re.M):
        own |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    recorded = {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule}
    return own | recorded | FOREIGN


def metrics_in(expression):
    """The metrics of an expression: label values and ranges taken out first."""
    return set(METRIC.findall(re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)))


def only_known(where, expression):
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
                only_known(rule.get("alert", rule.get("record")), rule["expr"])


def alerts_are_complete():
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in SEVERITIES, name
        assert "for" in rule, f"{name} has no `for`"
        said = rule["annotations"]
        assert said["runbook_url"] == f"{RUNBOOK_URL}{name}.md", name
        assert "{{" in said["summary"] + said["description"], f"{name} names neither whom nor how much"
        assert len(said["description"]) > len(said["summary"]), name


def every_alert_has_a_runbook_and_every_runbook_an_alert():
    pages = {page.stem: page.read_text() for page in RUNBOOKS.glob("Switchboard*.md")}
    assert pages.keys() == alerts().keys(), f"not both: {sorted(pages.keys() ^ alerts().keys())}"
    index = (RUNBOOKS / "README.md").read_text()
    for name, page in pages.items():
        assert f"({name}.md)" in index, f"docs/runbooks/README.md does not list {name}"
        at = [page.find(part) for part in RUNBOOK_PARTS]
        assert page.startswith(f"# {name}\n") and -1 not in at and at == sorted(at), f"{name}.md lacks a part"
        severity = alerts()[name]["labels"]["severity"]
        assert f"Severity: {severity}" in page, f"{name}.md: the severity is {severity}"
        for query in runbook_queries(page):
            only_known(f"{name}.md", query)


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
    """(where, expression) of every query of every dashboard, with values in place of Grafana's variables."""
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                yield f"{path.name}, {panel['title']}", target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            yield f"{path.name}, {annotation['name']}", annotation["expr"]


def dashboards_are_built_and_complete():
    subprocess.run([sys.executable, ROOT / "deploy/grafana/build.py", "--check"], check=True, capture_output=True, text=True)
    assert len(DASHBOARDS) == 4
    for where, expression in dashboard_queries():
        only_known(where, expression)
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
    """Every query of dashboards and runbooks, asked of a real Prometheus: what it cannot parse is an error."""
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
    """Each *.toml of deploy/, with its secret files where they are said to be."""
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


def every_yaml_is_yaml():
    for path in [*(ROOT / "deploy").rglob("*.yaml"), *(ROOT / "deploy").rglob("*.yml")]:
        documents = list(yaml.safe_load_all(path.read_text()))
        assert documents and all(documents), path
    envoy = yaml.safe_load((ROOT / "deploy/envoy/envoy.yaml").read_text())["static_resources"]
    manager = envoy["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["upgrade_configs"] == [{"upgrade_type": "websocket"}]
    assert manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["timeout"] == "0s"
    assert "REQ(:PATH)%" not in (ROOT / "deploy/envoy/envoy.yaml").read_text().split("text_format_source")[1]


def the_unit_is_valid_and_tight():
    """systemd's own judgement; the exposure is from 0 (nothing) to 10."""
    unit = ROOT / "deploy/systemd/switchboard.service"
    with tempfile.TemporaryDirectory() as folder:
        # The program need not be installed where the check runs.
        copy = pathlib.Path(folder) / unit.name
        copy.write_text(unit.read_text().replace("/usr/local/bin/switchboard", binary()))
        verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
        assert verified.returncode == 0 and unit.name not in verified.stderr, verified.stderr
        judged = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", copy]
        judgement = subprocess.run(judged, capture_output=True, text=True)
        assert judgement.returncode == 0, judgement.stdout[-2000:] + judgement.stderr
