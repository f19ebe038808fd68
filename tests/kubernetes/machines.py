"""Machines that run containers: containerd and a kubelet each, with kube-proxy, DNS and network policies for all.

Their addresses are of the network namespace of this run. Pods have routes and no bridge, so that every packet between two pods passes
the packet filter. Not here: the namespaces (namespaces.py), and what runs in pods.
"""

import json
import os
import pathlib

import programs
from namespaces import create_cgroup, run
from processes import until

# For tests of networks (RFC 2544). A relay of the chart's coturn may lead there.
MACHINES = {"machine-1": ("198.18.78.1", "198.18.79.0/25"), "machine-2": ("198.18.78.2", "198.18.79.128/25")}
FIRST = "198.18.78.1"
PODS = "198.18.79.0/24"
# Where NodeLocal DNSCache listens; the chart's network policy allows it.
DNS = "169.254.20.10"
QUEUE = 100
PLUGINS = pathlib.Path("/usr/lib/cni")
START_S = 90
READY = ("Ready", "True")


def address_book():
    """Gives this network namespace the addresses of the machines, and routes for the addresses of Services."""
    run("ip", "link", "add", "machines", "type", "bridge")
    run("ip", "link", "set", "machines", "up")
    for address in [f"{address}/32" for address, _ in MACHINES.values()] + [f"{DNS}/32"]:
        run("ip", "address", "add", address, "dev", "machines")
    # A Service's address is translated on its way out, and needs a route until then.
    run("ip", "route", "add", "default", "dev", "machines", "src", FIRST)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")


def policed():
    """Sends each new connection of pods to the program that knows the network policies.

    It would do so itself, but kernels without NFT_QUEUE refuse its rules. The rules are the same.
    """
    table = ["iptables", "--wait", "--table", "mangle", "--append", "POSTROUTING"]
    # A kubelet's probes come from the machine and are always allowed.
    run(*table, "--match", "owner", "--uid-owner", "0", "--jump", "RETURN")
    run(*table, "--match", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "--jump", "RETURN")
    for direction in ("--source", "--destination"):
        run(*table, direction, PODS, "--jump", "NFQUEUE", "--queue-num", QUEUE)


class Machine:
    """One machine."""

    def __init__(self, plane, name):
        self.plane, self.name, (self.address, self.pods) = plane, name, MACHINES[name]
        self.folder = plane.folder / name
        self.socket = self.folder / "containerd.sock"
        self.path = {"PATH": f"{programs.path('containerd').parent}:{os.environ['PATH']}"}

    def start(self, images):
        """Starts containerd with images, and then the kubelet."""
        (self.folder / "cni").mkdir(parents=True)
        self._write("containerd.toml", CONTAINERD.format(folder=self.folder, plugins=PLUGINS))
        ptp = {"type": "ptp", "ipMasq": False, "ipam": {
            "type": "host-local", "dataDir": str(self.folder / "addresses"), "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": self.pods}]]}}
        self._write("cni/pods.conflist", json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [ptp]}))
        self._program("containerd", programs.path("containerd"), "--config", self.folder / "containerd.toml")
        until("containerd listens", self.socket.exists, START_S)
        for image in images:
            run(programs.path("ctr"), "--address", self.socket, "--namespace", "k8s.io", "images", "import", "--local", image)
        kubelet = KUBELET | {
            "address": self.address, "cgroupRoot": create_cgroup(self.name), "containerRuntimeEndpoint": f"unix://{self.socket}",
            "podLogsDir": str(self.folder / "logs"), "volumePluginDir": str(self.folder / "volume-plugins"), "clusterDNS": [DNS]}
        self._write("kubelet.json", json.dumps(kubelet))
        self._program("kubelet", programs.path("kubelets"), "kubelet", "--config", self.folder / "kubelet.json",
            "--kubeconfig", self.plane.kubeconfig("machines"), "--root-dir", self.folder / "kubelet",
            "--cert-dir", self.folder / "certificates", "--hostname-override", self.name, "--node-ip", self.address,
            "--node-labels", f"topology.kubernetes.io/zone=zone-{self.name[-1]}")

    def is_ready(self):
        """Whether pods can be scheduled to it."""
        node = self.plane.api.find("Node", None, self.name) or {}
        return READY in [(one["type"], one["status"]) for one in node.get("status", {}).get("conditions", [])] \
            and not node["spec"].get("taints")

    def _program(self, name, *command):
        self.plane.processes.start(f"{name}-{self.name}", *command, env=os.environ | self.path)

    def _write(self, name, text):
        (self.folder / name).write_text(text)


def start(plane, images):
    """Starts the machines and what they share. Waits until they are ready."""
    policed()
    machines = [Machine(plane, name) for name in MACHINES]
    for machine in machines:
        machine.start(images)
    proxy = plane.folder / "proxy.json"
    proxy.write_text(json.dumps(PROXY | {"clientConnection": {"kubeconfig": str(plane.kubeconfig("machines"))}}))
    plane.processes.start("kube-proxy", programs.path("kubelets"), "kube-proxy", "--config", proxy)
    names = plane.folder / "Corefile"
    names.write_text(COREFILE.format(kubeconfig=plane.kubeconfig("machines")))
    plane.processes.start("coredns", programs.path("coredns"), "-conf", names)
    plane.processes.start("kube-network-policies", programs.path("kube-network-policies"), plane.kubeconfig("machines"),
        "machine-1", QUEUE)
    until("the machines are ready", lambda: plane.processes.check() and all(one.is_ready() for one in machines), START_S)
    return machines


CONTAINERD = """version = 3
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
address = "{folder}/containerd.sock"
[ttrpc]
address = "{folder}/containerd.ttrpc"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "localhost/pause:test"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plugins}"]
conf_dir = "{folder}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
"""
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}}, "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs", "failCgroupV1": False, "failSwapOn": False, "enforceNodeAllocatable": [],
    "clusterDomain": "cluster.local", "resolvConf": "", "rotateCertificates": False, "healthzPort": 0,
    "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99, "maxPods": 60,
    "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
}
PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables", "clusterCIDR": PODS,
    "hostnameOverride": "machine-1", "bindAddress": FIRST, "healthzBindAddress": "127.0.0.1:10256",
    "metricsBindAddress": "127.0.0.1:10249",
    # These settings are of the whole computer.
    "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
}
COREFILE = """.:53 {{
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
  }}
}}
"""
