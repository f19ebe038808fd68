#!/usr/bin/env python3
"""Everything about operations that can be tested: rules with their cases, runbooks, dashboards, configurations,
image; then the live test. Stops at the first that fails and says what it was. Needs a built node.
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
import live
import papers
from parts import tool

# Each with the programs it needs.
CHECKS = [
    (papers.every_alert_has_a_runbook_and_every_runbook_an_alert, []),
    (papers.alerts_are_complete, []),
    (papers.every_alert_has_a_firing_and_a_silent_case, []),
    (papers.rules_are_valid, ["promtool"]),
    (papers.rules_pass_their_cases, ["promtool"]),
    (papers.dashboards_are_built_and_complete, []),
    (papers.node_configurations_are_valid, []),
    (papers.every_yaml_is_yaml, []),
    (compose_check.the_compose_file_is_pinned_locked_down_and_complete, []),
    (compose_check.nodes_stop_after_their_drain, []),
    (balancers.the_trial_configuration_is_valid, ["nginx"]),
    (image_check.the_image_is_whole_and_what_the_dockerfile_says, []),
]

# Judgements of programs that scripts/setup cannot bring: extra to the checks above, and not missed in a gate.
EXTRA = [
    (papers.the_unit_is_valid_and_tight, "systemd-analyze", bool(shutil.which("systemd-analyze"))),
    (compose_check.compose_itself_takes_it, "Docker Compose", compose_check.compose() is not None),
]


def check(function):
    name = function.__name__.replace("_", " ")
    try:
        function()
    except subprocess.CalledProcessError as error:
        said = (error.stdout or "") + (error.stderr or "")
        sys.exit(f"operations: FAILED: {name}: {error}\n{said[-4000:]}")
    except Exception:
        sys.exit(f"operations: FAILED: {name}\n{traceback.format_exc()}")
    print(f"  ok: {name}", flush=True)


def main():
    for function, programs in CHECKS:
        if all(tool(program) for program in programs):
            check(function)
    for function, program, is_there in EXTRA:
        if is_there:
            check(function)
        else:
            print(f"  not asked: {function.__name__.replace('_', ' ')}: there is no {program} here")
    live.main(papers.ask_all_queries)


if __name__ == "__main__":
    main()
