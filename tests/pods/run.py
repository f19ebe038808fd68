#!/usr/bin/env python3
"""Runs what the chart renders as pods: three nodes, Redis and coturn with podman's `kube play`, on this machine alone.

`run.py [--image archive]`; --image runs the nodes of that OCI archive (deploy/image/build) instead of the debug binary.
Wants podman, runc, coturn, Redis, helm and PyYAML (scripts/setup), the built binaries (cargo build), and root. A missing
part is a skip with its reason, and a failure where CI=true; a kernel that runs no containers is a skip everywhere. Not
here: a real API server, its scheduler, and network policies.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "chart"), str(ROOT / ".tools/chart/lib")]
TOOLS = ["podman", "runc", "ip", "ldd", "redis-server", "turnserver", "turnutils_uclient", "turnutils_peer"]


def missing():
    """Why the run cannot be; None if it can."""
    if lacking := [name for name in TOOLS if not shutil.which(name)]:
        return f"{', '.join(lacking)} is not there"
    try:
        import yaml  # noqa: F401
    except ImportError:
        return "PyYAML is not there"
    import cluster
    import parts

    if not parts.tool("helm"):
        return "helm is not there"
    for binary in (parts.SWITCHBOARD, cluster.LOADTEST):
        if not pathlib.Path(binary).exists():
            return f"{binary} is not built"
    return None if os.geteuid() == 0 else "containers of this run want root, or sudo without a password"


def as_root():
    """Starts anew as root where sudo asks nothing."""
    sudo = ["sudo", "-n", "--preserve-env=CI,PATH,SWITCHBOARD_BIN,LOADTEST_BIN"]
    if os.geteuid() and shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0:
        os.execvp("sudo", [*sudo, sys.executable, *sys.argv])


def runs_containers(podman):
    """Why the kernel runs no container; None if it does."""
    import images
    from podman import PAUSE, Refused

    images.pause(podman)
    try:
        podman("run", "--rm", "--network", "none", "--entrypoint", "/bin/sleep", PAUSE, "0")
    except Refused as why:
        return str(why)
    return None


def held(check, cluster):
    """Runs one check; returns whether it held."""
    name, start = check.__name__.replace("_", " "), time.monotonic()
    try:
        check(cluster)
    except Exception as error:  # Whatever a check stumbles over is its failure; the others may still tell more.
        print(f"FAILED  {name}\n        {type(error).__name__}: {error}", flush=True)
        return False
    print(f"ok      {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def all_hold(podman, archive):
    """Starts the release and runs every check on it."""
    import images
    from checks import CHECKS
    from cluster import Cluster
    from manifests import RELEASE, Release
    from services import Services

    start = time.monotonic()
    images.node(podman, archive)
    images.beside(podman)
    print(f"pods: images are made ({time.monotonic() - start:.1f} s)", flush=True)
    release = Release(HERE / "values.yaml")
    with Services(release.services(), f"{RELEASE}-switchboard") as services:
        cluster = Cluster(podman, release, services)
        start = time.monotonic()
        try:
            cluster.start()
            print(f"pods: {len(services.pods)} pods are ready ({time.monotonic() - start:.1f} s)", flush=True)
            results = [held(check, cluster) for check in CHECKS]
        finally:
            for pod in services.pods:
                pod.unwatch()
    print(f"pods: {sum(results)} of {len(results)} checks hold")
    return all(results)


def main():
    sys.dont_write_bytecode = True
    as_root()
    archive = sys.argv[2] if sys.argv[1:2] == ["--image"] and len(sys.argv) == 3 else None
    if sys.argv[1:] and not archive:
        sys.exit(__doc__)
    if reason := missing():
        print(f"pods: SKIPPED: {reason}; scripts/setup says why, and cargo build makes the binaries")
        sys.exit(os.environ.get("CI") == "true")
    from podman import Podman

    # So that clean-up follows both, also where a shell started this with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with Podman() as podman:
        if reason := runs_containers(podman):
            print(f"pods: SKIPPED: this kernel runs no containers: {reason}")
            return
        sys.exit(not all_hold(podman, archive))


if __name__ == "__main__":
    main()
