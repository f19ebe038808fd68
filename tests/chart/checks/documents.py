"""README and documentation match the chart."""

import re

import readme
from support import CHART, ROOT, check, value_sets

PAGE = ROOT / "docs/kubernetes.md"


@check
def the_readme_is_generated_from_the_current_values():
    assert (CHART / "README.md").read_text() == readme.text(), "tests/chart/readme.py --write"


@check
def every_value_has_its_line_in_the_readme():
    assert not readme.undocumented(), readme.undocumented()


@check
def every_value_that_the_page_names_exists():
    known = {key for key, _, _ in readme.rows()}
    named = re.findall(r"--set(?:-string|-file)? ([\w.]+)=", PAGE.read_text())
    assert named
    for key in named:
        assert any(key == one or key.startswith(f"{one}.") for one in known), key


@check
def no_value_set_is_left_out_of_the_checks():
    """Each set beyond the common checks proves something of its own, so its name stands in a check."""
    texts = "".join(path.read_text() for path in (ROOT / "tests/chart/checks").glob("*.py"))
    for name in value_sets():
        assert f'"{name}"' in texts, name
