#!/usr/bin/env python3
"""Runs the rendered chart as pods on this machine: three nodes, Redis and coturn, with podman's `kube play`.

`run.py [--image archive]`: --image runs the OCI archive of deploy/image/build instead of the debug binary.
Needs podman, runc, coturn, Redis, helm and PyYAML (scripts/setup), the built binaries (cargo build), and root. A missing
part is a skip with its reason, or a failure if CI=true. A kernel that cannot run containers is always a skip. Not here: a
real API server, its scheduler, and network policies.
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
        return f"{', '.join(lacking)} is not installed"
    try:
        import yaml  # noqa: F401
    except ImportError:
        return "PyYAML is not installed"
    import cluster
    import support

    if not support.tool("helm"):
        return "helm is not installed"
    for binary in (support.SWITCHBOARD, cluster.LOADTEST):
        if not pathlib.Path(binary).exists():
            return f"{binary} is not built"
    return None if os.geteuid() == 0 else "this test needs root, or sudo without a password"


def as_root():
    """Restarts as root if sudo needs no password."""
    sudo = ["sudo", "-n", "--preserve-env=CI,PATH,SWITCHBOARD_BIN,LOADTEST_BIN"]
    if os.geteuid() and shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0:
        os.execvp("sudo", [*sudo, sys.executable, *sys.argv])


def runs_containers(podman):
    """Why the kernel cannot run containers; None if it can."""
    import images
    from podman import PAUSE, Refused

    images.pause(podman)
    try:
        podman("run", "--rm", "--network", "none", "--entrypoint", "/bin/sleep", PAUSE, "0")
    except Refused as why:
        return str(why)
    return None


def run_check(check, cluster):
    """Runs one check and returns whether it passed."""
    name, start = check.__name__.replace("_", " "), time.monotonic()
    try:
        check(cluster)
    except Exception as error:  # Any error fails this check only.
        print(f"FAILED  {name}\n        {type(error).__name__}: {error}", flush=True)
        return False
    print(f"ok      {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def all_checks_pass(podman, archive):
    """Starts the release and runs every check on it."""
    import images
    from checks import CHECKS
    from cluster import Cluster
    from manifests import RELEASE, Release
    from services import Services

    start = time.monotonic()
    images.node(podman, archive)
    images.redis_and_coturn(podman)
    print(f"pods: images are ready ({time.monotonic() - start:.1f} s)", flush=True)
    release = Release(HERE / "values.yaml")
    with Services(release.services(), f"{RELEASE}-switchboard") as services:
        cluster = Cluster(podman, release, services)
        start = time.monotonic()
        try:
            cluster.start()
            print(f"pods: {len(services.pods)} pods are ready ({time.monotonic() - start:.1f} s)", flush=True)
            results = [run_check(check, cluster) for check in CHECKS]
        finally:
            for pod in services.pods:
                pod.unwatch()
    print(f"pods: {sum(results)} of {len(results)} checks pass")
    return all(results)


def main():
    sys.dont_write_bytecode = True
    as_root()
    archive = sys.argv[2] if sys.argv[1:2] == ["--image"] and len(sys.argv) == 3 else None
    if sys.argv[1:] and not archive:
        sys.exit(__doc__)
    if reason := missing():
        print(f"pods: SKIPPED: {reason}; run scripts/setup and cargo build")
        sys.exit(os.environ.get("CI") == "true")
    from podman import Podman

    # Clean-up must follow both signals, also if a shell ignores SIGINT for this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with Podman() as podman:
        if reason := runs_containers(podman):
            print(f"pods: SKIPPED: this kernel cannot run containers: {reason}")
            return
        sys.exit(not all_checks_pass(podman, archive))


if __name__ == "__main__":
    main()
