"""A Prometheus of the run that scrapes the nodes of a namespace, with the project's alerts and short times.

Debian's Prometheus cannot ask Kubernetes for its targets, so a thread writes them into a file. Not here: the rules
(deploy/prometheus/alerts.yaml).
"""

import contextlib
import http.client
import json
import sys
import threading
import time
import urllib.parse
import urllib.request

import support
from processes import free_port, until
from releases import COMPONENT

sys.path.append(str(support.ROOT / "tests/operations"))
from short_times import with_short_times  # noqa: E402

RULES = support.ROOT / "deploy/prometheus/alerts.yaml"
START_S = 30
TARGETS_EVERY_S = 1
# The windows of rates have 10 s.
SILENT_S = 12
OPS_PORT = 9090


class Alerts:
    """A context manager. Prometheus itself ends with the processes of the run."""

    def __init__(self, plane, namespace):
        folder = plane.folder / "prometheus"
        folder.mkdir()
        (folder / "alerts.yaml").write_text(with_short_times(RULES.read_text()))
        self.api, self.namespace, self.file, self.over = plane.api, namespace, folder / "targets.json", threading.Event()
        self.thread = threading.Thread(target=self._find, daemon=True)
        self._write_targets()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "alerts.yaml")],
            "scrape_configs": [{"job_name": "switchboard", "file_sd_configs": [{"files": [str(self.file)]}]}],
        }
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self.address = f"127.0.0.1:{free_port()}"
        plane.processes.start("prometheus", "prometheus", f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={self.address}", "--log.level=warn")
        until("Prometheus answers", lambda: plane.processes.check() and self._answers(), START_S)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)

    def _find(self):
        while not self.over.wait(TARGETS_EVERY_S):
            # A request that fails is repeated.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._write_targets()

    def _write_targets(self):
        pods = [one for one in self.api.list("Pod", self.namespace, **{COMPONENT: "node"}) if one["status"].get("podIP")]
        targets = [{"targets": [f"{one['status']['podIP']}:{OPS_PORT}"],
                    "labels": {"namespace": self.namespace, "pod": one["metadata"]["name"]}} for one in pods]
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(targets))
        # Prometheus sees the old file or the new one.
        new.rename(self.file)

    def _answers(self):
        try:
            return self.ask("targets")
        except OSError:
            return None

    def ask(self, path, **query):
        """The answer of Prometheus."""
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=5) as answer:
            return json.load(answer)["data"]

    def nodes(self):
        """How many nodes answer."""
        return len(self.ask("query", query="up == 1")["result"])

    def alerts(self, *states):
        """The names of the alerts in these states."""
        return {one["labels"]["alertname"] for one in self.ask("alerts")["alerts"] if one["state"] in states}

    def until_firing(self, name, within_s):
        """Waits for an alert."""
        until(f"{name} fires", lambda: name in self.alerts("firing"), within_s, 0.3)

    def until_silent(self, within_s):
        """Waits until no alert has been firing or pending for longer than the windows of rates, so that the next drill begins with none."""
        last = time.monotonic()

        def is_silent():
            nonlocal last
            if self.alerts("firing", "pending"):
                last = time.monotonic()
            return time.monotonic() - last > SILENT_S
        try:
            until("all alerts are silent", is_silent, within_s, 0.3)
        except AssertionError as late:
            raise AssertionError(f"{late}: {sorted(self.alerts('firing', 'pending'))}") from None
