"""The process that jobs are forked from. It holds libraries alone: no line of the project but this file and the shim, by path.

    python parent.py LISTENER LOCK SOCKET SHIM FOLDERS LIBRARIES

LISTENER and LOCK are open file descriptors: the socket SOCKET, which already listens, and a file whose lock says that there is a
parent. FOLDERS and LIBRARIES are JSON lists: where to import from, and what.

It keeps to one thread, since a lock that another thread holds stays locked in a forked child for good. It reads nothing: it
accepts, forks, and tells how the child ended. The child reads what it is to do from the connection, takes on the client's
environment, and runs the client's script in a fresh `__main__`.
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import types
import weakref

IDLE_SECONDS = 300
LOOK_EVERY_SECONDS = 5
PATIENCE_SECONDS = 20  # for a client to say what it wants
FILES = 5  # that a request brings along: stdin, stdout, stderr, the working folder, the client's life line

NEEDS_SHIM = "timm"
MARK = "assay_forked"  # what this module is called in a child, which so knows that it is one


class UnfitError(Exception):
    """This environment cannot be forked from."""


def send(connection: socket.socket, message: dict, files: tuple[int, ...] = ()) -> None:
    """Send a message with open files."""
    text = json.dumps(message).encode()
    socket.send_fds(connection, [struct.pack("!I", len(text))], files)
    connection.sendall(text)


def receive(connection: socket.socket, files: int = 0) -> tuple[dict | None, list[int]]:
    """The next message and its open files; None at the end."""
    head, received, _, _ = socket.recv_fds(connection, 4, files, socket.MSG_CMSG_CLOEXEC)
    if len(head) < 4:
        return None, received
    (left,), parts = struct.unpack("!I", head), []
    while left and (part := connection.recv(left)):
        parts.append(part)
        left -= len(part)
    return (None if left else json.loads(b"".join(parts))), received


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to this one's user."""
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user == os.geteuid()


def import_libraries(libraries: list[str], shim: str) -> None:
    """Import what there is of them; UnfitError if that starts a thread."""
    for name in libraries:
        if name == NEEDS_SHIM:
            runpy.run_path(shim)
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) != 1:
        raise UnfitError
    leave_libraries_alone_at_exit()
    # What is here stays; a collection in a child need not look at it, and so does not copy its pages.
    gc.collect()
    gc.freeze()


def leave_libraries_alone_at_exit() -> None:
    """Have children skip what libraries would tear down or report for themselves: a fifth of a second of copied pages."""
    for each in list(weakref.finalize._registry):
        each.atexit = False
    if dynamo := sys.modules.get("torch._dynamo.utils"):
        atexit.unregister(dynamo.dump_compile_times)


class Parent:
    """Forks a child for every connection, tells how each ended, and ends itself when nobody has come for a while."""

    def __init__(self, listener: socket.socket, path: str, inode: int):
        self.listener, self.path, self.inode = listener, path, inode
        self.children: dict[int, tuple[int, socket.socket]] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> socket.socket | None:
        """In a child its connection; None in the parent when it is to end."""
        idle = 0
        while self.children or (idle < IDLE_SECONDS and self.is_wanted()):
            ready = self.selector.select(LOOK_EVERY_SECONDS)
            idle = 0 if ready or self.children else idle + LOOK_EVERY_SECONDS
            for key, _ in ready:
                if key.fileobj is not self.listener:
                    self.tell(key.fd)
                elif connection := self.fork():
                    return connection
        return None

    def is_wanted(self) -> bool:
        """Whether clients still find this socket and this environment."""
        with contextlib.suppress(OSError):
            return os.stat(self.path).st_ino == self.inode and os.path.exists(sys.executable)
        return False

    def fork(self) -> socket.socket | None:
        """In a child its connection; a client that no child can be made for does without."""
        connection, _ = self.listener.accept()
        if not same_user(connection):
            connection.close()
            return None
        try:
            child = os.fork()
        except OSError:
            connection.close()
            return None
        if child == 0:
            self.leave()
            return connection
        handle = os.pidfd_open(child)
        self.children[handle] = child, connection
        self.selector.register(handle, selectors.EVENT_READ)
        return None

    def leave(self) -> None:
        """Close in a child what is the parent's."""
        os.setpgid(0, 0)
        self.selector.close()
        self.listener.close()
        for handle, (_, connection) in self.children.items():
            os.close(handle)
            connection.close()

    def tell(self, handle: int) -> None:
        """Tell the client of a child that has ended how it did."""
        child, connection = self.children.pop(handle)
        _, status, used = os.wait4(child, 0)
        self.selector.unregister(handle)
        os.close(handle)
        with contextlib.suppress(OSError), connection:
            connection.settimeout(PATIENCE_SECONDS)
            send(connection, {"status": status, "seconds": used.ru_utime + used.ru_stime})


