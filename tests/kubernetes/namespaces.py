"""Namespaces of the kernel for machines that run containers: network, mounts and processes of their own.

`within` runs this program again as the first process of them; the kernel ends everything with it. What a kubelet sets for the whole
machine is put back afterwards. Not here: the programs of a machine (machines.py).
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

# The folder of the run.
FOLDER = "SWITCHBOARD_KUBERNETES_FOLDER"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# A kubelet sets these for the whole machine.
SETTINGS = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
            "kernel/keys/root_maxbytes"]
PREFIX = "switchboard-kubernetes"
# Each machine of a run writes into these; others of this computer must not see it.
OWN_FOLDERS = ["/run", "/var/log", "/var/lib/kubelet"]

UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"]
TRIAL = f"switchboard-trial-{os.getpid()}"
# What the kernel must be able to do, and a command that shows it in namespaces of its own.
ABILITIES = {
    "namespaces of network, mounts and processes": "true",
    "overlay mounts": "mount -t tmpfs tmpfs /mnt && mkdir /mnt/1 /mnt/2 /mnt/3 /mnt/4 && "
        "mount -t overlay overlay -o lowerdir=/mnt/1,upperdir=/mnt/2,workdir=/mnt/3 /mnt/4",
    "bridges and pairs of interfaces": "ip link add one type bridge && ip link add two type veth peer name three",
    "iptables with NFQUEUE, owner and conntrack": "iptables --table mangle --append POSTROUTING --match owner --uid-owner 0 --jump RETURN && "
        "iptables --table mangle --append POSTROUTING --match conntrack --ctstate ESTABLISHED --jump NFQUEUE --queue-num 1 && "
        "iptables --table nat --append POSTROUTING --jump MASQUERADE",
}


def missing_in_kernel():
    """What this kernel cannot do, with its error; None if containers can run."""
    for ability, command in ABILITIES.items():
        done = subprocess.run([*UNSHARE, "sh", "-c", command], capture_output=True, text=True)
        if done.returncode:
            return f"{ability}: {done.stderr.strip()}"
    return next((f"a control group in {one}" for one in hierarchies() if not can_create(one / TRIAL)), None)


def can_create(group):
    """Whether a control group can be created."""
    try:
        group.mkdir()
        group.rmdir()
    except OSError:
        return False
    return True


def folder():
    """The folder of the run, if this process is in namespaces of its own; else None."""
    return os.environ.get(FOLDER)


def within(*arguments):
    """Runs this program in namespaces, and returns its exit code."""
    sysctls = {one: pathlib.Path("/proc/sys", one).read_text() for one in SETTINGS if pathlib.Path("/proc/sys", one).exists()}
    command = [*UNSHARE, "--kill-child", sys.executable, sys.argv[0], *arguments]
    try:
        # It goes when the namespaces have ended, because mounts of containers are in it.
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as name:
            return subprocess.run(command, env=os.environ | {FOLDER: name}).returncode
    finally:
        for name, text in sysctls.items():
            pathlib.Path("/proc/sys", name).write_text(text)
        remove_cgroups()


def enter():
    """Makes the namespaces usable: mounts that containers see, own folders, loopback."""
    pathlib.Path("/var/lib/kubelet").mkdir(parents=True, exist_ok=True)
    run("mount", "--make-rshared", "/")
    for folder in OWN_FOLDERS:
        run("mount", "-t", "tmpfs", "tmpfs", folder)
    run("ip", "link", "set", "lo", "up")


def hierarchies():
    """The control groups' hierarchies: several with version 1, one with version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [one for one in CGROUPS.iterdir() if one.is_dir() and one.name != "unified"]


def create_cgroup(name):
    """Creates a machine's control group in every hierarchy."""
    for one in hierarchies():
        group = one / f"{PREFIX}-{name}"
        group.mkdir(exist_ok=True)
        # A set of CPUs is empty until it is filled.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (one / file).exists() and (group / file).exists() and not (group / file).read_text().strip():
                (group / file).write_text((one / file).read_text())
    return f"/{PREFIX}-{name}"


def remove_cgroups():
    """Removes the control groups of a run that has ended."""
    for top in [*CGROUPS.glob(f"{PREFIX}-*"), *CGROUPS.glob(f"*/{PREFIX}-*")]:
        for group in sorted([top, *top.rglob("*/")], reverse=True):
            # One that a second run uses cannot be removed.
            with contextlib.suppress(OSError):
                group.rmdir()


def run(*command):
    """Runs a command of the computer."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout
