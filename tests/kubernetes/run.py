#!/usr/bin/env python3
"""The chart on a real Kubernetes: first with machines that kwok simulates, then with kubelets that run its containers.

`run.py [word …]`: all checks, or those whose names contain a word. The run builds Kubernetes from Go modules into a cache
(programs.py); later runs start in seconds. Kubelets need root and namespaces of the kernel. Everything ends with the run. A missing
part is a skip with its reason, or a failure if CI=true.

`--from CHART,NODE` upgrades from another version to this one and back, under load. Give the folder of that version's chart and the
program of its nodes, for example from `git worktree add ../previous TAG` and `cargo build -p switchboard-node` there.
"""

import contextlib
import importlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "chart"), str(ROOT / ".tools/chart/lib")]
SIMULATED = ["installs", "upgrades", "pods", "scaling", "documentation", "every_value"]
IN_CONTAINERS = ["containers", "operators", "commands", "lifetimes", "faults", "versions", "drills"]
# They take minutes, so they run only if a word names them.
ON_REQUEST = ["drills"]
TOOLS = ["runc", "ip", "iptables", "ldd", "redis-server", "turnserver", "turnutils_uclient", "turnutils_peer", "unshare"]
# Of the networks of containers.
PLUGINS = ["host-local", "loopback", "ptp"]


def missing():
    """Why the run cannot be; None if it can."""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return "PyYAML is not installed"
    import support

    return None if support.tool("helm") else "helm is not installed"


def missing_for_containers():
    """Why containers cannot run; None if they can."""
    import images
    import machines
    import support

    if lacking := [name for name in TOOLS if not shutil.which(name)]:
        return f"{', '.join(lacking)} is not installed"
    if lacking := [one for one in (support.SWITCHBOARD, images.LOADTEST) if not pathlib.Path(one).exists()]:
        return f"{', '.join(lacking)} is not built"
    if lacking := [name for name in PLUGINS if not (machines.PLUGINS / name).exists()]:
        return f"{', '.join(lacking)} is not in {machines.PLUGINS}"
    return None if os.geteuid() == 0 else "kubelets need root"


def run_check(check, cluster):
    """Runs one check and returns whether it passed. It may return a sentence with figures."""
    name, start = check.__name__.replace("_", " "), time.monotonic()
    try:
        said = check(cluster)
    except Exception as error:  # Any error fails this check only.
        print(f"FAILED  {name} ({time.monotonic() - start:.1f} s)\n        {type(error).__name__}: {error}", flush=True)
        return False
    print(f"ok      {name}{f': {said}' if said else ''} ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def chosen(topics, options):
    """The checks of these topics, in order."""
    words = options.words
    left_out = ([] if words else ON_REQUEST) + ([] if options.previous else ["versions"])
    found = [one for topic in topics if topic not in left_out for one in importlib.import_module(f"checks.{topic}").CHECKS]
    return [one for one in found if not words or any(word in one.__name__ for word in words)]


@contextlib.contextmanager
def control_plane(folder, **options):
    """A control plane that runs, for machines."""
    from controlplane import ControlPlane
    from processes import Processes

    start = time.monotonic()
    with Processes(pathlib.Path(folder)) as processes:
        plane = ControlPlane(processes, **options)
        plane.start()
        print(f"kubernetes: the control plane runs ({time.monotonic() - start:.1f} s)", flush=True)
        yield plane


def simulated(options):
    """The results of the checks on simulated machines."""
    import crds
    import kwok
    from releases import Cluster

    with tempfile.TemporaryDirectory(prefix="switchboard-kubernetes-") as folder, control_plane(folder) as plane:
        kwok.start(plane)
        crds.install(plane)
        cluster = Cluster(plane)
        return [run_check(one, cluster) for one in chosen(SIMULATED, options)]


def in_containers(folder, options):
    """The results of the checks on machines that run containers; in namespaces of this run."""
    import images
    import machines
    import namespaces
    from deployed import deployed
    from releases import Cluster

    namespaces.enter()
    machines.address_book()
    with control_plane(folder, address=machines.FIRST) as plane:
        start = time.monotonic()
        if options.previous:
            images.add_node("previous", options.previous[1])
        machines.start(plane, [images.archive(plane.folder, name) for name in images.IMAGES])
        print(f"kubernetes: {len(machines.MACHINES)} machines are ready ({time.monotonic() - start:.1f} s)", flush=True)
        start = time.monotonic()
        with deployed(Cluster(plane), options) as live:
            print(f"kubernetes: the release is ready ({time.monotonic() - start:.1f} s)", flush=True)
            return [run_check(one, live) for one in chosen(IN_CONTAINERS, options)]


def main():
    sys.dont_write_bytecode = True
    # Clean-up must follow both signals, also if a shell ignores SIGINT for this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    import programs
    from options import parsed

    # Before a build that takes long.
    options, reason = parsed(sys.argv[1:], __doc__), missing()
    if not reason and chosen(IN_CONTAINERS, options):
        reason = missing_for_containers()
    try:
        if not reason:
            programs.prepare()
    except programs.Missing as why:
        reason = str(why)
    if reason:
        print(f"kubernetes: SKIPPED: {reason}; run scripts/setup and cargo build")
        sys.exit(os.environ.get("CI") == "true")
    import namespaces

    if folder := namespaces.folder():
        sys.exit(not all(in_containers(folder, options)))
    if not chosen(SIMULATED + IN_CONTAINERS, options):
        sys.exit(f"kubernetes: no check's name contains {' or '.join(options.words)}")
    start = time.monotonic()
    is_good = all(simulated(options)) if chosen(SIMULATED, options) else True
    lacking = chosen(IN_CONTAINERS, options) and namespaces.missing_in_kernel()
    if lacking:
        print(f"kubernetes: SKIPPED: checks in containers, because this kernel lacks {lacking}")
    elif chosen(IN_CONTAINERS, options):
        is_good = namespaces.within(*sys.argv[1:]) == 0 and is_good
    print(f"kubernetes: {'all checks pass' if is_good else 'FAILED'} ({time.monotonic() - start:.0f} s)")
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
