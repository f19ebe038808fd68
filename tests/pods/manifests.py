"""The rendered chart as pods for podman. `playable` contains all changes and their reasons.

Security settings, arguments, mounts and the node's configuration are unchanged.
"""

import copy
import json

import support
import yaml

RELEASE, NAMESPACE = "sb", "calls"
# The Secrets that values.yaml names. In a real cluster the operator creates them.
SECRETS = {
    "jwt": {"hs256-secret": "the-secret-that-only-this-test-signs-with"},
    "turn": {"turn-secret": "what-nodes-and-coturn-share"},
}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Release:
    """The rendered objects."""

    def __init__(self, values):
        code, text, errors = support.helm(
            "template", RELEASE, support.CHART, "--namespace", NAMESPACE, "--kube-version", support.KUBERNETES,
            "--values", values,
        )
        assert code == 0, errors
        self.objects = [one for one in yaml.load_all(text, Loader=support.LOADER) if one]

    def one(self, kind, suffix):
        """The object of this kind whose name ends with `suffix`."""
        name = f"{RELEASE}-switchboard{suffix}"
        return next(one for one in self.objects if (one["kind"], one["metadata"]["name"]) == (kind, name))

    def pod(self, suffix):
        """Labels and specification of a Deployment's pod, or of a Pod."""
        try:
            template = self.one("Deployment", suffix)["spec"]["template"]
        except StopIteration:
            template = self.one("Pod", suffix)
        return template["metadata"]["labels"], template["spec"]

    def services(self):
        """The specifications of the Services, by name."""
        return {one["metadata"]["name"]: one["spec"] for one in self.objects if one["kind"] == "Service"}

    def playable(self, name, suffix, address):
        """The text for `podman kube play`, and the podman secrets that it needs as {name: content}."""
        labels, rendered = self.pod(suffix)
        spec = copy.deepcopy(rendered)
        # podman would publish every port on the host and run probes by systemd. kubelet.py runs probes and restarts.
        for container in spec["containers"]:
            for key in ("ports", *PROBES):
                container.pop(key, None)
        spec["restartPolicy"] = "Never"
        # podman does not know a pod's address before the pod runs, and has no machines.
        facts = {"status.podIP": address, "spec.nodeName": "machine"}
        for container in spec["containers"] + spec.get("initContainers", []):
            for variable in container.get("env", []):
                if source := variable.pop("valueFrom", None):
                    variable["value"] = facts[source["fieldRef"]["fieldPath"]]
        # podman supports no `items` and no base64 in Secrets, and it requires `optional`.
        secrets = {}
        for volume in spec.get("volumes", []):
            # podman has no projected volumes. The first secret is enough; the second is for a rotation.
            if projected := volume.pop("projected", None):
                first = projected["sources"][0]["secret"]
                volume["secret"] = {"secretName": first["name"], "items": first["items"], "defaultMode": projected["defaultMode"]}
            if source := volume.get("secret"):
                own = f"{source['secretName']}-{volume['name']}"
                content = SECRETS[source["secretName"]]
                data = {one["path"]: content[one["key"]] for one in source.pop("items")}
                secrets[own] = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": own}, "data": data})
                source |= {"secretName": own, "optional": False}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
        maps = [one for one in self.objects if one["kind"] == "ConfigMap"]
        return yaml.safe_dump_all([*maps, pod]), secrets
