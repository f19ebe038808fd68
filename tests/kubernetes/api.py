"""A small client of the API server: single objects, lists, and what the chart's objects say.

It is used instead of kubectl where a check asks often.
"""

import http.client
import json
import ssl
import threading
import time
import urllib.parse

TIMEOUT_S = 30
# The server closes a connection that is idle for 90 s.
IDLE_S = 30
# Kind → path of its resource. These are the kinds of the chart, and those that checks look at.
CORE = "ConfigMap Event Namespace Node Pod Secret Service ServiceAccount"
GROUPS = {
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "Job",
    "networking.k8s.io/v1": "Ingress NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    "cert-manager.io/v1": "Certificate",
    "cloud.google.com/v1": "BackendConfig",
    "gateway.networking.k8s.io/v1": "HTTPRoute",
    "keda.sh/v1alpha1": "ScaledObject",
    "monitoring.coreos.com/v1": "PodMonitor PrometheusRule ServiceMonitor",
}
PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}
CLUSTER_WIDE = ("Namespace", "Node")
KINDS = {kind: "api/v1" for kind in CORE.split()} | {
    kind: f"apis/{group}" for group, kinds in GROUPS.items() for kind in kinds.split()
}
CHART_KINDS = [kind for kind in KINDS if kind not in ("ControllerRevision", "Event", "Namespace", "Node", "Pod", "ReplicaSet")]
# The API server, Jobs and autoscalers choose these.
GIVEN = ("nodePort", "healthCheckNodePort", "clusterIP", "clusterIPs", "replicas", "switchboard/replicas", "controller-uid",
         "batch.kubernetes.io/controller-uid",
         # A Service keeps its families when a release no longer names them.
         "ipFamilies", "ipFamilyPolicy")
# What Helm and the controllers write.
FOREIGN = ("meta.helm.sh/", "deployment.kubernetes.io/", "deprecated.daemonset.template.generation")


class Refused(Exception):
    """The API server's answer to a request that it did not accept: `code` and the sentence."""

    def __init__(self, code, sentence):
        super().__init__(f"{code}: {sentence}")
        self.code = code


class Api:
    """A client with a token."""

    def __init__(self, address, token):
        self.address, self.token = address, token
        # The certificate is of this run, and on loopback.
        self.context = ssl._create_unverified_context()
        # A connection for each thread, because checks ask often.
        self.own = threading.local()

    def call(self, method, path, body=None, kind="application/json"):
        """The answer, parsed. Raises Refused."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        data = json.dumps(body).encode() if body is not None else None
        if not hasattr(self.own, "connection"):
            self.own.connection = http.client.HTTPSConnection(self.address, timeout=TIMEOUT_S, context=self.context)
        connection = self.own.connection
        if time.monotonic() > getattr(self.own, "until", 0):
            # The next request begins with a new one.
            connection.close()
        self.own.until = time.monotonic() + IDLE_S
        try:
            connection.request(method, f"/{path}", data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status >= 400:
            raise Refused(answer.status, text.decode(errors="replace"))
        return json.loads(text or b"null")

    def is_ready(self):
        """Whether the server answers and has finished its start."""
        try:
            self.call("GET", "readyz?verbose=false")
        except json.JSONDecodeError:
            return True
        except (OSError, http.client.HTTPException, Refused):
            return False
        return True

    @staticmethod
    def path(kind, namespace=None, name=None):
        """The path of a kind, in one namespace or all, or of one object."""
        plural = PLURALS.get(kind) or f"{kind.lower()}s"
        place = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_WIDE else ""
        return f"{KINDS[kind]}{place}/{plural}" + (f"/{name}" if name else "")

    def list(self, kind, namespace=None, **labels):
        """The objects of a kind, with these labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        query = f"?labelSelector={urllib.parse.quote(selector)}" if labels else ""
        return self.call("GET", self.path(kind, namespace) + query)["items"]

    def find(self, kind, namespace, name):
        """One object, or None."""
        try:
            return self.call("GET", self.path(kind, namespace, name))
        except Refused as why:
            if why.code == 404:
                return None
            raise

    def create(self, kind, namespace, name, **rest):
        """Creates an object."""
        made = {"apiVersion": KINDS[kind].split("/", 1)[1], "kind": kind, "metadata": {"name": name}}
        return self.call("POST", self.path(kind, namespace), merged(made, rest))

    def merge(self, kind, namespace, name, change):
        """Merges a change into an object."""
        return self.call("PATCH", self.path(kind, namespace, name), change, "application/merge-patch+json")


def merged(one, other):
    """Two maps as one."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return one | {key: merged(one.get(key), value) for key, value in other.items()}


def content(one):
    """What an owner has written into an object: without status, and what only servers write."""
    metadata = one["metadata"]
    annotations = {key: text for key, text in metadata.get("annotations", {}).items() if not key.startswith(FOREIGN)}
    rest = {key: value for key, value in one.items() if key not in ("metadata", "status", "apiVersion", "kind")}
    if annotations.get("switchboard/replicas") == "left-out":
        # An autoscaler writes the number.
        rest["spec"].pop("replicas", None)
    return rest | {"labels": metadata.get("labels", {}), "annotations": annotations}


def without_given(value):
    """Contents without numbers that the API server gives out: a Service gets new ones when its type changes."""
    if isinstance(value, list):
        return [without_given(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: without_given(one) for key, one in value.items() if key not in GIVEN}
