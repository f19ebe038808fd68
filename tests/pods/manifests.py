"""What the chart renders, as pods that podman can play. What is changed, and why, is all in `playable`; everything else,
above all security settings, arguments, mounts and the node's configuration, is as rendered."""

import copy
import json

import parts
import yaml

RELEASE, NAMESPACE = "sb", "calls"
# Whom the Secrets of values.yaml are named after; a cluster's operator makes them.
SECRETS = {
    "jwt": {"hs256-secret": "the-secret-that-only-this-test-signs-with"},
    "turn": {"turn-secret": "what-nodes-and-coturn-share"},
}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Release:
    """The rendered objects."""

    def __init__(self, values):
        code, text, errors = parts.helm(
            "template", RELEASE, parts.CHART, "--namespace", NAMESPACE, "--kube-version", parts.KUBERNETES,
            "--values", values,
        )
        assert code == 0, errors
        self.objects = [one for one in yaml.load_all(text, Loader=parts.LOADER) if one]

    def one(self, kind, suffix):
        """The object of that kind whose name ends so."""
        name = f"{RELEASE}-switchboard{suffix}"
        return next(one for one in self.objects if (one["kind"], one["metadata"]["name"]) == (kind, name))

    def pod(self, suffix):
        """The pod that a Deployment, or a Pod itself, asks for: labels and specification."""
        try:
            template = self.one("Deployment", suffix)["spec"]["template"]
        except StopIteration:
            template = self.one("Pod", suffix)
        return template["metadata"]["labels"], template["spec"]

    def services(self):
        """Specifications of the Services, by name."""
        return {one["metadata"]["name"]: one["spec"] for one in self.objects if one["kind"] == "Service"}

    def playable(self, name, suffix, address):
        """Text for `podman kube play`, and the podman secrets it wants as {name: content}."""
        labels, rendered = self.pod(suffix)
        spec = copy.deepcopy(rendered)
        # podman would publish every port on the machine, and hand probes to systemd; restarts and probes are kubelet.py's.
        for container in spec["containers"]:
            for key in ("ports", *PROBES):
                container.pop(key, None)
        spec["restartPolicy"] = "Never"
        # It knows no pod's address before the pod runs.
        for container in spec["containers"] + spec.get("initContainers", []):
            for variable in container.get("env", []):
                if variable.get("valueFrom") == {"fieldRef": {"fieldPath": "status.podIP"}}:
                    del variable["valueFrom"]
                    variable["value"] = address
        # Of Secrets it takes neither `items` nor base64, and reads `optional` even where there is none.
        secrets = {}
        for volume in spec.get("volumes", []):
            if source := volume.get("secret"):
                own = f"{source['secretName']}-{volume['name']}"
                content = SECRETS[source["secretName"]]
                data = {one["path"]: content[one["key"]] for one in source.pop("items")}
                secrets[own] = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": own}, "data": data})
                source |= {"secretName": own, "optional": False}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
        maps = [one for one in self.objects if one["kind"] == "ConfigMap"]
        return yaml.safe_dump_all([*maps, pod]), secrets
