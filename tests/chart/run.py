#!/usr/bin/env python3
"""Checks the Helm chart: renders every value set and asserts on the objects, offline and without a cluster;
then runs nodes, Redis and coturn as processes with what was rendered.

`run.py [--update] [word …]`: all checks, or those whose names contain a word; --update renews the snapshots. Wants
helm, kubeconform, schemas and PyYAML (scripts/setup) and the built node (cargo build). A missing part is a skip with
its reason, and a failure where CI=true. Not here: containers that run, and alerts that fire.
"""

import importlib
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / ".tools/chart/lib")]
SIDES = ["workload", "keys", "scaling", "network", "exposure", "turn", "monitoring", "refusals", "documents", "whole", "real"]


def missing():
    """Why the checks cannot run; None if they can."""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return "PyYAML is not there"
    import parts
    import schemas

    for name in ("helm", "kubeconform"):
        if not parts.tool(name):
            return f"{name} is not there"
    if not schemas.STAMP.exists() or schemas.STAMP.read_text() != schemas.pins():
        return "the schemas to validate against are not there, or not those that are pinned"
    if not pathlib.Path(parts.SWITCHBOARD).exists():
        return f"{parts.SWITCHBOARD} is not built"
    return None


def run(check):
    """Runs one check; returns whether it held. One that cannot run here holds, but not where CI=true."""
    from parts import Skip

    name = check.__name__.replace("_", " ")
    start = time.monotonic()
    try:
        check()
    except Skip as reason:
        print(f"skipped {check.__module__.split('.')[-1]}: {name}: {reason}")
        return os.environ.get("CI") != "true"
    except Exception as error:  # Whatever a check stumbles over is its failure, not the end of the run.
        reason = f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__} at {place(error)}"
        print(f"FAILED  {check.__module__.split('.')[-1]}: {name}\n        {reason} ({place(error)})")
        return False
    print(f"ok      {check.__module__.split('.')[-1]}: {name} ({time.monotonic() - start:.1f} s)")
    return True


def place(error):
    """The last line of a check that led to an error."""
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
        print(f"chart: SKIPPED: {reason}; scripts/setup says why, and cargo build makes the node")
        sys.exit(os.environ.get("CI") == "true")
    import parts

    for side in SIDES:
        importlib.import_module(f"checks.{side}")
    chosen = [one for one in parts.CHECKS if not words or any(word in one.__name__ for word in words)]
    if not chosen:
        sys.exit(f"chart: no check's name contains {' or '.join(words)}")
    held = [run(one) for one in chosen]
    print(f"chart: {sum(held)} of {len(held)} checks hold, over {len(parts.value_sets())} value sets")
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
