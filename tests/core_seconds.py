"""What tests cost: processor time of pytest's processes and of all that they waited for, by file and for the dearest tests.

    pytest --core-seconds 20

Processor time, not elapsed time, as that is what two workers share and what another load on the machine does not change. What a
fixture costs that several tests share falls on the first of them.
"""

import json
import resource
from collections import Counter

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--core-seconds", type=int, default=0, metavar="N", help="show the N dearest tests and files")
    parser.addoption("--core-seconds-to", default=None, metavar="FILE", help="write core seconds by test to this file")


def spent() -> float:
    """Processor time of this process and of the children it waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class CoreSeconds:
    """Counts in every process that runs tests; the first one adds up."""

    def __init__(self):
        self.by_test: Counter[str] = Counter()
        self.last = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self):
        found = yield
        self._note("collecting")
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self._note("between tests")
        done = yield
        self._note(item.nodeid)
        return done

    def _note(self, what: str) -> None:
        now = spent()
        self.by_test[what] += now - self.last
        self.last = now

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._note("between tests")
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["core_seconds"] = dict(self.by_test)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error) -> None:
        self.by_test.update(getattr(node, "workeroutput", {}).get("core_seconds", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if path := config.getoption("--core-seconds-to"):
            with open(path, "w") as file:
                json.dump(self.by_test, file, indent=0)
        if not (count := config.getoption("--core-seconds")):
            return
        by_file: Counter[str] = Counter()
        for name, seconds in self.by_test.items():
            by_file[name.partition("::")[0]] += seconds
        terminalreporter.section(f"{self.by_test.total():.0f} core seconds")
        for name, seconds in [*by_file.most_common(count), *self.by_test.most_common(count)]:
            terminalreporter.line(f"{seconds:8.1f} {name}")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--core-seconds") or config.getoption("--core-seconds-to") or hasattr(config, "workerinput"):
        config.pluginmanager.register(CoreSeconds())
