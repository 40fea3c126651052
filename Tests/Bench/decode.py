"""Records from a file to typed JSON: fsaudit and laurel on the same audit.log, instructions and allocations an event."""

import os
import re
import struct
import subprocess
import tempfile

import kernel
from consumers import LAUREL, count_lines, write

NAMES = {1300: "SYSCALL", 1302: "PATH", 1305: "CONFIG_CHANGE", 1307: "CWD", 1320: "EOE", 1327: "PROCTITLE"}
EVENTS_A_ROUND = 4  # of the workload


def record(scratch, programs, events):
    """Has the workload make `events` events and keeps what the kernel said in the form of auditd's log. The EOE records, which
    auditd hands to its plugins but does not log, stay in: laurel ends no event without them."""
    tree, path = f"{scratch}/tree", f"{scratch}/audit.log"
    os.makedirs(tree, exist_ok=True)
    messages = []
    with kernel.laboratory(tree), kernel.open_audit(receive_buffer=64 << 20) as link:
        kernel.set_status(link, kernel.PID, pid=os.getpid())
        link.settimeout(0.5)
        workload = subprocess.Popen([programs["workload"], tree, str(events // EVENTS_A_ROUND)])
        try:
            while True:
                try:
                    messages.append(link.recv(9216))
                except TimeoutError:
                    if workload.poll() is not None:
                        break
        finally:
            workload.kill()  # nothing to it if it has ended
            workload.wait()
            kernel.set_status(link, kernel.PID, pid=0)
    with open(path, "wb") as log:
        for message in messages:
            kind = struct.unpack_from("=H", message, 4)[0]
            if kind >= 1100:  # not the answer to the registration
                log.write(b"type=%b msg=%b\n" % (NAMES.get(kind, f"UNKNOWN[{kind}]").encode(), message[16:]))
    recorded = count_lines([path], b"^type=SYSCALL .*key=\"" + kernel.KEY.encode())
    if recorded != events:
        raise SystemExit(f"bench: {recorded} of {events} events were recorded: the machine is too busy for a measurement")
    return path


def part(path, events, name):
    """The first `events` events of a log."""
    left, out = events, os.path.join(os.path.dirname(path), name)
    with open(path, "rb") as log, open(out, "wb") as head:
        for line in log:
            head.write(line)
            left -= line.startswith(b"type=EOE")
            if left == 0:
                break
    return out


def run(command, stdin="/dev/null", stdout="/dev/null", environment=None):
    """CPU seconds and peak memory of a command that runs on one core."""
    with open(stdin, "rb") as given, open(stdout, "wb") as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=given, stdout=out, stderr=said, env={**os.environ, **(environment or {})},
            preexec_fn=lambda: os.sched_setaffinity(0, {0}))
        _, code, used = os.wait4(process.pid, 0)
        if code != 0:
            said.seek(0)
            raise SystemExit(f"bench: failed: {' '.join(command)}: {said.read().decode()}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss


def search(programs, log):
    return [programs["fsaudit"], "search", "--audit-log", log, "--format", "json"]


def compare(scratch, programs, log, rounds, say):
    """Results by the program's name, one a round. Each writes its JSON lines into a file."""
    events = count_lines([log], b"^type=SYSCALL ")
    written = {"laurel": f"{scratch}/laurel.log", "fsaudit": f"{scratch}/fsaudit.jsonl"}
    commands = {
        "laurel": (["laurel", "-c", write(scratch, "laurel.toml", LAUREL)], log, "/dev/null"),
        "fsaudit": (search(programs, log), "/dev/null", written["fsaudit"]),
    }
    results = {}
    for number in range(rounds):
        for name, (command, stdin, stdout) in commands.items():
            if os.path.exists(written[name]):
                os.remove(written[name])
            seconds, peak = run(command, stdin, stdout)
            done = count_lines([written[name]], rb'"key":"' + kernel.KEY.encode())
            missing = count_lines([log], b"^type=SYSCALL .*key=\"" + kernel.KEY.encode()) - done
            result = {"cpu_seconds": seconds, "peak_kb": peak, "missing": missing, "microseconds": seconds * 1e6 / events}
            results.setdefault(name, []).append(result)
            say(f"decode {number + 1}/{rounds} {name}: {result['microseconds']:.2f} us, {missing} missing")
    return results


def instructions(scratch, programs, log, sizes=(5000, 15000)):
    """Instructions an event (callgrind): the difference of two sizes, so that the start is not counted."""
    bare = f"{scratch}/fsaudit-bare"
    # valgrind 3.19 does not understand all of DWARF 5 that swiftc writes
    subprocess.run(["strip", "-g", "-o", bare, programs["fsaudit"]], check=True)
    counts = []
    for size in sizes:
        command = search({"fsaudit": bare}, part(log, size, f"{size}.log"))
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={scratch}/callgrind.{size}", *command]
        said = subprocess.run(valgrind, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
        counts.append(int(re.search(r"Collected : (\d+)", said)[1]))
    return (counts[1] - counts[0]) / (sizes[1] - sizes[0])


def allocations(scratch, programs, log, sizes=(10000, 20000)):
    """Heap allocations an event, counted in the same way."""
    counts = []
    for size in sizes:
        counted = f"{scratch}/allocations.{size}"
        run(search(programs, part(log, size, f"{size}.log")),
            environment={"LD_PRELOAD": programs["allocations"], "ALLOCATIONS_FILE": counted})
        with open(counted, "rb") as file:
            counts.append(sum(count for _, count in struct.iter_unpack("=QQ", file.read())))
    return (counts[1] - counts[0]) / (sizes[1] - sizes[0])
