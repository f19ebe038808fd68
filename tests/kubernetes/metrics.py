"""A metrics API that says what a check wants: connections and CPU for each pod (custom.metrics.k8s.io and metrics.k8s.io).

In a real cluster these are prometheus-adapter and metrics-server.
"""

import contextlib
import datetime
import http.server
import json
import re
import ssl
import subprocess
import threading
import urllib.parse

CUSTOM, RESOURCE = "custom.metrics.k8s.io/v1beta2", "metrics.k8s.io/v1beta1"
POD = {"kind": "Pod", "apiVersion": "/v1"}
RESOURCES = {
    CUSTOM: {"name": "pods/switchboard_connections", "kind": "MetricValueList", "verbs": ["get"]},
    RESOURCE: {"name": "pods", "kind": "PodMetrics", "verbs": ["get", "list"]},
}


class Metrics:
    """`connections` and `cpu` (millicores) are those of each pod."""

    def __init__(self, api):
        self.api, self.connections, self.cpu = api, 0, 0

    def answer(self, path, query):
        """The answer to a request, or None."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for version, resource in RESOURCES.items():
            if path == f"/apis/{version}":
                return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
                        "resources": [resource | {"namespaced": True, "singularName": ""}]}
        if found := re.fullmatch(rf"/apis/{CUSTOM}/namespaces/([^/]+)/pods/\*/(.+)", path):
            values = [{"describedObject": POD | {"namespace": found[1], "name": name}, "metric": {"name": found[2]},
                       "timestamp": now, "value": str(self.connections)} for name, _ in self._pods(found[1], query)]
            return {"kind": "MetricValueList", "apiVersion": CUSTOM, "metadata": {}, "items": values}
        if found := re.fullmatch(rf"/apis/{RESOURCE}/namespaces/([^/]+)/pods", path):
            usage = {"cpu": f"{self.cpu}m", "memory": "100Mi"}
            values = [{"metadata": {"name": name, "namespace": found[1]}, "timestamp": now, "window": "30s",
                       "containers": [{"name": one, "usage": usage} for one in containers]}
                      for name, containers in self._pods(found[1], query)]
            return {"kind": "PodMetricsList", "apiVersion": RESOURCE, "metadata": {}, "items": values}
        return None

    def _pods(self, namespace, query):
        labels = dict(part.split("=") for part in query.get("labelSelector", [""])[0].split(",") if part)
        for pod in self.api.list("Pod", namespace, **labels):
            if "deletionTimestamp" not in pod["metadata"]:
                yield pod["metadata"]["name"], [one["name"] for one in pod["spec"]["containers"]]


@contextlib.contextmanager
def served(plane):
    """Serves the metrics and registers them at the API server, which reaches them by a Service without a selector."""
    metrics, folder = Metrics(plane.api), plane.folder
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=metrics"]
    subprocess.run([*key, "-keyout", folder / "metrics.key", "-out", folder / "metrics.crt"], check=True, capture_output=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            url = urllib.parse.urlparse(self.path)
            said = metrics.answer(urllib.parse.unquote(url.path), urllib.parse.parse_qs(url.query))
            data = json.dumps(said or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}).encode()
            self.send_response(200 if said else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "metrics.crt", folder / "metrics.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        plane.kubectl("apply", "--filename=-", text=registration(server.server_port))
        yield metrics
    finally:
        plane.kubectl("delete", "--filename=-", text=registration(server.server_port))
        server.shutdown()
        server.server_close()


def registration(port):
    """The objects that lead the API server to the metrics."""
    # An ExternalName is the only kind of Service that may lead to loopback.
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics", "namespace": "default"},
               "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}}
    items = [service]
    for version in RESOURCES:
        group, name = version.split("/")
        spec = {"group": group, "version": name, "groupPriorityMinimum": 100, "versionPriority": 100,
                "insecureSkipTLSVerify": True, "service": {"name": "metrics", "namespace": "default", "port": port}}
        items.append({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{name}.{group}"}, "spec": spec})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
