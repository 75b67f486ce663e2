"""Faults around forked jobs: everything ends, or goes on, as it does with processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from conftest import HELD, Forks, gone, held, stat, wait_for

from assay.forks import identity

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells a client how a child ends")


@contextlib.contextmanager
def full_disk(folder):
    """A real disk without room for a file, where one may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "assay", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_to_the_client_ends_both_as_it_ends_a_process_of_its_own(forks, tmp_path, number):
    def ended(how):
        folder = tmp_path / how
        folder.mkdir()
        command = [sys.executable, "-c", HELD] if how == "plain" else None
        started, child = held(forks, folder, command=command)
        started.send_signal(number)
        _, err = started.communicate(timeout=60)
        assert gone(child)
        return started.returncode, err

    assert ended("forked") == ended("plain")


def test_ctrl_z_stops_the_child_and_fg_goes_on(forks, tmp_path):
    started, child = held(forks, tmp_path)
    started.send_signal(signal.SIGTSTP)
    wait_for(lambda: stat(started.pid, "State").startswith("T"))
    assert stat(child, "State").startswith("T")
    started.send_signal(signal.SIGCONT)
    wait_for(lambda: not stat(child, "State").startswith("T"))
    started.kill()
    started.communicate()


def test_kill_9_of_the_client_ends_the_child_and_all_it_started(forks, tmp_path):
    code = "import subprocess; p = subprocess.Popen(['sleep', '60']); open('sleeper', 'w').write(str(p.pid))\n" + HELD
    started, child = held(forks, tmp_path, code)
    started.kill()
    wait_for(lambda: gone(child) and gone(int((tmp_path / "sleeper").read_text())))


def test_kill_9_of_the_child_is_told_as_such(forks, tmp_path):
    started, child = held(forks, tmp_path)
    os.kill(child, signal.SIGKILL)
    started.communicate(timeout=60)
    assert started.returncode == -signal.SIGKILL


def test_a_child_outlives_its_parent_and_the_next_client_starts_another(own_forks, tmp_path):
    started, _ = held(own_forks, tmp_path, HELD.replace("60", "1") + "; exit(5)")
    own_forks.end()
    assert started.communicate(timeout=60) == ("slept\n", "")
    assert started.returncode == 5
    assert own_forks.run("print('again')") == (0, "again\n", "")


def test_without_a_parent_a_killed_child_and_a_killed_client_are_noticed_too(own_forks, tmp_path):
    started, child = held(own_forks, tmp_path)
    own_forks.end()
    os.kill(child, signal.SIGKILL)
    started.communicate(timeout=60)
    assert started.returncode == -signal.SIGKILL
    (tmp_path / "here").unlink()
    started, child = held(own_forks, tmp_path)
    own_forks.end()
    started.kill()
    wait_for(lambda: gone(child))


def test_of_several_clients_at_once_one_starts_the_parent(own_forks):
    clients = [own_forks.start("import os; print(os.getppid())") for _ in range(6)]
    said = {client.communicate(timeout=120) for client in clients}
    assert len(said) == 1, said
    assert own_forks.parents == [int(said.pop()[0])]


def test_a_socket_that_a_killed_parent_left_is_replaced(own_forks):
    own_forks.run("pass")
    own_forks.end()
    assert own_forks.socket
    assert own_forks.run("print(1)") == (0, "1\n", "")


def test_where_no_parent_can_be_had_the_client_learns_it_at_once(own_forks, tmp_path):
    def said(name, parent=identity.PARENT):
        (tmp_path / name).mkdir(exist_ok=True)
        return Forks(tmp_path / name, parent=parent).run("print(1)")

    none, folder = (1, "", "no child\n"), f"assay-{os.geteuid()}"
    assert said("d" * 100) == none  # longer than a socket's path may be
    (tmp_path / "open" / folder).mkdir(parents=True)
    (tmp_path / "open" / folder).chmod(0o770)
    assert said("open") == none
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / folder).symlink_to(own_forks.folder)
    assert said("linked") == none
    (tmp_path / "a file").mkdir()
    (tmp_path / "a file" / folder).touch()
    assert said("a file") == none
    with full_disk(tmp_path / "full"):
        assert said("full") == none
    for text in ("import sys; sys.exit(1)", "import os; os.fork() or os.abort(); os._exit(0)"):
        (tmp_path / "parent.py").write_text(text)
        assert said("crashes", tmp_path / "parent.py") == none
