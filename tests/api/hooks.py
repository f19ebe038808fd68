"""Before each call of schemathesis: all peers are there again, so the same calls see the same peers on a slow machine."""

import os

import schemathesis
from residents import View
from support import wait_until

VIEW = View(os.environ["RESIDENTS_PORT"], os.environ["RESIDENTS_TOKEN"])


@schemathesis.hook
def before_call(context, case, kwargs):
    wait_until("the peers are there", VIEW.is_complete)
