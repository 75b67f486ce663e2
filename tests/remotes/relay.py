"""A relay between client and server, for things that happen in the middle of a transfer."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Relay:
    """Forwards a port to another; after so many bytes from clients, something happens once."""

    def __init__(self, target: int, after: int, then: Callable[[], None]):
        self.target, self.left, self.then = target, after, then
        self.happened = False
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for each in (self.listener, *self.sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.sockets += [client, server]
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink, counted in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._forward, args=(source, sink, counted), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while piece := source.recv(1 << 14):
                if counted:
                    self._count(len(piece))
                sink.sendall(piece)
        except OSError:
            pass
        # Closing alone would not wake the thread that reads from the other end.
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> None:
        with self.lock:
            self.left -= size
            if self.left < 0 and not self.happened:
                self.happened = True
                self.then()
