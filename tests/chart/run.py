#!/usr/bin/env python3
"""Checks the Helm chart offline and without a cluster.

Renders every value set and checks its objects. Then runs nodes, Redis and coturn as processes with the rendered
configuration.

`run.py [--update] [word …]`: all checks, or those whose names contain a word; --update renews the snapshots. Needs
helm, kubeconform, schemas and PyYAML (scripts/setup) and the built node (cargo build). A missing part is a skip with
its reason, or a failure if CI=true. Not here: running containers (tests/pods) and alerts (tests/operations).
"""

import importlib
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / ".tools/chart/lib")]
TOPICS = ["workload", "upgrades", "names", "effects", "keys", "scaling", "network", "exposure", "turn", "monitoring", "refusals", "documents", "validity", "processes", "distribution"]


def missing():
    """Why the checks cannot run; None if they can."""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return "PyYAML is not installed"
    import support
    import schemas

    for name in ("helm", "kubeconform"):
        if not support.tool(name):
            return f"{name} is not installed"
    if not schemas.STAMP.exists() or schemas.STAMP.read_text() != schemas.pins():
        return "the schemas are missing or outdated"
    if not pathlib.Path(support.SWITCHBOARD).exists():
        return f"{support.SWITCHBOARD} is not built"
    return None


def run(check):
    """Runs one check and returns whether it passed. A skipped check passes, except if CI=true."""
    from support import Skip

    name = check.__name__.replace("_", " ")
    start = time.monotonic()
    try:
        check()
    except Skip as reason:
        print(f"skipped {check.__module__.split('.')[-1]}: {name}: {reason}")
        return os.environ.get("CI") != "true"
    except Exception as error:  # Any error fails this check only.
        reason = f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__} at {place(error)}"
        print(f"FAILED  {check.__module__.split('.')[-1]}: {name}\n        {reason} ({place(error)})")
        return False
    print(f"ok      {check.__module__.split('.')[-1]}: {name} ({time.monotonic() - start:.1f} s)")
    return True


def place(error):
    """The last line of a check in the error's traceback."""
    frame, line = None, None
    trace = error.__traceback__
    while trace:
        if "checks" in trace.tb_frame.f_code.co_filename:
            frame, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return f"{pathlib.Path(frame).name}:{line}" if frame else "run.py"


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if "--update" in sys.argv:
        os.environ["UPDATE_SNAPSHOTS"] = "1"
    if reason := missing():
        print(f"chart: SKIPPED: {reason}; run scripts/setup and cargo build")
        sys.exit(os.environ.get("CI") == "true")
    import support

    for topic in TOPICS:
        importlib.import_module(f"checks.{topic}")
    chosen = [one for one in support.CHECKS if not words or any(word in one.__name__ for word in words)]
    if not chosen:
        sys.exit(f"chart: no check's name contains {' or '.join(words)}")
    passed = [run(one) for one in chosen]
    print(f"chart: {sum(passed)} of {len(passed)} checks pass, over {len(support.value_sets())} value sets")
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
