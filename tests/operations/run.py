#!/usr/bin/env python3
"""All tests of operations: rules with their cases, runbooks, dashboards, configurations, image, and the live test.

Stops at the first failure and names it. Needs a built node.
"""

import pathlib
import shutil
import subprocess
import sys
import traceback

# PyYAML for Pythons that are not the system's; scripts/setup puts it there.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / ".tools/chart/lib"))

import balancers
import compose_check
import image_check
import live_alerts
import static_checks
from support import tool

# Each check with the programs that it needs.
CHECKS = [
    (static_checks.every_alert_has_a_runbook_and_every_runbook_an_alert, []),
    (static_checks.alerts_are_complete, []),
    (static_checks.every_alert_has_a_firing_and_a_silent_case, []),
    (static_checks.rules_are_valid, ["promtool"]),
    (static_checks.rules_pass_their_cases, ["promtool"]),
    (static_checks.dashboards_are_built_and_complete, []),
    (static_checks.node_configurations_are_valid, []),
    (static_checks.every_yaml_file_is_valid, []),
    (compose_check.the_compose_file_is_pinned_restricted_and_complete, []),
    (compose_check.nodes_stop_after_their_drain, []),
    (balancers.the_trial_configuration_is_valid, ["nginx"]),
    (image_check.the_image_is_complete_and_matches_the_dockerfile, []),
]

# Checks by programs that scripts/setup cannot install. CI does not require them.
OPTIONAL = [
    (static_checks.the_systemd_unit_is_valid_and_restricted, "systemd-analyze", bool(shutil.which("systemd-analyze"))),
    (compose_check.docker_compose_accepts_the_file, "Docker Compose", compose_check.compose() is not None),
]


def check(function):
    name = function.__name__.replace("_", " ")
    try:
        function()
    except subprocess.CalledProcessError as error:
        output = (error.stdout or "") + (error.stderr or "")
        sys.exit(f"operations: FAILED: {name}: {error}\n{output[-4000:]}")
    except Exception:
        sys.exit(f"operations: FAILED: {name}\n{traceback.format_exc()}")
    print(f"  ok: {name}", flush=True)


def main():
    for function, programs in CHECKS:
        if all(tool(program) for program in programs):
            check(function)
    for function, program, is_there in OPTIONAL:
        if is_there:
            check(function)
        else:
            print(f"  skipped: {function.__name__.replace('_', ' ')}: {program} is not installed")
    live_alerts.main(static_checks.ask_all_queries)


if __name__ == "__main__":
    main()
