"""Validity of the whole chart: lint, strict schemas, the node's check of its configuration, and snapshots."""

import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import config_schema
import schemas
from support import (
    CHART, HERE, KUBERNETES, NAMESPACE, SWITCHBOARD, TIMEOUT_S, VALUES, Skip, check, config_text, helm, node, render, tool, value_sets,
)

SNAPSHOTS = ["minimal", "trial", "coturn-deployment"]
EVERYWHERE = re.compile(
    r"^\s+(app\.kubernetes\.io/(name|version|managed-by|part-of)|helm\.sh/chart): |^\s*$|^# Source"
)
LEAST_VALUE_SETS = 25
DIR = "/etc/switchboard"
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""
# Replacements of Secrets: path below the mounts → content.
FILES = {
    "jwt/hs256-secret": "0123456789abcdef0123456789abcdef",
    "redis/url": "redis://:password@redis.data:6380/2",
    "redis/password": "pass/word",
    "redis/sentinel-password": "pass/word",
    "turn/secret": "shared",
    "ops/token": "0123456789abcdef0123456789abcdef",
    "turn-regions/us": "shared",
    "keys/a.pem": PEM,
    "secrets/a.secret": "0123456789abcdef0123456789abcdef",
    "issuer-1-secrets/a.secret": "0123456789abcdef0123456789abcdef",
    "issuer-1-keys/a.pem": PEM,
    # The example of the Standard Webhooks specification.
    "webhooks/app": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "webhooks/push": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@check
def there_are_at_least_25_value_sets_each_with_its_purpose():
    assert len(value_sets()) >= LEAST_VALUE_SETS
    for name in value_sets():
        assert (VALUES / f"{name}.yaml").read_text().startswith("# "), name


@check
def helm_lint_finds_nothing_in_any_value_set():
    for name in value_sets():
        code, text, errors = helm(
            "lint", CHART, "--strict", "--quiet", "--namespace", NAMESPACE,
            "--kube-version", KUBERNETES, "--values", VALUES / f"{name}.yaml",
        )
        assert code == 0, f"{name}: {text}{errors}"


def invalid(text, version):
    """The errors of kubeconform for these objects; empty if valid."""
    locations = [f"{schemas.OUT}/{{{{.NormalizedKubernetesVersion}}}}", f"{schemas.OUT}/crds"]
    # Google publishes no schema of this one.
    command = [tool("kubeconform"), "-strict", "-kubernetes-version", version, "-skip", "BackendConfig"]
    for location in locations:
        command += ["-schema-location", location + "/{{.ResourceKind}}{{.KindSuffix}}.json"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


@check
def every_object_is_valid_in_the_oldest_the_default_and_the_newest_kubernetes():
    text = "\n---\n".join(render(name) for name in value_sets())
    for version in schemas.VERSIONS:
        assert not invalid(text, version), f"{version}: {invalid(text, version)}"


@check
def an_unknown_key_in_any_kind_of_object_is_found():
    def errors_after(name, before, after):
        assert before in render(name), before
        return invalid(render(name).replace(before, after), KUBERNETES)

    assert "maxSurgge" in errors_after("minimal", "maxSurge:", "maxSurgge:")
    assert "intervall" in errors_after("pod-monitor", "interval:", "intervall:")
    assert "timeoutts" in errors_after("gateway", "timeouts:", "timeoutts:")
    assert "dnsNammes" in errors_after("gateway", "dnsNames:", "dnsNammes:")
    assert "pollingIntervall" in errors_after("keda", "pollingInterval:", "pollingIntervall:")


def certificates(folder):
    """The files of TLS, from the tool of this repository that makes them."""
    tool = pathlib.Path(SWITCHBOARD).parent / "examples/certificates"
    if not tool.exists():
        raise Skip(f"{tool} is not built: cargo build -p switchboard-harness --examples")
    made = folder / "made"
    subprocess.run([tool, made, "localhost"], capture_output=True, check=True, timeout=TIMEOUT_S)
    for path, name in (("node-tls/tls.crt", "node.pem"), ("node-tls/tls.key", "node.key"), ("client-ca/ca.crt", "ca.pem")):
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(made / name, folder / path)


@check
def every_rendered_configuration_passes_the_nodes_own_check():
    with tempfile.TemporaryDirectory() as folder:
        for path, content in FILES.items():
            (pathlib.Path(folder) / path).parent.mkdir(exist_ok=True)
            (pathlib.Path(folder) / path).write_text(content)
        certificates(pathlib.Path(folder))
        certificate = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                       "-subj", "/CN=node", "-keyout", f"{folder}/redis/tls.key", "-out", f"{folder}/redis/tls.crt"]
        subprocess.run(certificate, check=True, capture_output=True, timeout=TIMEOUT_S)
        shutil.copy(f"{folder}/redis/tls.crt", f"{folder}/redis/ca.crt")
        file = pathlib.Path(folder) / "switchboard.toml"
        for name in value_sets():
            file.write_text(config_text(name).replace(DIR, folder))
            command = [SWITCHBOARD, "config", "check", "--config", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
            assert done.returncode == 0, f"{name}: {done.stderr}"


@check
def every_file_that_the_configuration_names_is_mounted():
    for name in value_sets():
        mounted = {one["mountPath"] for one in node(name)[1]["volumeMounts"]}
        for path in re.findall(rf'"({DIR}/[^"]*)"', config_text(name)):
            assert path in mounted or path.rsplit("/", 1)[0] in mounted, (name, path)


@check
def the_schema_of_the_values_knows_exactly_the_nodes_keys():
    assert config_schema.is_current(), "tests/chart/config_schema.py --write"


@check
def the_schema_of_issuers_and_endpoints_knows_exactly_the_nodes_keys():
    values = json.loads(config_schema.SCHEMA.read_text())["properties"]
    node_keys = config_schema.node_schema()["$defs"]
    # Secrets and keys of folders come from objects of the cluster.
    issuers = set(values["auth"]["properties"]["issuers"]["items"]["properties"]) - {"namedSecrets", "publicKeys"}
    folders = {"hs256_secret", "hs256_secret_file", "hs256_secrets_dir", "public_keys_dir"}
    assert issuers == set(node_keys["IssuerSection"]["properties"]) - folders
    endpoints = set(values["webhooks"]["properties"]["endpoints"]["items"]["properties"]) - {"existingSecret", "key"}
    assert endpoints == set(node_keys["EndpointSection"]["properties"]) - {"secrets", "secret_files"}


def snapshot(name):
    """The rendered text of a value set, without labels that every object has or every release changes."""
    return "".join(line for line in render(name).splitlines(keepends=True) if not EVERYWHERE.match(line))


@check
def the_snapshots_match_the_rendered_text():
    for name in SNAPSHOTS:
        file = HERE / f"snapshots/{name}.yaml"
        if os.environ.get("UPDATE_SNAPSHOTS"):
            file.write_text(snapshot(name))
        difference = difflib.unified_diff(
            file.read_text().splitlines(), snapshot(name).splitlines(), f"snapshots/{name}.yaml", "now", lineterm="", n=2
        )
        text = "\n".join(difference)
        assert not text, f"{text}\nif that is right: {sys.argv[0]} --update"
