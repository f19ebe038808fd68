"""A Kubernetes control plane: etcd, API server, controllers and scheduler.

Its address, tokens and data are of one run. Not here: machines (kwok.py, machines.py).
"""

import json
import secrets
import subprocess

import programs
from api import Api
from processes import free_port, until

START_S = 120
USERS = {
    "admin": "system:masters",
    "kwok": "system:masters",
    "machines": "system:masters",
    "system:kube-controller-manager": "controllers",
    "system:kube-scheduler": "scheduler",
}
# Two families, because the chart offers dual-stack Services. 198.18.0.0/15 is for tests (RFC 2544).
SERVICE_RANGES = "198.18.96.0/20,fd00:96::/112"


class ControlPlane:
    """Starts with `start`. `kubeconfig(user)` is the file of a user, and `api` a client of the administrator."""

    def __init__(self, processes, address="127.0.0.1", service_ranges=SERVICE_RANGES):
        self.processes, self.folder, self.ranges, self.port = processes, processes.folder, service_ranges, free_port()
        self.address = address
        self.tokens = {user: secrets.token_hex(16) for user in USERS}

    def start(self):
        """Starts everything and waits until objects can be created."""
        rows = "".join(f"{self.tokens[user]},{user},{user},{group}\n" for user, group in USERS.items())
        self._private("tokens.csv", rows)
        for user in USERS:
            self._private(self._name(user), json.dumps(self._kubeconfig(user)))
        self._etcd()
        self._api_server()
        self.api = Api(f"{self.address}:{self.port}", self.tokens["admin"])
        until("the API server is ready", lambda: self.processes.check() and self.api.is_ready(), START_S)
        self._program("kube-controller-manager", "--kubeconfig", self.kubeconfig("system:kube-controller-manager"),
            "--use-service-account-credentials", "--service-account-private-key-file", self.folder / "accounts.key",
            "--leader-elect=false", "--secure-port=0", "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s", "--horizontal-pod-autoscaler-cpu-initialization-period=1s")
        self._program("kube-scheduler", "--kubeconfig", self.kubeconfig("system:kube-scheduler"),
            "--leader-elect=false", "--secure-port=0")
        # A controller creates it, and no pod starts without it.
        until("the default account exists", lambda: self.api.find("ServiceAccount", "default", "default"), START_S)

    def _etcd(self):
        self.store, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._program("etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level=warn",
            "--listen-client-urls", self.store, "--advertise-client-urls", self.store, "--listen-peer-urls", peers,
            "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}")

    def _api_server(self):
        key = self.folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        public = ["openssl", "rsa", "-in", key, "-pubout", "-out", self.folder / "accounts.pub"]
        subprocess.run(public, check=True, capture_output=True)
        self._program("kube-apiserver", "--etcd-servers", self.store, "--bind-address", self.address,
            "--advertise-address", self.address, "--secure-port", self.port, "--cert-dir", self.folder / "certificates",
            "--token-auth-file", self.folder / "tokens.csv", "--authorization-mode=Node,RBAC",
            "--endpoint-reconciler-type=none", "--kubelet-preferred-address-types=InternalIP",
            "--service-cluster-ip-range", self.ranges, "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file", self.folder / "accounts.pub", "--service-account-signing-key-file", key)

    def _program(self, name, *arguments):
        self.processes.start(name, programs.path("controlplane"), name, *arguments)

    def _kubeconfig(self, user):
        server = {"server": f"https://{self.address}:{self.port}", "insecure-skip-tls-verify": True}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
        }

    def kubeconfig(self, user="admin"):
        """The kubeconfig file of a user."""
        return self.folder / self._name(user)

    @staticmethod
    def _name(user):
        return f"{user.replace(':', '-')}.kubeconfig"

    def _private(self, name, text):
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)

    def kubectl(self, *arguments, text=None, code=0):
        """The output of kubectl; fails if it does not end with `code`."""
        command = [programs.path("controlplane"), "kubectl", "--kubeconfig", self.kubeconfig(), *arguments]
        done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, f"kubectl {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"
        return done.stdout
