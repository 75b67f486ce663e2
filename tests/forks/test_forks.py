"""A forked child is, to everybody else, the process it stands for; a parent comes, serves and goes without anybody's help."""

import os
import resource
import signal
import socket
import stat as modes
import sys
import time
from pathlib import Path

import pytest
from conftest import HELD, SOURCE, Forks, gone, held, stat, wait_for

from assay.forks import aside, client, identity

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells a client how a child ends")

SAME = {
    "a value": "print(6 * 7)",
    "arguments": "import sys; print(sys.argv)",
    "an exit code": "import sys; sys.exit(7)",
    "a large exit code": "import sys; sys.exit(300)",
    "a last word": "import sys; sys.exit('no such study')",
    "an exit without a code": "import sys; sys.exit()",
    "an error": "def f():\n    return 1 / 0\nf()",
    "an error in its text": "def f(:",
    "Ctrl-C from inside": "raise KeyboardInterrupt",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "a crash": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "out of the back door": "import os; print('lost'); os._exit(3)",
    "output that is not flushed": "import sys; sys.stdout.write('x' * 100000); sys.stderr.write('y')",
    "functions called at the end": "import atexit; atexit.register(print, 'bye'); print('hello')",
    "a thread that takes longer": "import threading, time; threading.Timer(0.2, print, ['late']).start(); print('main')",
    "its name": "print(__name__, __import__('__main__').__dict__['__name__'])",
    "the folder": "import os; print(os.getcwd(), os.listdir('.'))",
    "variables": "import os, subprocess; print(ascii(sorted(os.environ.items())), ascii(subprocess.check_output(['env'])))",
    "what is inherited": "import os, resource, signal\n"
    "print(os.umask(0), os.nice(0), sorted(os.sched_getaffinity(0)), resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    "print([signal.getsignal(n) for n in (1, 2, 3, 10, 13, 15)])",
    "where it reads from": "print(input())",
    "open files": "import os; print([n for n in range(3) if os.fstat(n)], os.isatty(1))",
    "standard error is one": "import os, sys; print(os.fstat(1).st_ino == os.fstat(2).st_ino)",
    "a folder of its own": "import tempfile; print(len(tempfile.mkdtemp()) > 5, tempfile.gettempdir())",
    "a process of its own": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'exit(3)']).returncode)",
    "workers": "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: print(p.map(abs, [-1, -2]))",
    "limits on memory": "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28)); bytearray(2**29)",
    "one thread": "import os; print(len(os.listdir('/proc/self/task')))",
    "no time spent before": "import time; print(time.process_time() < 0.5)",
    "the search path": "import sys; print(sys.path, sys.executable, sys.prefix, sys.flags)",
    "where it looks for modules": "import local; print(local.__file__)",
}


@pytest.mark.parametrize("what", SAME)
def test_a_child_does_what_a_process_of_its_own_does(forks, tmp_path, what):
    (tmp_path / "local.py").touch()
    (tmp_path / "text").write_text("a line\n")
    how = {"cwd": tmp_path, "variables": {"SOME": "thing", "ODD": "\udcff"}}

    def told(run):
        with open(tmp_path / "text") as stdin:
            return run(SAME[what], "one", "", "--three", stdin=stdin, **how)

    expected = told(forks.plainly)
    assert told(forks.run) == expected


def test_a_signal_that_the_child_handles_is_handled(forks, tmp_path):
    code = f"import signal; signal.signal(15, lambda *_: exit('checkpoint written'))\n{HELD}"
    started, _ = held(forks, tmp_path, code)
    started.terminate()
    assert started.communicate(timeout=60) == ("", "checkpoint written\n")
    assert started.returncode == 1


def test_a_terminal_s_signal_reaches_what_the_child_started(forks, tmp_path):
    code = "import subprocess; p = subprocess.Popen(['sleep', '60']); open('sleeper', 'w').write(str(p.pid))\n" + HELD
    started, _ = held(forks, tmp_path, code)
    sleeper = int((tmp_path / "sleeper").read_text())
    started.send_signal(signal.SIGINT)
    started.communicate(timeout=60)
    wait_for(lambda: gone(sleeper))


def test_an_ignored_signal_stays_ignored(forks, tmp_path):
    code = f"print('still here')\n{HELD}".replace("60", "0.5")

    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    started, _ = held(forks, tmp_path, code, preexec_fn=ignore)
    started.send_signal(signal.SIGINT)
    assert started.communicate(timeout=60)[0] == "still here\nslept\n"


def test_children_are_in_groups_of_their_own_and_the_parent_is_in_nobody_s_way(own_forks, tmp_path):
    with open(tmp_path / "locked", "w") as lock:
        started, child = held(own_forks, tmp_path, pass_fds=[lock.fileno()])
        (parent,) = own_forks.parents
        assert os.getpgid(child) == child
        assert os.getsid(parent) not in (os.getsid(started.pid), os.getsid(0))
        assert int(stat(parent, "PPid")) not in (started.pid, os.getpid())
        files = {os.readlink(path) for path in Path(f"/proc/{parent}/fd").iterdir()}
        assert not [name for name in files if str(tmp_path / "locked") in name or name.startswith("pipe:")]
        assert os.readlink(f"/proc/{parent}/cwd") == "/"
        started.kill()
        started.communicate()


def test_the_parent_keeps_no_variable_that_is_a_job_s_own(own_forks):
    own_forks.run("pass", variables={"AWS_SECRET_ACCESS_KEY": "hush", "ASSAY_DRAWS": "trial"})
    (parent,) = own_forks.parents
    text = Path(f"/proc/{parent}/environ").read_text()
    assert "hush" not in text
    assert "ASSAY" not in text