def take_on(connection: socket.socket) -> dict:
    """Become what the client asks for; what it is to run."""
    connection.settimeout(PATIENCE_SECONDS)
    asked, files = receive(connection, FILES)
    if asked is None or len(files) != FILES:
        os._exit(1)
    *standard, folder, life = files
    end_with(life)
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    os.fchdir(folder)
    os.close(folder)
    connection.settimeout(None)
    handle = os.pidfd_open(os.getpid())
    send(connection, {"pid": os.getpid()}, (handle,))
    os.close(handle)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv, sys.path[:] = asked["argv"], asked["path"]
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as name:  # what `top` shows
        name.write(os.path.basename(sys.argv[0])[-15:])
    renew_state()
    return asked["run"]


def end_with(life: int) -> None:
    """Have the kernel kill this process group when the client is gone, which alone holds the other end of this pipe."""
    fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        if not os.read(life, 1):  # gone before the kernel was asked
            os._exit(1)


def renew_state() -> None:
    """What libraries drew or looked up when they were imported, and a process of its own would have drawn or found itself."""
    importlib.invalidate_caches()
    for stream, number in ((sys.stdin, 0), (sys.stdout, 1)):
        stream.reconfigure(line_buffering=stream.line_buffering or os.isatty(number))
    if tempfile := sys.modules.get("tempfile"):
        tempfile.tempdir = None
    if process := sys.modules.get("multiprocessing.process"):
        process.ORIGINAL_DIR = os.getcwd()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def run(asked: dict) -> int:
    """Run the client's script in a fresh `__main__` as Python itself would; its exit code."""
    sys.modules[MARK] = sys.modules["__main__"]
    sys.modules[MARK].spent = asked.get("spent", 0.0)
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    try:
        text, name = asked.get("code"), asked.get("path", "<string>")
        if text is None:
            main.__file__ = name
            with open(name, "rb") as file:
                text = file.read()
        exec(compile(text, name, "exec"), main.__dict__)
    except SystemExit as error:
        return exit_code(error.code)
    except BaseException as error:
        trace = error.__traceback__.tb_next  # without this file's own line
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        if isinstance(error, KeyboardInterrupt):
            end_process(-signal.SIGINT)
        return 1
    return 0


def exit_code(code: object) -> int:
    """What a process ends with that raises SystemExit with this."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def end_process(code: int, connection: socket.socket | None = None) -> None:
    """End as Python does, but for tearing libraries down; a negative code is a signal. Clients whose parent is gone learn the
    code from here."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    with contextlib.suppress(OSError):
        send(connection, {"status": code << 8})
    os._exit(code)


def main(listener: str, lock: str, path: str, shim: str, folders: str, libraries: str) -> socket.socket:
    """Serve; returns in the children alone, with the connection of each."""
    if os.fork():
        os._exit(0)  # nobody's child, so that no benchmark counts this process as part of the first job
    os.chdir("/")
    standard = os.path.dirname(os.__file__)
    sys.path[:] = [folder for folder in sys.path if folder in (standard, f"{standard}/lib-dynload")] + json.loads(folders)
    inode, connection = os.stat(path).st_ino, None
    try:
        import_libraries(json.loads(libraries), shim)
        connection = Parent(socket.socket(fileno=int(listener)), path, inode).serve()
    except UnfitError:
        os.close(os.open(f"{path}.unfit", os.O_CREAT | os.O_WRONLY, 0o600))
    if connection is not None:
        os.close(int(lock))
        return connection
    with contextlib.suppress(OSError):
        if os.stat(path).st_ino == inode:
            os.unlink(path)
    os._exit(0)


if __name__ == "__main__":
    connection = main(*sys.argv[1:])
    end_process(run(take_on(connection)), connection)
