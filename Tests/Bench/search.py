"""One question to a log, asked of fsaudit and of others: ausearch and a bare scanner over auditd's log, grep over our own."""

import os
import re
import resource
import statistics
import subprocess
import tempfile

import decode
import kernel

RARE = "fsaudit-bench-rare"


def shaped(log, out, milliseconds):
    """The same events `milliseconds` (which may be a fraction) apart, as auditd logs them: without EOE. Every hundredth has another key."""
    numbers, key = {}, f'key="{kernel.KEY}"'.encode()
    with open(log, "rb") as lines, open(out, "wb") as written:
        for line in lines:
            if line.startswith(b"type=EOE"):
                continue
            head = re.search(rb"audit\((\d+)\.\d+:(\d+)\)", line)
            number = numbers.setdefault(head[2], len(numbers))
            time = 1_795_000_000_000 + int(number * milliseconds)
            line = line.replace(head[0], b"audit(%d.%03d:%d)" % (time // 1000, time % 1000, number + 1))
            written.write(line.replace(key, f'key="{RARE}"'.encode()) if number % 100 == 0 else line)
    return len(numbers)


def seconds(command, found=0):
    """CPU seconds of a command, or of several in a pipeline, on one core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # into a file: with /dev/null behind it grep stops at the first match
    out = tempfile.TemporaryFile()
    status = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=out, preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        shell=isinstance(command, str), env={**os.environ, "LC_ALL": "C"}).returncode
    if status != found:
        raise SystemExit(f"bench: failed with {status}: {command}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(commands, rounds, say):
    """CPU seconds of each, one a round. Short ones run several times a round."""
    results = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            taken = seconds(command)
            times = max(1, min(10, int(0.3 / max(taken, 0.001))))
            results[name].append(statistics.median([taken] + [seconds(command) for _ in range(times - 1)]))
        say(f"search {number + 1}/{rounds} " + ", ".join(f"{name}: {values[-1] * 1000:.1f} ms" for name, values in results.items()))
    return results


def output(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout


def audit_logs(scratch, programs, log, rounds, say):
    """Results by the log's shape."""
    results = {}
    for shape, distance, turns in ("sparse", 100, rounds), ("dense", 0.1, 1):
        path = f"{scratch}/{shape}.log"
        events = shaped(log, path, distance)
        commands = {
            "ausearch": ["ausearch", "-if", path, "-r", "-w", "-k", RARE],
            "scanner": [programs["scanner"], path, RARE],
            "fsaudit": [programs["fsaudit"], "search", "--audit-log", path, "--key", RARE, "--format", "raw"],
        }
        same = {name: len(set(re.findall(rb":(\d+)\)", output(command)))) for name, command in commands.items()}
        if len(set(same.values())) != 1:
            raise SystemExit(f"bench: not the same events of {events}: {same}")
        results[shape] = compare(commands, turns, say)
    return results


def report(scratch, programs, rounds, say):
    """The count of changes by file, over the events 0.1 s apart. (aureport needs minutes for them in one burst.)"""
    path = f"{scratch}/sparse.log"
    return compare(
        {
            "aureport": ["aureport", "-f", "--summary", "-if", path],
            "fsaudit": [programs["fsaudit"], "report", "files", "--audit-log", path],
        }, rounds, say)


def own_log(scratch, programs, log, rounds, say):
    """Results by how the segment is packed, and by how much of it is found. A segment of some 100 MB."""
    directory = f"{scratch}/segments"
    os.makedirs(directory, exist_ok=True)
    segment = f"{directory}/events.jsonl"
    lines = output([programs["fsaudit"], "search", "--audit-log", f"{scratch}/sparse.log", "--format", "json"])
    with open(segment, "wb") as out:
        for _ in range(100_000_000 // len(lines) + 1):
            out.write(lines)
    packed = f"{scratch}/packed"
    os.makedirs(packed, exist_ok=True)
    packed_segment = f"{packed}/events-20261120T233251.738Z-0000000001.jsonl.zst"
    subprocess.run(["zstd", "-q", "-3", segment, "-o", packed_segment], check=True)
    results = {}
    for share, key in ("rare", RARE), ("all", kernel.KEY):
        ask = [programs["fsaudit"], "search", "--key", key, "--count", "--log"]
        plain = {"grep": ["grep", "-c", f'"{key}"', segment], "fsaudit": [*ask, directory]}
        counts = {output(command) for command in plain.values()}
        if len(counts) != 1:
            raise SystemExit(f"bench: not the same lines: {counts}")
        results[f"plain, {share}"] = compare(plain, rounds, say)
        results[f"packed, {share}"] = compare(
            {"grep": f"zstdcat {packed_segment} | grep -c '\"{key}\"'", "fsaudit": [*ask, packed]}, rounds, say)
    return results
