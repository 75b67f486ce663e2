"""A real SSH server and a real S3 server (Ceph), private to one folder, on free local ports, as the calling user."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import uuid
from functools import cached_property
from pathlib import Path

import psutil
from botocore.client import BaseClient
from botocore.session import Session
from daemons import free_port, wait_for

SSH_PROGRAMS = ("sshd", "ssh-keygen")
CEPH_PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "setpriv")
PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))

SSHD_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""

# One monitor, one OSD in memory, one pool member each; no manager. Proposals every 10 ms instead of every second, because
# radosgw makes a dozen pools when it starts.
CEPH_CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
mon initial members = a
ms bind msgr1 = false
public addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
crash dir = {folder}
log file = {folder}/$name.log
admin socket =
pid file =
paxos propose interval = 0.01
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 512Mi
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}
rgw thread pool size = 16
"""

CAPABILITIES = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """Daemons that end with this process however it ends; the last one started is the one that clients talk to."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.daemons: list[subprocess.Popen] = []

    def spawn(self, name: str, *arguments: str) -> None:
        command = ["setpriv", "--pdeathsig", "KILL", shutil.which(name, path=PATH), *arguments]
        with open(self.folder / f"{name}.out", "ab") as output:
            self.daemons.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True))

    def tool(self, name: str, *arguments: str) -> str:
        done = subprocess.run([shutil.which(name, path=PATH), *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def front(self) -> list[psutil.Process]:
        """The process that clients talk to, and those it forked for their sessions."""
        process = psutil.Process(self.daemons[-1].pid)
        return [process, *process.children(recursive=True)]

    def kill(self) -> None:
        """Kill the front with its sessions; what is stored stays."""
        for process in self.front():
            process.kill()
        self.daemons.pop().wait(timeout=60)

    def stall(self) -> None:
        """Go on holding connections, and accepting them as the kernel does, without a word."""
        for process in self.front():
            process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        for process in self.front():
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        while self.daemons:
            self.kill()


class SSHServer(Server):
    """OpenSSH with a host key and a user key of its own; paths of its clients are paths of this machine."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        for key in ("host_key", "user_key", "other_key"):
            self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(folder / key))
        (folder / "sshd_config").write_text(SSHD_CONFIG.format(folder=folder, port=self.port))

    def start(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
        self.spawn("sshd", "-D", "-e", "-f", str(self.folder / "sshd_config"))
        wait_for(lambda: listens(self.port), "sshd listens")

    def known_host(self, key: str = "host_key") -> str:
        """The line of a known_hosts file that vouches for this server."""
        return f"[127.0.0.1]:{self.port} {(self.folder / f'{key}.pub').read_text()}"


class S3Server(Server):
    """Ceph's object gateway with one user."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.access_key, self.secret_key = secrets.token_hex(10).upper(), secrets.token_hex(20)
        self.url = f"http://127.0.0.1:{self.port}"
        self.conf = str(folder / "ceph.conf")
        for name in ("mon", "osd"):
            (folder / name).mkdir()
        fsid, mon_port = str(uuid.uuid4()), free_port()
        Path(self.conf).write_text(CEPH_CONF.format(folder=folder, fsid=fsid, mon_port=mon_port, port=self.port))
        keyring, monmap = str(folder / "keyring"), str(folder / "monmap")
        self.tool("ceph-authtool", "--create-keyring", keyring)
        for name, capabilities in CAPABILITIES.items():
            pairs = [word for kind, cap in capabilities.items() for word in ("--cap", kind, cap)]
            self.tool("ceph-authtool", keyring, "--gen-key", "-n", name, *pairs)
        self.tool("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{mon_port}]", monmap)
        self.tool("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)

    def start(self) -> None:
        """Start monitor, OSD and gateway, and make the user."""
        disk = str(uuid.uuid4())
        self.spawn("ceph-mon", "-c", self.conf, "-f", "-i", "a")
        self.tool("ceph", "-c", self.conf, "--connect-timeout", "60", "osd", "new", disk)
        self.tool("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", disk, "--no-mon-config")
        self.spawn("ceph-osd", "-c", self.conf, "-f", "-i", "0", "--osd-uuid", disk)
        self.start_gateway()
        keys = ("--access-key", self.access_key, "--secret-key", self.secret_key)
        self.tool("radosgw-admin", "-c", self.conf, "user", "create", "--uid", "lab", "--display-name", "lab", *keys)

    def start_gateway(self) -> None:
        self.spawn("radosgw", "-c", self.conf, "-f", "-n", "client.rgw")
        wait_for(lambda: listens(self.port), "radosgw listens")

    @cached_property
    def client(self) -> BaseClient:
        """A botocore client of this server, for what a test does to the bucket behind DVC's back."""
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        return Session().create_client("s3", region_name="default", endpoint_url=self.url, **keys)
