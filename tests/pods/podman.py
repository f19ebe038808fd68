"""A separate podman for the test: storage and settings in one folder, and the pod network on one bridge.

Both are removed afterwards. The host's images, containers, networks and packet filter stay unchanged, because the network
needs no NAT.
"""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

TIMEOUT_S = 60
BRIDGE = "switchboard-t0"
# Addresses for test networks (RFC 2544). Relays accept them.
SUBNET = "198.18.77.0/24"
GATEWAY = "198.18.77.1"
NETWORK = "pods"
# The bridge plugin enables it, although this network forwards nothing.
FORWARDING = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
PAUSE = "localhost/switchboard-pause:pods"
DOMAIN = "calls.svc.cluster.local"
MAX_FILES, MAX_PROCESSES = 20_000, 8_192
CGROUPS = pathlib.Path("/sys/fs/cgroup")
SETTINGS = """[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
dns_servers = ["{gateway}"]
dns_searches = ["{domain}"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
infra_image = "{pause}"
[network]
network_backend = "cni"
network_config_dir = "{folder}/networks"
default_network = "{network}"
"""


class Refused(Exception):
    """The error message of a failed command."""


def run(*command, timeout=TIMEOUT_S, merged=False, **more):
    """Runs a command and returns its output, with its errors if `merged`. Raises `Refused` on failure."""
    # In a new session: Ctrl-C must not leave an incomplete pod.
    options = {"capture_output": True, "text": True, "timeout": timeout, "start_new_session": True, **more}
    done = subprocess.run([*map(str, command)], **options)
    if done.returncode:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise Refused(f"{' '.join(map(str, command[:6]))} …: {output[-1] if output else done.returncode}")
    return (done.stdout + (done.stderr if merged else "")).strip()


def at_most(limit, wanted):
    """The wanted limit, or the host's hard limit if it is lower."""
    hard = resource.getrlimit(limit)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)


def cgroups():
    """The control groups of podman. podman does not remove those of pods."""
    tops = [*CGROUPS.glob("libpod_parent"), *CGROUPS.glob("*/libpod_parent")]
    return {folder for top in tops for folder in [top, *top.rglob("*")] if folder.is_dir()}


class Podman:
    """A context manager that removes everything at its end."""

    def __enter__(self):
        if there := run("ip", "-4", "route", "show", "to", "match", GATEWAY, "scope", "link"):
            raise Refused(f"{SUBNET} is in use ({there}): another run is active, or one was killed (ip link del {BRIDGE})")
        self.forwards, self.groups, self.secrets = FORWARDING.read_text(), cgroups(), set()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="switchboard-pods-"))
        try:
            self._settings()
            run("ip", "link", "add", BRIDGE, "type", "bridge")
            run("ip", "address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
            run("ip", "link", "set", BRIDGE, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _settings(self):
        # podman's defaults may exceed the host's limits.
        files = at_most(resource.RLIMIT_NOFILE, MAX_FILES)
        processes = at_most(resource.RLIMIT_NPROC, MAX_PROCESSES)
        text = SETTINGS.format(
            files=files, processes=processes, gateway=GATEWAY, domain=DOMAIN, pause=PAUSE, folder=self.folder,
            network=NETWORK,
        )
        (self.folder / "containers.conf").write_text(text)
        (self.folder / "networks").mkdir()
        bridge = {
            "type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False, "hairpinMode": True,
            "ipam": {
                "type": "host-local", "dataDir": str(self.folder / "addresses"), "routes": [{"dst": "0.0.0.0/0"}],
                "ranges": [[{"subnet": SUBNET, "gateway": GATEWAY}]],
            },
        }
        network = {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge]}
        (self.folder / f"networks/{NETWORK}.conflist").write_text(json.dumps(network))

    def __call__(self, *arguments, **more):
        own = ["podman", "--root", self.folder / "root", "--runroot", self.folder / "run"]
        environment = {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")}
        return run(*own, *arguments, env=environment, **more)

    def secret(self, name, content):
        """Creates a secret if it does not exist."""
        if name not in self.secrets:
            self.secrets.add(name)
            file = self.folder / f"secret-{name}"
            file.write_text(content)
            self("secret", "create", name, file)

    def state(self, container):
        """The state of a container: `Status`, `ExitCode`, `Pid` and more."""
        return json.loads(self("inspect", "--format", "{{json .State}}", container))

    def __exit__(self, *_):
        for command in (["kill", "--all"], ["pod", "rm", "--force", "--all"], ["rm", "--force", "--all"]):
            try:
                self(*command)
            except (Refused, subprocess.TimeoutExpired) as why:
                print(f"pods: clean-up: {why}")
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)
        FORWARDING.write_text(self.forwards)
        for folder in sorted(cgroups() - self.groups, reverse=True):
            # A control group in use cannot be removed.
            with contextlib.suppress(OSError):
                folder.rmdir()
        # podman mounts its storage onto itself.
        mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in reversed([one for one in mounts if one.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", mount], check=False)
        shutil.rmtree(self.folder)
