//! A load while it runs: a terminal view, or plain lines where there is no terminal.
