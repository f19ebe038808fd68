#!/usr/bin/env python3
"""schemathesis against the backend API of a real node.

Generates calls from the node's own OpenAPI document, valid ones and wrong ones. Fails on a 5xx, on an answer that the
document does not describe, on a wrong call that is accepted, and on a call that a token does not guard. Needs a built node,
and schemathesis, which scripts/setup installs. Not here: what the calls do (services/testkit/tests/backend_api).
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/operations"))

from support import binary, free_port, get, wait_until  # noqa: E402

LIB = ROOT / ".tools/api/lib"
RULES = pathlib.Path(__file__).with_name("schemathesis.toml")
SECRET = "schemathesis-signs-with-this-secret-1"
# The whole run, and each answer; a send waits 5 s for its outcome at most.
RUN_S, ANSWER_S = 50, 10
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
[limits]
messages_per_second = 1000000
message_burst = 1000000
"""


def skip(reason):
    if os.environ.get("CI") == "true":
        sys.exit(f"api: FAILED: {reason}")
    print(f"api: SKIPPED: {reason}")
    sys.exit(0)


def token(node, folder):
    """A token of a backend that ends after the run."""
    mint = [node, "token", "mint", "--config", folder / "node.toml", "--peer", "app", "--backend", "--ttl-s", "600"]
    return subprocess.run(mint, check=True, capture_output=True, text=True).stdout.strip()


def test(node, folder):
    public, ops = free_port(), free_port()
    (folder / "node.toml").write_text(CONFIG.format(secret=SECRET, public=public, ops=ops))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([node, "serve", "--config", folder / "node.toml"], stdout=log, stderr=log)
    try:
        wait_until("the node is ready", lambda: get(f"http://127.0.0.1:{ops}/readyz")[0] == 200)
        base = f"http://127.0.0.1:{public}"
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(RULES), "run", f"{base}/v1/openapi.json", "--url", base]
        command += ["--header", f"Authorization: Bearer {token(node, folder)}", "--seed", SEED]
        command += ["--checks", "all", "--max-time", str(RUN_S), "--request-timeout", str(ANSWER_S)]
        environment = {**os.environ, "PYTHONPATH": str(LIB)}
        return subprocess.run(command, cwd=folder, env=environment, timeout=3 * RUN_S, check=False).returncode
    finally:
        process.terminate()
        process.wait()


def main():
    if not (LIB / "schemathesis").is_dir():
        skip("schemathesis is not installed; scripts/setup says why")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(test(binary(), pathlib.Path(folder)))


if __name__ == "__main__":
    main()
