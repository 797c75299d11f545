"""What every test run says of itself, and what its processes begin with."""

import signal

import pytest

from tests.flights_at_hand import scl_file

# A shell lets what it runs in the background ignore Ctrl-C, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which flights stood for those of Santiago, where a test read any: real or generated ones."""
    if scl_file.cache_info().currsize:
        path, real = scl_file()
        kind = f"the real file {path.name}" if real else "generated; the real file is not at hand (ATRASO_SCL_DATA)"
        terminalreporter.write_line(f"SCL flights of this run: {kind}")
