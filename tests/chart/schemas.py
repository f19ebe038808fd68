#!/usr/bin/env python3
"""Prepares the schemas for rendered objects under .tools/chart/schemas.

The schemas of Kubernetes come from the package kubernetes-validate. They are strict: unknown keys are errors. The
schemas of custom resources come from the CRDs of the modules in crds.txt, and are made strict too. scripts/setup runs
this. Needs Go and .tools/chart/lib.
"""

import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools/chart"
LIB = TOOLS / "lib"
OUT = TOOLS / "schemas"
PINS = [ROOT / "tests/chart/crds.txt", ROOT / "tests/chart/requirements.txt"]
STAMP = OUT / "made-from"
# The oldest version that Chart.yaml allows, the version for rendering, and the newest known one.
VERSIONS = ["1.27.0", "1.33.0", "1.37.0"]
KINDS = [
    "configmap-v1", "daemonset-apps-v1", "deployment-apps-v1", "horizontalpodautoscaler-autoscaling-v2",
    "ingress-networking-v1", "job-batch-v1", "networkpolicy-networking-v1", "pod-v1",
    "poddisruptionbudget-policy-v1", "secret-v1", "service-v1", "serviceaccount-v1",
]


def pins():
    """The sources of the schemas, as text."""
    return "".join(path.read_text() for path in PINS)


def builtin(version):
    """The kinds of Kubernetes. Their references are made relative, so no tool fetches them."""
    source = LIB / f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict"
    target = OUT / f"v{version}"
    target.mkdir(parents=True)
    for name in ["_definitions", *KINDS]:
        text = (source / f"{name}.json").read_text().replace("/api/_definitions.json", "_definitions.json")
        schema = json.loads(text)
        schema.pop("$id", None)
        (target / f"{name}.json").write_text(json.dumps(schema))


def strict(schema):
    """The same schema with unknown keys forbidden wherever an API server would drop them."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(one) for key, one in schema.items()}
    open_ended = made.get("x-kubernetes-preserve-unknown-fields") or made.get("additionalProperties")
    if isinstance(made.get("properties"), dict) and made.get("type") == "object" and not open_ended:
        made["additionalProperties"] = False
    if made.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    return made


def custom(module, path):
    """One CRD, each version that is served."""
    import yaml

    answer = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True, cwd="/")
    if answer.returncode:
        sys.exit(f"schemas: {module}: {(answer.stdout + answer.stderr).strip()}")
    crd = yaml.safe_load((pathlib.Path(json.loads(answer.stdout)["Dir"]) / path).read_text())
    spec = crd["spec"]
    group = spec["group"].split(".")[0]
    for version in spec["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        # Of the metadata a CRD says only that it is an object.
        schema["properties"]["metadata"] = {"type": "object"}
        name = f"{spec['names']['kind'].lower()}-{group}-{version['name']}.json"
        (OUT / "crds" / name).write_text(json.dumps(schema))


def main():
    if STAMP.exists() and STAMP.read_text() == pins():
        return
    sys.path.insert(0, str(LIB))
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "crds").mkdir(parents=True)
    for version in VERSIONS:
        builtin(version)
    for line in PINS[0].read_text().splitlines():
        if line and not line.startswith("#"):
            custom(*line.split())
    # Written last, after all schemas.
    STAMP.write_text(pins())


if __name__ == "__main__":
    main()
