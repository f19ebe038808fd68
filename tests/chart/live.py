"""The chart against a cluster that has objects already: `lookup` of templates finds what a small API server answers.

Not here: a real API server (nothing is stored), and how Helm merges objects (merge/main.go).
"""

import base64
import contextlib
import http.server
import json
import tempfile
import threading

import yaml

from support import CHART, KUBERNETES, LOADER, NAMESPACE, RELEASE, VALUES, helm

# What discovery names: group and version → resources.
RESOURCES = {
    "v1": [("secrets", "Secret", True), ("nodes", "Node", False)],
    "apps/v1": [("deployments", "Deployment", True)],
}


def root_of(version):
    """The path of a group and version."""
    return f"/api/{version}" if "/" not in version else f"/apis/{version}"


def listed(version):
    """What discovery says about one version."""
    return {
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
        "resources": [
            {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]}
            for name, kind, namespaced in RESOURCES[version]
        ],
    }


def group(version):
    """What discovery says about one group."""
    served = {"groupVersion": version, "version": version.split("/")[1]}
    return {"name": version.split("/")[0], "versions": [served], "preferredVersion": served}


def answers(objects):
    """Path → answer of a cluster with these objects."""
    minor = KUBERNETES.split(".")[1]
    made = {
        "/version": {"major": "1", "minor": minor, "gitVersion": f"v{KUBERNETES}"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group(one) for one in RESOURCES if "/" in one]},
    }
    for version in RESOURCES:
        made[root_of(version)] = listed(version)
        for name, kind, namespaced in RESOURCES[version]:
            folder = root_of(version) + (f"/namespaces/{NAMESPACE}" if namespaced else "") + f"/{name}"
            own = [one for one in objects if (one["apiVersion"], one["kind"]) == (version, kind)]
            made[folder] = {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": own}
            made |= {f"{folder}/{one['metadata']['name']}": one for one in own}
    return made


@contextlib.contextmanager
def cluster(objects):
    """An API server with these objects; yields its address."""
    known = answers(objects)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = known.get(self.path.split("?")[0])
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(answer or status).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def render(name, objects, *sets, chart=CHART):
    """The objects that an upgrade renders in a cluster with `objects`: (kind, name) → object."""
    with cluster(objects) as address, tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as none:
        code, text, errors = helm(
            "template", RELEASE, chart, "--namespace", NAMESPACE, "--dry-run=server", "--kubeconfig", none.name,
            "--kube-apiserver", address, "--kube-token", "any", "--values", VALUES / f"{name}.yaml", *sets,
        )
    assert code == 0, errors
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.load_all(text, Loader=LOADER) if one}


def secret(name, **data):
    """A Secret with base64 data."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": encoded}
