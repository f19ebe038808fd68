"""Releases of the chart on the cluster, made by Helm 3 or Helm 4 as an operator does."""

import contextlib
import json
import os
import subprocess

import programs
import support
from api import CHART_KINDS, content
from processes import until

INSTANCE, COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"
WAIT_S = 60
# Secrets that value sets name, with every key that they name. In a real cluster the operator creates them.
KEYS = ["address", "callee", "caller", "hs256-secret", "key.pem", "ops-token", "secret", "shared", "signing", "token", "turn-secret",
        "url"]


class HelmFailed(Exception):
    """Helm's sentence."""


class Cluster:
    """The API server with both versions of Helm, and namespaces for checks."""

    def __init__(self, plane):
        self.plane, self.api, self.kubectl, self.count = plane, plane.api, plane.kubectl, 0
        self.helms = {"Helm 3": support.tool("helm"), "Helm 4": programs.path("helm")}
        home = plane.folder / "helm"
        self.environment = os.environ | {
            f"HELM_{name}_HOME": str(home / name) for name in ("CACHE", "CONFIG", "DATA")
        } | {"KUBECONFIG": str(plane.kubeconfig())}

    def helm(self, version, *arguments, timeout_s=120):
        """The output of Helm, and what hooks say, which is on its standard error. Raises HelmFailed."""
        command = list(map(str, [self.helms[version], *arguments]))
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=timeout_s)
        if done.returncode:
            raise HelmFailed(done.stderr.strip())
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def namespace(self, enforced="restricted", name=None):
        """A namespace with the Secrets of value sets, for one check. It enforces a Pod Security standard."""
        self.count += 1
        name = name or f"calls-{self.count}"
        labels = {"pod-security.kubernetes.io/enforce": enforced} if enforced else {}
        self.api.create("Namespace", None, name, metadata={"labels": labels})
        try:
            yield name
        finally:
            self.api.call("DELETE", self.api.path("Namespace", None, name))

    @contextlib.contextmanager
    def release(self, namespace, values, version="Helm 3", name="sb", chart=support.CHART, arguments=()):
        """An installed release. `values` are names of value sets, or maps."""
        made = Release(self, version, name, namespace, chart)
        made.helm("install", values, *arguments)
        try:
            yield made
        finally:
            made.uninstall()


class Release:
    """One release."""

    def __init__(self, cluster, version, name, namespace, chart=support.CHART):
        self.cluster, self.api, self.version = cluster, cluster.api, version
        self.name, self.namespace, self.chart = name, namespace, chart

    def helm(self, verb, values, *arguments, chart=None):
        """Installs or upgrades with value sets and maps; a later one wins."""
        files = []
        for at, one in enumerate(values):
            file = support.VALUES / f"{one}.yaml" if isinstance(one, str) else self.cluster.plane.folder / f"{self.namespace}-{self.name}-{at}.json"
            if not isinstance(one, str):
                file.write_text(json.dumps(one))
            files += ["--values", file]
        return self.run(verb, self.name, chart or self.chart, *files, *arguments)

    def upgrade(self, *values, arguments=(), **options):
        """Upgrades it."""
        return self.helm("upgrade", values, *arguments, **options)

    def run(self, verb, *arguments):
        """A command of Helm in the release's namespace."""
        return self.cluster.helm(self.version, verb, *arguments, "--namespace", self.namespace)

    def uninstall(self):
        """Uninstalls it; a check may have done so before."""
        self.run("uninstall", self.name, "--ignore-not-found")

    def list(self, kind, component=None):
        """The release's objects of a kind in its namespace."""
        labels = {INSTANCE: self.name} | ({COMPONENT: component} if component else {})
        return self.api.list(kind, self.namespace, **labels)

    def the(self, kind, component):
        """The one object of a kind and component."""
        found = self.list(kind, component)
        assert len(found) == 1, f"{len(found)} objects of kind {kind} {component}"
        return found[0]

    def pods(self, component="node"):
        """The pods of a component that are not being deleted, by UID."""
        return {one["metadata"]["uid"]: one for one in self.list("Pod", component) if "deletionTimestamp" not in one["metadata"]}

    def stopping(self, component="node"):
        """The pods that are being deleted."""
        return [one for one in self.list("Pod", component) if "deletionTimestamp" in one["metadata"]]

    def until_complete(self, within_s=WAIT_S):
        """Waits until the rollout of the nodes is complete, as `kubectl rollout status` does."""
        until("the rollout is complete", self._is_complete, within_s)

    def _is_complete(self):
        one = self.the("Deployment", "node")
        status, count = one.get("status", {}), one["spec"]["replicas"]
        counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
        return status.get("observedGeneration") == one["metadata"]["generation"] and counts == {count}

    def contents(self):
        """What Helm and the API server have made of the values, in all namespaces: (kind, namespace, name) → content."""
        made = {}
        for kind in CHART_KINDS:
            for one in self.api.list(kind, **{INSTANCE: self.name}):
                made[kind, one["metadata"]["namespace"], one["metadata"]["name"]] = content(one)
        return made
