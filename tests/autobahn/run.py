#!/usr/bin/env python3
"""Autobahn's fuzzing client against the node's WebSocket layer.

Needs the echo example (cargo build -p switchboard-edge --example echo), and the suite that scripts/setup
installs under .tools/autobahn. Fails on a failed case, an unclean close, or a missing case. Excluded:
12.* and 13.* (permessage-deflate, which the WebSocket library does not have). The echo route has a limit of 16 MiB;
a node's limit is lower.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter

ROOT = pathlib.Path(__file__).resolve().parents[2]
ECHO = ROOT / "target/debug/examples/echo"
SUITE = ROOT / ".tools/autobahn"
EXCLUDED = ["12.*", "13.*"]
CASES = 301
TIMEOUT_S = 600
LOG_LINES = 20
GOOD_CLOSE = {"OK", "INFORMATIONAL"}
GOOD_CASE = {"OK", "NON-STRICT", "INFORMATIONAL"}

# A namespace package of the suite needs its .pth file, which PYTHONPATH does not read.
START = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite import wstest; wstest.run()"


def skip(reason):
    """Skips the run and prints the reason."""
    print(f"autobahn: SKIPPED: {reason}")
    sys.exit(0)


def fuzz(url, folder):
    """Runs all cases against `url`. Returns the report with a result for each case."""
    spec = {
        "outdir": str(folder / "report"),
        "servers": [{"agent": "switchboard", "url": url}],
        "cases": ["*"],
        "exclude-cases": EXCLUDED,
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    python = (SUITE / "python").read_text().strip()
    command = [python, "-c", START, str(SUITE / "lib"), "-m", "fuzzingclient", "-s", str(folder / "spec.json")]
    try:
        with open(folder / "log", "wb") as log:
            subprocess.run(command, cwd=folder, stdout=log, stderr=log, timeout=TIMEOUT_S, check=True)
        return json.loads((folder / "report/index.json").read_text())["switchboard"]
    except (subprocess.SubprocessError, OSError, KeyError) as error:
        tail = (folder / "log").read_text(errors="replace").splitlines()[-LOG_LINES:]
        sys.exit("\n".join(["autobahn: FAILED: no report: " + repr(error), *tail]))


def evaluate(report):
    """Prints the counts of each section. Returns the bad cases."""
    sections = {}
    bad = []
    for case, result in report.items():
        behavior, close = result["behavior"], result["behaviorClose"]
        sections.setdefault(int(case.split(".")[0]), Counter())[behavior] += 1
        if behavior not in GOOD_CASE or close not in GOOD_CLOSE:
            bad.append(f"{case}: {behavior}, close {close}")
        elif behavior == "NON-STRICT":
            print(f"autobahn: note: {case} is NON-STRICT")
    for section, counts in sorted(sections.items()):
        print(f"autobahn: section {section:>2}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    return bad


def main():
    if not (SUITE / "python").exists():
        skip("the suite is not installed (it runs on Python 2.7 only); scripts/setup says why")
    if not ECHO.exists():
        sys.exit(f"autobahn: {ECHO} is missing; cargo build -p switchboard-edge --example echo")
    echo = subprocess.Popen([ECHO], stdout=subprocess.PIPE, text=True)
    try:
        url = echo.stdout.readline().strip()
        if not url:
            sys.exit(f"autobahn: FAILED: {ECHO} ended before it printed its address")
        with tempfile.TemporaryDirectory() as folder:
            report = fuzz(url, pathlib.Path(folder))
    finally:
        echo.kill()
        echo.wait()
    bad = evaluate(report)
    for line in bad:
        print("autobahn: FAILED:", line)
    print(f"autobahn: {len(report) - len(bad)} passed, {len(bad)} failed, of {CASES}")
    sys.exit(bool(bad) or len(report) < CASES)


if __name__ == "__main__":
    main()
