"""Whether a run was asked to stop: then its jobs were ended and did not fail, and nothing is shown as if they had."""

import signal
from types import FrameType

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

    @property
    def line(self) -> str:
        """What a person is told, empty if nobody asked."""
        return f"stopped by {self.asked.name}: {AGAIN}" if self.asked else ""
