#!/usr/bin/env python3
"""schemathesis against the backend API of a real node.

Generates calls from the node's own OpenAPI document, valid ones and wrong ones. Some peers are connected, detached and in a room
(residents.py), and most calls name them. Fails on a 5xx, on an answer that the document does not describe, on a wrong call that
is accepted, on a call that a token does not guard, and if an answer with content was never seen. Needs a built node, and
schemathesis, which scripts/setup installs. Not here: what the calls do (services/testkit/tests/backend_api).
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/operations"))

from residents import Residents  # noqa: E402
from support import binary, free_port, get, wait_until  # noqa: E402

LIB = ROOT / ".tools/api/lib"
RULES = pathlib.Path(__file__).with_name("schemathesis.toml")
SECRET = "schemathesis-signs-with-this-secret-1"
# Random examples of each call: a number and not a time, so that a slow machine sees the same calls.
EXAMPLES = 60
# The whole run on a slow machine, and each answer; a send waits 5 s for its outcome at most.
RUN_S, ANSWER_S = 600, 10
# A run that began with this seed can be repeated.
SEED = "1"
CONFIG = """
[node]
id = "n1"
[auth]
hs256_secret = "{secret}"
[server]
listen = "127.0.0.1:{public}"
ops_listen = "127.0.0.1:{ops}"
[broker]
kind = "memory"
[session]
resume_window_s = 3600
[limits]
messages_per_second = 1000000
message_burst = 1000000
peer_connects_per_second = 1000
"""
# Answers with content: a method, the beginning and the end of a path, a status, and a text in the body.
CONTENT = [
    ("GET", "/v1/peers/", "", 200, '"state":"online"'),
    ("GET", "/v1/peers/", "", 200, '"state":"detached"'),
    ("GET", "/v1/peers/", "", 200, '"state":"offline"'),
    ("DELETE", "/v1/peers/", "", 200, '"had_session":true'),
    ("POST", "/v1/peers/", "/messages", 200, '"status":"delivered"'),
    ("POST", "/v1/peers/", "/messages", 202, '"status":"queued"'),
    ("GET", "/v1/rooms", "", 200, '"room":"lobby"'),
    ("GET", "/v1/rooms/", "", 200, '"members":[{'),
    ("POST", "/v1/rooms/", "/messages", 200, '"status":"published"'),
    ("DELETE", "/v1/rooms/", "", 204, ""),
    ("POST", "/v1/revocations", "", 201, '"jti"'),
    ("POST", "/v1/revocations", "", 201, '"peer"'),
    ("GET", "/v1/revocations", "", 200, '"until"'),
    ("GET", "/v1/ice", "", 200, '"ice_servers"'),
]


def skip(reason):
    if os.environ.get("CI") == "true":
        sys.exit(f"api: FAILED: {reason}")
    print(f"api: SKIPPED: {reason}")
    sys.exit(0)


def test(node, folder):
    public, ops = free_port(), free_port()
    (folder / "node.toml").write_text(CONFIG.format(secret=SECRET, public=public, ops=ops))

    def mint(peer, *more):
        """A token that ends after the run."""
        command = [node, "token", "mint", "--config", folder / "node.toml", "--peer", peer, "--ttl-s", "3600", *more]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([node, "serve", "--config", folder / "node.toml"], stdout=log, stderr=log)
        try:
            wait_until("the node is ready", lambda: get(f"http://127.0.0.1:{ops}/readyz")[0] == 200)
            base = f"http://127.0.0.1:{public}"
            command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(RULES), "run", f"{base}/v1/openapi.json", "--url", base]
            command += ["--header", f"Authorization: Bearer {mint('app', '--backend')}", "--seed", SEED]
            command += ["--checks", "all", "--max-examples", str(EXAMPLES), "--request-timeout", str(ANSWER_S)]
            command += ["--report", "har", "--report-har-path", str(folder / "calls.har")]
            folders = [str(LIB), str(RULES.parent), str(ROOT / "tests/operations")]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "SCHEMATHESIS_HOOKS": "hooks"}
            with Residents(node, public, mint, log) as residents:
                environment |= {"RESIDENTS_PORT": str(public), "RESIDENTS_TOKEN": residents.view.token}
                failed = subprocess.run(command, cwd=folder, env=environment, timeout=RUN_S, check=False).returncode
            return failed or missing_content(folder / "calls.har")
        finally:
            process.terminate()
            process.wait()


def missing_content(report):
    """Whether an answer with content was never seen; prints how often each was."""
    seen = collections.Counter()
    for entry in json.loads(report.read_text())["log"]["entries"]:
        path = urllib.parse.urlsplit(entry["request"]["url"]).path
        method, status, text = entry["request"]["method"], entry["response"]["status"], entry["response"]["content"].get("text", "")
        for wanted in CONTENT:
            of, begin, end, code, part = wanted
            if (method, status) == (of, code) and path.startswith(begin) and path.endswith(end) and part in text:
                seen[wanted] += 1
    for wanted in CONTENT:
        print(f"api: {seen[wanted]:6} times {' '.join(map(str, wanted))}")
    missing = [wanted for wanted in CONTENT if not seen[wanted]]
    if missing:
        print(f"api: FAILED: never seen: {missing}")
    return bool(missing)


def main():
    if not (LIB / "schemathesis").is_dir():
        skip("schemathesis is not installed; scripts/setup says why")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(test(binary(), pathlib.Path(folder)))


if __name__ == "__main__":
    main()
