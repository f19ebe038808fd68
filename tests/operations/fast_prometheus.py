"""A real Prometheus with the real alerts and shorter times (short_times.py). Rules are evaluated, and nodes are scraped, every second."""

import json
import urllib.parse

from short_times import with_short_times
from support import Process, free_port, get, wait_until


class Prometheus:
    """Scrapes `targets` as one job."""

    def __init__(self, folder, rules, targets):
        folder.mkdir()
        (folder / "alerts.yaml").write_text(with_short_times(rules.read_text()))
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "alerts.yaml")],
            "scrape_configs": [{"job_name": "switchboard", "static_configs": [{"targets": targets}]}],
        }
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--log.level=warn",
        ]
        self.process = Process(command, folder / "log")
        self.process.wait_ready(f"{self.url}/-/ready")

    def ask(self, path, **query):
        status, text = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", within_s=5)
        if status != 200:
            raise ValueError(f"{path} {query}: {status} {text}")
        return json.loads(text)["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def firing(self):
        """Name of each firing alert -> the alert, with its texts."""
        alerts = self.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"]: alert for alert in alerts if alert["state"] == "firing"}

    def evaluated(self):
        """Waits until every rule was evaluated without an error and every target was scraped."""

        def check():
            rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
            broken = [rule for rule in rules if rule["health"] == "err"]
            assert not broken, broken
            up = self.query("up == 1")
            return all(rule["health"] == "ok" for rule in rules) and len(up) == self.targets()

        wait_until("all rules evaluated and all nodes scraped", check)

    def targets(self):
        return len(self.ask("targets", state="active")["activeTargets"])

    def wait_firing(self, name, within_s=30):
        """Waits for the alert and returns it. Its texts must be complete."""
        try:
            alert = wait_until(f"{name} fires", lambda: self.firing().get(name), within_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; firing are {sorted(self.firing())}") from error
        for text in alert["annotations"].values():
            assert "<no value>" not in text and "error" not in text.split(), text
        return alert

    def wait_silent(self, name, within_s=30):
        wait_until(f"{name} is silent again", lambda: name not in self.firing(), within_s)

    def stop(self):
        self.process.__exit__()
