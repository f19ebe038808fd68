"""The custom resources that the chart knows, from the modules of tests/chart/crds.txt."""

import json
import pathlib
import subprocess

import schemas
from api import KINDS, Refused
from processes import until

# Google publishes no module with it.
SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
BACKEND_CONFIG = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "backendconfigs.cloud.google.com", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
    "spec": {
        "group": "cloud.google.com", "scope": "Namespaced",
        "names": {"kind": "BackendConfig", "plural": "backendconfigs", "singular": "backendconfig"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
    },
}


def install(plane):
    """Creates their definitions, and waits until they are served."""
    files = []
    for line in schemas.PINS[0].read_text().splitlines():
        if line and not line.startswith("#"):
            module, path = line.split()
            said = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True, cwd="/", check=True)
            files += ["--filename", pathlib.Path(json.loads(said.stdout)["Dir"]) / path]
    plane.kubectl("apply", "--server-side", *files)
    plane.kubectl("apply", "--filename=-", text=json.dumps(BACKEND_CONFIG))
    # `kubectl wait` fails for a definition that has no conditions yet.
    until("custom resources are served", lambda: is_served(plane.api), 120)


def is_served(api):
    """Whether all kinds can be listed, which is some time after they are established."""
    try:
        return [api.list(kind) for kind in KINDS]
    except Refused:
        return False
