"""What tests of real servers share: free ports and waiting."""

import random
import socket
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"timed out: {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A port nobody listens on, below those that the kernel gives to outgoing connections, so that it is still free later."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
