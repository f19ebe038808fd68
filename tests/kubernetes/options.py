"""The options of a run. Not here: what they choose (run.py)."""

import argparse
import pathlib

# Messages a second that a debug build on two shared cores passes on while its pods are replaced.
RATE = 400


def previous(text):
    """CHART,NODE: the folder of a chart, and the program of its nodes."""
    chart, _, node = text.partition(",")
    found = pathlib.Path(chart).resolve(), pathlib.Path(node).resolve()
    if not (found[0] / "Chart.yaml").exists() or not found[1].is_file():
        raise argparse.ArgumentTypeError("needs the folder of a chart and the program of its nodes: CHART,NODE")
    return found


def parsed(arguments, about):
    """The options: `words`, `rate` and `previous`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="word", help="only the checks whose names contain one of them")
    parser.add_argument("--rate", type=int, default=RATE, help="messages a second of the rolling update (%(default)s)")
    parser.add_argument("--from", dest="previous", type=previous, metavar="CHART,NODE", help="upgrade from this version and back, and nothing else")
    found = parser.parse_intermixed_args(arguments)
    if found.previous:
        found.words = found.words or ["the_previous_version"]
    return found
