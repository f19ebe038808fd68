"""The values of docs/kubernetes.md are accepted, and every runbook has a drill or a reason. Not here: commands (commands.py, drills.py)."""

import re

import support
import yaml

from checks.installs import secrets, until_admitted
from documented import DRILLS, Values, drills, files, plan


def the_values_of_the_documentation_are_accepted(cluster):
    production = yaml.safe_load(files(plan())["signaling.yaml"])
    tried = [(block, yaml.safe_load(block.text)) for block, way in plan() if isinstance(way, Values)]
    with cluster.namespace() as namespace:
        secrets(cluster, namespace, "jwt", "ops", "redis-url")
        with cluster.release(namespace, [production], name="signaling") as release:
            until_admitted(release)
            before = release.contents()
            for block, values in tried:
                try:
                    release.upgrade(production, values)
                except Exception as why:
                    raise AssertionError(f"{block}: {why}") from None
                assert release.contents() != before, f"{block} changes nothing"
    return f"{1 + len(tried)} blocks"


def every_runbook_has_a_drill_or_a_reason(_):
    tried = {name for heading in drills() for name in heading.split(", ") if name.startswith("Switchboard")}
    excused = re.findall(r"Switchboard\w+", DRILLS.read_text().partition("## Without a drill here")[2])
    runbooks = {page.stem for page in (support.ROOT / "docs/runbooks").glob("Switchboard*.md")}
    assert tried | set(excused) == runbooks, f"without either: {runbooks - tried - set(excused)}; unknown: {(tried | set(excused)) - runbooks}"
    assert not tried & set(excused) and len(excused) == len(set(excused)), "an alert stands twice"
    return f"{len(tried)} of {len(runbooks)} have a drill"


CHECKS = [the_values_of_the_documentation_are_accepted, every_runbook_has_a_drill_or_a_reason]
