"""The structure of the compose file: every image is pinned, every container is restricted, every mounted file exists.

An installed Docker Compose checks the file too. No container is started.
"""

import re
import shutil
import subprocess

import yaml

from support import ROOT

FOLDER = ROOT / "deploy/compose"
# deploy/compose/init creates them.
SECRETS = {"jwt", "turn", "turnserver", "grafana"}
# Images without a program that could run a health check.
WITHOUT_HEALTHCHECK = {"redis-exporter", "collector"}
EXTRA_CAPABILITIES = {"coturn": ["NET_BIND_SERVICE"]}


def the_compose_file_is_pinned_restricted_and_complete():
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    services = compose["services"]
    assert {"node1", "node2", "node3", "redis", "nginx", "coturn", "prometheus", "grafana", "collector"} <= services.keys()
    assert compose["secrets"].keys() == SECRETS
    init = (FOLDER / "init").read_text()
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"./secrets/{name}" and name in init, f"./init creates no secret {name}"
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+(-\w+)?$", service["image"]), f"{name}: {service['image']} is not pinned"
        assert service["read_only"] and service["cap_drop"] == ["ALL"], f"{name} is not restricted"
        assert service.get("cap_add", []) == EXTRA_CAPABILITIES.get(name, []), f"{name}: additional capabilities"
        assert "no-new-privileges:true" in service["security_opt"] and "mem_limit" in service, name
        assert ("healthcheck" in service) != (name in WITHOUT_HEALTHCHECK), f"{name}: its health check"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (FOLDER / source).exists(), f"{name}: {source} does not exist"
        for secret in service.get("secrets", []):
            assert secret in SECRETS, f"{name}: {secret}"
        assert not any("9090:" in port and not port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def nodes_stop_after_their_drain():
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    unit = (ROOT / "deploy/systemd/switchboard.service").read_text()
    drain_s = (5_000 + 25_000) / 1000  # settle_ms and deadline_ms, as `switchboard config default` prints them
    for name in ("node1", "node2", "node3"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > drain_s
    assert int(re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.M)[1]) > drain_s


def compose():
    """The command of an installed Compose, or None."""
    for command in (["docker", "compose"], ["podman-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    return None


def docker_compose_accepts_the_file():
    subprocess.run([*compose(), "-f", FOLDER / "compose.yaml", "config"], check=True, capture_output=True, text=True)
