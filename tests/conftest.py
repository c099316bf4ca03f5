"""The fixtures are in ``harness.py``, so that tests can also import its helpers by a name that is theirs alone."""

from __future__ import annotations

import pytest

pytest_plugins = ["harness"]


_terminal: pytest.TerminalReporter | None = None


@pytest.hookimpl(trylast=True)  # after the reporter itself
def pytest_configure(config: pytest.Config) -> None:
    global _terminal
    _terminal = config.pluginmanager.get_plugin("terminalreporter")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What fails is told at once, in two lines: a run may be cut before its summary."""
    if report.failed and _terminal is not None:
        crash = getattr(report.longrepr, "reprcrash", None)
        told = crash.message.splitlines()[0][:200] if crash is not None else ""
        _terminal.write_line("")
        _terminal.write_line(f"{report.outcome.upper()} {report.nodeid} ({report.when}): {told}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="random SIGKILLs during bookings (a long run: 200)")
    parser.addoption("--every-network", action="store_true", help="all conditions of tests/network, in both browsers")
    parser.addoption("--figures", help="a file that gets the figures of tests/network, one line of JSON a case")
