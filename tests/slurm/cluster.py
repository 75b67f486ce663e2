"""A real Slurm on one machine: munge, MariaDB, slurmdbd, slurmctld and slurmd, private to one folder.

Nothing outside the folder is read or written, every daemon listens on a port of its own and runs as the calling user, so a
cluster needs no root, no service manager, and does not meet another one on the same machine. The one detour: the Slurm
executor clears SLURM_CONF before it starts a job step, so `srun` on the cluster's PATH is a two-line script that sets it again.
"""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from daemons import free_port, wait_for

PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sacctmgr")
GPUS = 2
NODE_MEMORY_MB = 12000
SYSTEM_FOLDERS = "/usr/sbin:/sbin"

SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={slurmctld_port}
SlurmdPort={slurmd_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
PluginDir={plugins}
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,default_queue_depth=500,batch_sched_delay=0
# Memory is watched every second, and a job above its request is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={host}
AccountingStoragePort={slurmdbd_port}
# The socket of munge for messages to slurmdbd, in spite of the name.
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits
AccountingStoreFlags=job_comment
GresTypes=gpu
# A job of partition urgent sends jobs of the others back into the queue.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
MinJobAge=300
# A restarted controller finds its node at once.
SlurmctldTimeout=10
SlurmdTimeout=300
NodeName={node} NodeAddr={host} CPUs=8 RealMemory={memory} Gres=gpu:fake:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={node} Default=YES MaxTime=1440 State=UP PriorityTier=1 GraceTime=10
PartitionName=gpu Nodes={node} MaxTime=1440 State=UP PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes={node} MaxTime=1440 State=UP PriorityTier=9 PreemptMode=OFF
"""

SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdPort={slurmdbd_port}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
PluginDir={plugins}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadb_port}
StorageUser=slurm
StorageLoc=slurm_acct_db
"""


class Cluster:
    """A running cluster; `environment` makes Slurm's commands talk to it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen] = {}
        self.node = socket.gethostname().split(".")[0]
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join((str(folder / "bin"), os.environ["PATH"], SYSTEM_FOLDERS)),
        }
        self._write_configuration()

    def _write_configuration(self) -> None:
        for name in ("state", "spool", "bin", "devices", "database"):
            (self.folder / name).mkdir()
        # munged refuses a socket below a folder that others may write to, and a key that others may read.
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        facts = {
            "folder": self.folder,
            "host": self.node,
            "node": self.node,
            "user": subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip(),
            "plugins": next(Path("/usr/lib").glob("*/slurm-wlm")),
            "memory": NODE_MEMORY_MB,
            "gpus": GPUS,
            **{f"{name}_port": free_port() for name in ("slurmctld", "slurmd", "slurmdbd", "mariadb")},
        }
        self.database_port = facts["mariadb_port"]
        self._write("slurm.conf", SLURM_CONF.format(**facts))
        self._write("slurmdbd.conf", SLURMDBD_CONF.format(**facts)).chmod(0o600)
        for index in range(GPUS):
            # Slurm numbers GPUs by device file, and any will do.
            (self.folder / f"devices/nvidia{index}").symlink_to("/dev/null")
        self._write("gres.conf", f"NodeName={self.node} Name=gpu Type=fake File={self.folder}/devices/nvidia[0-{GPUS - 1}]\n")
        self._write("cgroup.conf", "CgroupAutomount=no\n")
        srun = shutil.which("srun")
        self._write("bin/srun", f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {srun} "$@"\n').chmod(0o755)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    # Daemons

    def start(self) -> None:
        """Start every daemon and wait until the node takes jobs."""
        folder = self.folder
        self._spawn(
            "munged",
            "--foreground",
            "--force",
            "--num-threads=10",
            f"--key-file={folder}/munge.key",
            f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged.log",
            f"--seed-file={folder}/munged.seed",
        )
        self._start_database()
        self._spawn("slurmdbd", "-D")
        wait_for(lambda: self.command("sacctmgr", "-n", "list", "cluster").returncode == 0, "slurmdbd answers")
        self.run("sacctmgr", "-i", "add", "cluster", "test")
        self.run("sacctmgr", "-i", "add", "account", "lab")
        self.run("sacctmgr", "-i", "add", "user", self.user, "account=lab")
        self.start_controller()
        self.start_node()

    @property
    def user(self) -> str:
        return self.run("id", "-un")

    def _start_database(self) -> None:
        data = f"--datadir={self.folder}/database"
        install = ("mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal", f"--user={self.user}")
        self.run(*install, "--skip-test-db")
        self._spawn(
            "mariadbd",
            "--no-defaults",
            data,
            f"--user={self.user}",
            "--skip-grant-tables",
            "--bind-address=127.0.0.1",
            f"--port={self.database_port}",
            f"--socket={self.folder}/mariadb.socket",
            f"--pid-file={self.folder}/mariadb.pid",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-log-bin",
        )
        wait_for((self.folder / "mariadb.socket").exists, "MariaDB listens")

    def start_controller(self) -> None:
        self._spawn("slurmctld", "-D")
        wait_for(lambda: self.command("scontrol", "ping").stdout.count("UP"), "slurmctld answers")

    def start_node(self) -> None:
        self._spawn("slurmd", "-D", "-N", self.node)
        wait_for(lambda: self.command("sinfo", "-h", "-o", "%T").stdout.split()[:1] in (["idle"], ["mixed"]), "node is idle")

    def _spawn(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as output:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(name, path=self.environment["PATH"]), *arguments],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        daemon = self.daemons.pop(name)
        daemon.send_signal(how)
        daemon.wait(timeout=60)

    def stop_all(self) -> None:
        """Cancel what runs, then end every daemon, the last started first."""
        if "slurmctld" in self.daemons:
            self.empty_queue()
        for name in reversed(list(self.daemons)):
            self.stop(name, signal.SIGKILL if name == "mariadbd" else signal.SIGTERM)

    def empty_queue(self) -> None:
        self.run("scancel", "--user", self.user)
        wait_for(lambda: not self.jobs(), "all jobs ended")

    # Commands

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(arguments, env=self.environment, capture_output=True, text=True, timeout=300)

    def run(self, *arguments: str) -> str:
        """Run a command and expect success; its output."""
        done = self.command(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def jobs(self, *states: str) -> list[str]:
        """Ids of the jobs in these states, such as RUNNING; with none given, of all that have not ended."""
        chosen = ("--states", ",".join(states)) if states else ()
        return self.run("squeue", "-h", "-o", "%i", *chosen).split()
