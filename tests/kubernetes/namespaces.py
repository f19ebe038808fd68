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


def folder():
    """The folder of the run, if this process is in namespaces of its own; else None."""
    return os.environ.get(FOLDER)


def within(*arguments):
    """Runs this program in namespaces, and returns its exit code."""
    sysctls = {one: pathlib.Path("/proc/sys", one).read_text() for one in SETTINGS if pathlib.Path("/proc/sys", one).exists()}
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, sys.argv[0], *arguments]
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
