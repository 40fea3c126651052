"""The programs that are compared live. Each has a configuration and a log of its own in a directory that it is given."""

import glob
import os
import re
import signal
import subprocess
import time

import kernel

# Debian's auditd.conf as far as it matters for speed (flush, freq, priority_boost). RAW instead of ENRICHED, no rotation and no
# look at the disk's space: all of that is in auditd's favour. q_depth is as large as it can be, so that its plugin loses less.
AUDITD = """
local_events = yes
write_logs = yes
log_file = {directory}/audit.log
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
priority_boost = 4
max_log_file = 4000
num_logs = 2
max_log_file_action = IGNORE
space_left = 2
space_left_action = IGNORE
admin_space_left = 1
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
q_depth = 99999
overflow_action = IGNORE
plugin_dir = {directory}/plugins.d
"""
PLUGIN = """
active = yes
direction = out
type = always
format = string
path = /usr/sbin/laurel
args = --config {directory}/laurel.toml
"""
# Everything else is laurel's built-in default. A file that is never rotated costs it least.
LAUREL = """
directory = "{directory}"
[auditlog]
file = "laurel.log"
size = 4000000000
"""
FSAUDIT = """
[source]
backlog_limit = {backlog_limit}
backlog_wait_time = "{wait_ms}ms"
[rules]
directory = "{directory}/rules.d"
[log]
directory = "{directory}/log"
[daemon]
runtime_directory = "{directory}/run"
state_directory = "{directory}/state"
"""


def cpu_seconds(pid):
    """User and system time of a running process with all its threads, also ended ones, to the nanosecond: its CPU clock
    (clock_getcpuclockid(3)). The kernel counts the same time for wait4(2), in microseconds, and /proc in ticks of 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)


def write(directory, name, text, mode=0o640, **values):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text.format(directory=directory, **values))
    os.chmod(path, mode)
    return path


def count_lines(paths, needle):
    pattern, count = re.compile(needle), 0
    for path in paths:
        # also of compressed segments
        with subprocess.Popen(["zstd", "-dcf", path], stdout=subprocess.PIPE) as file:
            count += sum(1 for line in file.stdout if pattern.search(line))
        if file.returncode != 0:
            raise SystemExit(f"bench: {path} cannot be read")
    return count


class Consumer:
    """A daemon that is registered while the `with` block runs; `events` says afterwards how many arrived at its end."""

    def __init__(self, directory, environment=None):
        self.directory, self.environment = directory, environment
        os.makedirs(directory, exist_ok=True)

    def __enter__(self):
        errors = open(os.path.join(self.directory, "said"), "w+")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env={**os.environ, **(self.environment or {})})
        try:
            self.wait_until_ready(errors.name)
        except BaseException:  # then `with` does not call __exit__
            self.__exit__()
            raise
        return self

    def wait_until_ready(self, said):
        deadline = time.monotonic() + 10
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {self.name} did not start: {open(said).read()}")
            time.sleep(0.05)
        time.sleep(0.3)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def is_ready(self):
        return kernel.status().pid == self.process.pid

    def pids(self):
        return [self.process.pid]

    def cpu(self):
        return sum(cpu_seconds(pid) for pid in self.pids())

    def peak_kb(self):
        """The most memory that was ever resident, of all processes together."""
        texts = [open(f"/proc/{pid}/status").read() for pid in self.pids()]
        return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in texts)

    def wait_until_idle(self):
        """Until the kernel's queue is empty and the consumer has hardly used the CPU for a while."""
        deadline, last = time.monotonic() + 60, self.cpu()
        while time.monotonic() < deadline:
            time.sleep(0.25)
            now = self.cpu()
            if now - last < 0.001 and kernel.status().backlog == 0:
                return
            last = now
        raise SystemExit(f"bench: {self.name} is not done after a minute")


class Drain(Consumer):
    """Takes records off the socket, nothing else."""

    name = "drain"

    def __init__(self, directory, programs):
        super().__init__(directory)
        self.program = programs["drain"]

    def command(self):
        return [self.program]

    def events(self):
        return int(open(f"{self.directory}/said").read().split()[0])


class Fsaudit(Consumer):
    name = "fsaudit"

    def __init__(self, directory, programs, environment=None):
        super().__init__(directory, environment)
        os.makedirs(f"{directory}/rules.d", exist_ok=True)
        wait_ms = kernel.SETTINGS["backlog_wait_time"] * 1000 // kernel_hz()
        self.program = programs["fsaudit"]
        self.config = write(directory, "fsaudit.toml", FSAUDIT, wait_ms=wait_ms, backlog_limit=kernel.SETTINGS["backlog_limit"])

    def command(self):
        return [self.program, "run", "--config", self.config]

    def is_ready(self):
        return super().is_ready() and "started" in open(f"{self.directory}/said").read()

    def status(self):
        return subprocess.run([self.program, "status", "--json", "--config", self.config], check=True, capture_output=True).stdout

    def log(self):
        return glob.glob(f"{self.directory}/log/events*.jsonl*")

    def events(self):
        return count_lines(self.log(), rb'"dataset":"fsaudit\.file"')

    def gaps(self):
        return count_lines(self.log(), rb'"dataset":"fsaudit\.gap"')


class Auditd(Consumer):
    """auditd that writes RAW lines to its log."""

    name = "auditd"

    def __init__(self, directory, programs):
        super().__init__(directory)
        write(directory, "auditd.conf", AUDITD)
        os.makedirs(f"{directory}/plugins.d", exist_ok=True)

    def command(self):
        return ["auditd", "-n", "-s", "nochange", "-c", self.directory]

    def events(self):
        return count_lines([f"{self.directory}/audit.log"], rb"^type=SYSCALL .*key=\"" + kernel.KEY.encode())


class AuditdLaurel(Auditd):
    """The same with laurel as its plugin. auditd writes its log as well, as Debian has it; without it the two cost a quarter less."""

    name = "auditd+laurel"

    def __init__(self, directory, programs):
        super().__init__(directory, programs)
        write(directory, "plugins.d/laurel.conf", PLUGIN)
        write(directory, "laurel.toml", LAUREL)

    def is_ready(self):
        return super().is_ready() and len(self.pids()) == 2

    def pids(self):
        """auditd and its child."""
        listed = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [self.process.pid, *map(int, open(listed).read().split())]

    def events(self):
        return count_lines([f"{self.directory}/laurel.log"], b'"key":"' + kernel.KEY.encode())


def kernel_hz():
    """Jiffies a second, which the kernel tells nobody: it is in its configuration, if that is there."""
    for path in (f"/boot/config-{os.uname().release}", "/proc/config.gz"):
        if os.path.exists(path):
            text = subprocess.run(["zcat", "-f", path], check=True, capture_output=True, text=True).stdout
            found = re.search(r"^CONFIG_HZ=(\d+)", text, re.M)
            if found:
                return int(found[1])
    return 250
