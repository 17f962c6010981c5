"""A real SLURM of two nodes and two stand-in GPUs on this machine, for tests.

To look at something by hand, with the cluster up for as long as a command runs:

    python -m tests.cluster.lab bash

Needs root on Debian; installs Debian's packages. All its files are in a temporary folder except for
links in /etc/slurm, the only place where a job's steps look; those are restored at the end.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ETC = Path("/etc/slurm")
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
NODES = ("n1", "n2")
SIZE = "CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=32000"
# One such cluster at a time on a machine: /etc/slurm is one.
ONE_AT_A_TIME = Path("/run/lock/tunescape-slurm")


class CannotRun(Exception):
    """Why there can be no cluster here."""


class Lab:
    """Daemons of a cluster; ``env`` is for commands that use it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.env = {
            **os.environ,
            "SLURM_CONF": str(state / "slurm.conf"),
            "PATH": f"{ROOT / 'profiles/slurm/bin'}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }
        self.daemons: dict[str, subprocess.Popen] = {}

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        """Output of a command on the cluster, such as ``squeue``."""
        done = subprocess.run(
            command,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, name: str, *command: str) -> None:
        # No daemon outlives this process, however it ends.
        with (self.state / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def start_controller(self) -> None:
        self.start("slurmctld", "slurmctld", "-D", "-f", str(self.state / "slurm.conf"))

    def start_node(self, node: str) -> None:
        self.start(node, "slurmd", "-D", "-N", node, "-f", str(self.state / "slurm.conf"))

    def stop(self, name: str, sign: int = signal.SIGTERM) -> None:
        """End a daemon, with force if it does not end within 10 s."""
        daemon = self.daemons.pop(name, None)
        if daemon is None:
            return
        daemon.send_signal(sign)
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def wait_for_nodes(self, seconds: float = 60) -> None:
        """Until both nodes take jobs."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
                listed = self.run("sinfo", "-h", "-N", "-o", "%N %T", timeout=10).splitlines()
                up = {line for line in listed if line.endswith(("idle", "mixed", "allocated"))}
                if {line.split()[0] for line in up} == set(NODES):
                    return
            if time.monotonic() > end:
                raise RuntimeError(f"the nodes do not come up:\n{self.messages()}")
            time.sleep(0.2)

    def save(self, job: str, seconds: float = 30) -> None:
        """Have the controller save its state, such as that a job runs.

        It does so some seconds after a change. If it is killed before, it starts the job again, and
        SLURM then drains the node and holds the job.
        """
        file, now = self.state / "controller/job_state", time.time()
        self.run("scontrol", "update", f"JobId={job}", "AdminComment=saved")
        end = time.monotonic() + seconds
        while not file.exists() or file.stat().st_mtime < now:
            if time.monotonic() > end:
                raise RuntimeError(f"the controller does not save its state:\n{self.messages()}")
            time.sleep(0.1)

    def messages(self) -> str:
        """The last lines that the daemons wrote."""
        found = [*self.state.glob("*.out"), *self.state.glob("*.log")]
        return "\n".join(f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in found)

    def close(self) -> None:
        """Cancel all jobs and end all daemons."""
        if "slurmctld" in self.daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.run("scancel", "--user=root", check=False, timeout=10)
                for _ in range(50):
                    if not self.run("squeue", "-h", check=False, timeout=10):
                        break
                    time.sleep(0.2)
        for name in (*NODES, "slurmctld", "munged"):
            self.stop(name)


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


@contextlib.contextmanager
def cluster() -> Iterator[Lab]:
    """A cluster for as long as the block runs.

    Raises
    ------
    CannotRun : where there can be none; says why.
    """
    if os.geteuid() != 0:
        raise CannotRun("a SLURM cluster for tests needs root")
    with _alone():
        _install()
        state = Path(tempfile.mkdtemp(prefix="tunescape-slurm-"))
        state.chmod(0o755)
        lab = Lab(state)
        try:
            with _configured(state):
                try:
                    _bring_up(lab)
                    yield lab
                finally:
                    lab.close()
        finally:
            shutil.rmtree(state, ignore_errors=True)


@contextlib.contextmanager
def _alone(seconds: float = 900) -> Iterator[None]:
    end = time.monotonic() + seconds
    with ONE_AT_A_TIME.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise CannotRun("another test holds this machine's SLURM cluster") from None
                time.sleep(1)
        yield


def _install() -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if all(shutil.which(program, path=path) for program in PROGRAMS):
        return
    if not shutil.which("apt-get"):
        raise CannotRun("no SLURM here, and no apt-get to install it with")
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:  # keeps the packages from starting daemons of their own
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2"]
    try:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(
                [*apt, *command],
                env=env,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise CannotRun(f"apt-get {command[0]}: {last}")
    finally:
        if ours:
            policy.unlink()


@contextlib.contextmanager
def _configured(state: Path) -> Iterator[None]:
    """Write the cluster's files, and let /etc/slurm lead to them for as long as the block runs."""
    for folder in ("controller", "munge", "gpu", *(f"spool/{node}" for node in NODES)):
        (state / folder).mkdir(parents=True)
    host = socket.gethostname().split(".")[0]
    try:
        here = socket.gethostbyname(host)
    except OSError:
        here = None
    if here is None:
        raise CannotRun(f"this machine's own name, {host}, has no address (/etc/hosts)")
    ports = _free_ports(3)
    values = {"host": host, "state": state, "size": SIZE}
    values |= dict(zip(("port", "port_n1", "port_n2"), ports, strict=True))
    (state / "slurm.conf").write_text(_filled((HERE / "slurm.conf").read_text(), values))
    for number in range(2):  # stand-ins: /dev/null by another name
        os.mknod(state / f"gpu/gpu{number}", 0o20666, os.makedev(1, 3))
    (state / "gres.conf").write_text(
        f"AutoDetect=off\nNodeName=n1 Name=gpu File={state}/gpu/gpu[0-1]\n"
    )
    made = not ETC.exists()
    ETC.mkdir(exist_ok=True)
    links = [ETC / name for name in ("slurm.conf", "gres.conf")]
    for link in links:
        if link.is_symlink() and not link.exists():
            link.unlink()  # of a test that was killed
        elif link.exists():
            raise CannotRun(f"{link} is there: this machine has a SLURM of its own")
    try:
        for link in links:
            link.symlink_to(state / link.name)
        yield
    finally:
        for link in links:
            link.unlink(missing_ok=True)
        if made:
            ETC.rmdir()


def _filled(text: str, values: dict) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _bring_up(lab: Lab) -> None:
    key, munge = lab.state / "munge/key", lab.state / "munge/socket"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    files = [f"--{what}-file={lab.state}/munge/{what}" for what in ("pid", "log", "seed")]
    lab.start("munged", "munged", "-F", f"--socket={munge}", f"--key-file={key}", *files)
    end = time.monotonic() + 20
    while not munge.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"munged does not come up:\n{lab.messages()}")
        time.sleep(0.05)
    lab.start_controller()
    for node in NODES:
        lab.start_node(node)
    lab.wait_for_nodes()


def main() -> int:
    # A SIGTERM must not leave /etc/slurm behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with cluster() as lab:
            return subprocess.run(sys.argv[1:] or ["bash"], env=lab.env, check=False).returncode
    except CannotRun as reason:
        print(f"lab: {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
