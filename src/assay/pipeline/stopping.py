"""Whether a run was asked to stop: then its jobs were ended and did not fail, and nothing is shown as if they had."""

import logging
import signal
import sys
from types import FrameType, TracebackType

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = "what was finished stays, and the same command goes on from there"


class Stop:
    """Notes the first signal that asks this process to stop; whoever handled it before still does."""

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self.earlier: dict[int, signal.Handlers | None] = {}

    def watch(self) -> None:
        """Begin to listen; a signal that is ignored stays so."""
        for number in ASKING:
            self.earlier[number] = signal.getsignal(number)
            if self.earlier[number] != signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = self.asked or signal.Signals(number)
        earlier = self.earlier[number]
        if callable(earlier):
            earlier(number, frame)
        else:  # as the kernel would have it
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def lets_through(self, record: logging.LogRecord) -> bool:
        """Whether a line of a log is shown: not what ended jobs are said to have failed of."""
        return self.asked is None or record.levelno < logging.ERROR

    @property
    def line(self) -> str:
        """What a person is told, empty if nobody asked."""
        return f"stopped by {self.asked.name}: {AGAIN}" if self.asked else ""


def end_without_traceback() -> None:
    """Have this process, a job, end by Ctrl-C as other programs do: where it was then is of no use to anybody."""
    sys.excepthook = _say_unless_interrupted


def _say_unless_interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
