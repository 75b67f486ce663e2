"""An arm as protocols see it, put together from what a test gives it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class FakeArm(SimpleNamespace):
    def once(self, function: Callable, *arguments: Any) -> Any:
        """As if no other arm had asked before."""
        return function(self, *arguments)
