"""The commands of docs/kubernetes.md do what the page says, typed as they are. Not here: its values (documentation.py)."""

import pathlib

from documented import Shell, Untried, files, plan
from reader import reader

SURROUNDINGS = pathlib.Path(__file__).resolve().parents[1] / "surroundings.yaml"
# The trial ends before the release for production begins.
TRIAL, LAST = "In five minutes", "Uninstall"


def the_commands_of_the_documentation_do_what_it_says(live):
    steps = plan()
    uninstall = next((block, way) for block, way in steps if block.heading == LAST)
    live.kubectl("apply", "--filename", SURROUNDINGS)
    try:
        with reader(live.cluster) as one:
            for name, text in files(steps).items():
                one.save(name, text)
            heading = None
            for block, way in steps:
                if heading != block.heading:
                    one.end_background()
                    if heading == TRIAL:
                        one.types(*uninstall)
                    heading = block.heading
                if isinstance(way, Shell):
                    one.types(block, way)
    finally:
        for name in ("calls", "turn", "data"):
            live.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    reasons = [f"{block}: {way.reason}" for block, way in steps if isinstance(way, Untried)]
    run = sum(isinstance(way, Shell) for _, way in steps)
    return "; ".join([f"{run} of {len(steps)} code blocks run, {len(reasons)} are not tried", *reasons])


CHECKS = [the_commands_of_the_documentation_do_what_it_says]
