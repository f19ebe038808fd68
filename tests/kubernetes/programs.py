#!/usr/bin/env python3
"""The programs of the cluster: built from pinned Go modules, once, into a cache outside the clone.

Each program has a folder whose name is a sum over its version and sources, so that only a changed one is built again. The
cache may be deleted at any time. `programs.py` builds the missing ones; `--version` says which Kubernetes, `--state` names the missing ones.
What cannot be built is a skip with its reason, or a failure if CI=true. Not here: how the programs run.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "programs"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "switchboard/kubernetes"
KUBERNETES = re.search(r"k8s\.io/kubernetes v([\d.]+)", (SOURCES / "kubernetes/go.mod").read_text())[1]
# Without these a client takes the server for version 0.0.
VERSION_FLAGS = " ".join(
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (("gitVersion", f"v{KUBERNETES}"), ("gitMajor", "1"), ("gitMinor", KUBERNETES.split(".")[1]))
)
UNFINISHED = "building-"
CONTAINERD = "github.com/containerd/containerd/v2"


class Missing(Exception):
    """Why a program is not there."""


@dataclasses.dataclass(frozen=True)
class Program:
    """Go packages with a version each, or a package of a module under programs/. `minutes` is the cold build on two cores."""

    name: str
    minutes: float
    packages: tuple[str, ...] = ()
    module: str = ""
    flags: str = ""

    def folder(self):
        """Where it is, or will be."""
        sums = hashlib.sha256(repr((self.packages, self.flags)).encode())
        for file in sorted((SOURCES / self.module).glob("go.*")) + sorted((SOURCES / self.module / self.name).glob("*.go")):
            sums.update(file.read_bytes() if self.module else b"")
        return CACHE / f"{self.name}-{sums.hexdigest()[:12]}"

    def build(self):
        """Builds it next to its place, and moves it there when it is complete: another run may do the same."""
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=UNFINISHED) as out:
            environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": f"{out}/bin", "GOFLAGS": "-trimpath"}
            flags = f"-ldflags=-s -w {self.flags}"
            command = ["go", "install", flags, *self.packages]
            if self.module:
                command = ["go", "build", "-C", SOURCES / self.module, flags, "-o", f"{out}/bin/", f"./{self.name}"]
            done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
            if done.returncode:
                raise Missing(f"{self.name} cannot be built: {done.stderr.strip()[-600:]}")
            # Fails if another run was faster, whose result is the same.
            with contextlib.suppress(OSError):
                os.rename(f"{out}/bin", self.folder())


PROGRAMS = (
    Program("controlplane", 9, module="kubernetes", flags=VERSION_FLAGS),
    Program("kubelets", 1, module="kubernetes", flags=VERSION_FLAGS),
    Program("kwok", 0.5, ("sigs.k8s.io/kwok/cmd/kwok@v0.8.0",)),
    Program("helm", 1.5, ("helm.sh/helm/v4/cmd/helm@v4.3.1",)),
    Program("containerd", 1.5, tuple(f"{CONTAINERD}/cmd/{name}@v2.2.9" for name in ("containerd", "containerd-shim-runc-v2", "ctr"))),
    Program("coredns", 1.5, module="dns"),
    Program("kube-network-policies", 0.5, module="policies"),
)


def missing():
    """The programs that are not in the cache."""
    return [one for one in PROGRAMS if not one.folder().exists()]


def state():
    """The missing programs and how long they take, or that there is none."""
    names, minutes = ", ".join(one.name for one in missing()), sum(one.minutes for one in missing())
    return f"{names} into {CACHE}, about {max(1, minutes):.0f} minutes on two idle cores" if names else f"all programs are in {CACHE}"


@contextlib.contextmanager
def alone():
    """Waits until no other run builds; the kernel ends its lock with it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"kubernetes: waits for a build that is under way: {state()}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        # Of builds that were killed.
        for left in CACHE.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)
        yield


def prepare():
    """Builds the programs that are not in the cache. Raises Missing if one cannot be built."""
    lacking = missing()
    if lacking and not shutil.which("go"):
        raise Missing(f"{', '.join(one.name for one in lacking)} cannot be built without Go (https://go.dev/dl)")
    if not lacking:
        return
    with alone():
        if lacking := missing():
            print(f"kubernetes: builds {state()}", flush=True)
        for program in lacking:
            start = time.monotonic()
            program.build()
            print(f"kubernetes: {program.name} is built ({time.monotonic() - start:.0f} s)", flush=True)


def path(name):
    """The path of a built program."""
    for program in PROGRAMS:
        if (program.folder() / name).exists():
            return program.folder() / name
    raise Missing(f"{name} is not built")


def main():
    if sys.argv[1:] == ["--version"]:
        return print(KUBERNETES)
    if sys.argv[1:] == ["--state"]:
        return print(f"will be built: {state()}" if missing() else state())
    # What it has begun goes with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    start = time.monotonic()
    try:
        prepare()
    except Missing as why:
        print(f"kubernetes: SKIPPED: {why}")
        sys.exit(os.environ.get("CI") == "true")
    took = time.monotonic() - start
    print(f"kubernetes: all programs are in {CACHE} ({f'built in {took / 60:.0f} min' if took > 5 else 'built before'})")


if __name__ == "__main__":
    main()
