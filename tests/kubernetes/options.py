"""The options of a run. Not here: what they choose (run.py)."""

import argparse

# Messages a second that a debug build on two shared cores passes on while its pods are replaced.
RATE = 400


def parsed(arguments, about):
    """The options: `words` and `rate`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="word", help="only the checks whose names contain one of them")
    parser.add_argument("--rate", type=int, default=RATE, help="messages a second of the rolling update (%(default)s)")
    return parser.parse_intermixed_args(arguments)