def parent_of(forks, **kwargs):
    """The process id of the parent, as a child says it."""
    return forks.run("import os; print(os.getppid())", **kwargs)[1]


def test_what_a_process_inherits_or_imports_by_makes_another_parent(own_forks, tmp_path):
    ours = parent_of(own_forks)
    assert parent_of(own_forks, cwd=tmp_path, variables={"ANY": "thing"}) == ours
    others = [
        parent_of(own_forks, variables={"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}),
        parent_of(own_forks, preexec_fn=lambda: os.nice(3)),
        parent_of(own_forks, preexec_fn=lambda: os.umask(0o077)),
        parent_of(own_forks, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))),
        parent_of(Forks(own_forks.folder, ("json", "csv"))),
    ]
    assert len({ours, *others}) == 6


def test_an_installed_package_makes_another_parent(monkeypatch, tmp_path):
    packages = tmp_path / "site-packages"
    (packages / "torch-2.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(packages))
    first = identity.name_of_parent()
    assert identity.name_of_parent() == first
    (packages / "torch-2.0.dist-info").rename(packages / "torch-2.1.dist-info")
    second = identity.name_of_parent()
    os.utime(packages / "torch-2.1.dist-info", (1, 1))
    assert len({first, second, identity.name_of_parent()}) == 3


@pytest.mark.parametrize("module", ["PARENT", "SHIM"])
def test_the_code_that_a_parent_runs_makes_another_parent(monkeypatch, tmp_path, module):
    first = identity.name_of_parent()
    copy = tmp_path / "copy.py"
    copy.write_bytes(getattr(identity, module).read_bytes() + b"# changed\n")
    monkeypatch.setattr(identity, module, copy)
    assert identity.name_of_parent() != first


@pytest.fixture
def hasty(own_forks, tmp_path):
    """Children of a parent that soon has waited long enough."""
    text = identity.PARENT.read_text()
    for old, new in (("IDLE_SECONDS = 300", "IDLE_SECONDS = 0.5"), ("LOOK_EVERY_SECONDS = 5", "LOOK_EVERY_SECONDS = 0.1")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "parent.py").write_text(text)
    yield (found := Forks(own_forks.folder, parent=tmp_path / "parent.py"))
    found.end()


def test_a_parent_ends_when_nobody_comes_but_not_while_a_child_is_at_work(hasty):
    (parent,) = map(int, [parent_of(hasty)])
    wait_for(lambda: gone(parent))
    assert not [path for path in (hasty.folder / f"assay-{os.geteuid()}").iterdir() if path.is_socket()]
    code = "import os, time; before = os.getppid(); time.sleep(1.5); print(before == os.getppid())"
    assert hasty.run(code) == (0, "True\n", "")


def test_a_parent_ends_when_its_socket_is_gone_or_another_s(own_forks):
    parent = int(parent_of(own_forks))
    own_forks.socket.unlink()
    wait_for(lambda: gone(parent), seconds=30)


def test_a_parent_with_a_second_thread_serves_nobody(own_forks, tmp_path):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    forks = Forks(own_forks.folder, ("threaded",))
    variables = {"PYTHONPATH": f"{SOURCE}{os.pathsep}{packages}"}
    assert forks.run("pass", variables=variables) == (1, "", "no child\n")
    before = time.monotonic()
    assert forks.run("pass", variables=variables) == (1, "", "no child\n")
    assert time.monotonic() - before < 10
    assert forks.parents == []


def test_the_folder_is_the_user_s_alone(own_forks):
    own_forks.run("pass")
    status = (own_forks.folder / f"assay-{os.geteuid()}").stat()
    assert modes.S_IMODE(status.st_mode) == 0o700
    assert status.st_uid == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_somebody_else_is_turned_away(own_forks, monkeypatch):
    own_forks.run("pass")
    (parent,) = own_forks.parents
    monkeypatch.chdir(own_forks.socket.parent)
    for path in (own_forks.socket.parent, own_forks.socket):
        path.chmod(0o777)
    name = own_forks.socket.name
    with socket.socket(socket.AF_UNIX) as connection:
        os.seteuid(65534)
        try:
            connection.connect(name)
        finally:
            os.seteuid(0)
        assert connection.recv(4) == b""
    assert not Path(f"/proc/{parent}/task/{parent}/children").read_text()


def test_a_client_does_not_talk_to_somebody_else_s_parent(monkeypatch, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        client._connected(path).close()
        monkeypatch.setattr(client, "same_user", lambda connection: False)
        with pytest.raises(PermissionError):
            client._connected(path)


def test_jobs_step_aside_by_rule(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    for name in identity.THREADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(aside, "GRAPHICS", (str(tmp_path / "nvidia0"),))
    monkeypatch.setattr(aside, "available_megabytes", lambda: 1e6)
    assert aside.own_process() == aside.own_process("auto") == ""
    assert "fork" in aside.own_process(processes=2)
    (tmp_path / "nvidia0").touch()
    assert aside.own_process("cpu") == ""
    assert "CUDA" in aside.own_process("auto")
    assert "CUDA" in aside.own_process("cuda")
    (tmp_path / "torch").mkdir()
    assert aside.own_process() == ""
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "other libraries" in aside.own_process()
    (tmp_path / "torch").rmdir()
    (tmp_path / "matplotlibrc").touch()
    assert "other libraries" in aside.own_process()
    (tmp_path / "matplotlibrc").unlink()
    monkeypatch.setattr(aside, "available_megabytes", lambda: 100.0)
    assert "memory" in aside.own_process()
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    assert "threads" in aside.own_process()
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert "Slurm" in aside.own_process()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux" in aside.own_process()


def test_memory_is_what_the_machine_or_the_control_group_has_left():
    assert 0 < aside.available_megabytes() < 2**24
