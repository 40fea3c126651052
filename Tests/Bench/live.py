"""Live at the kernel's full speed: the same workload in the same watched tree, one consumer after the other, round after round."""

import json
import os
import shutil
import struct
import subprocess
import time

import kernel
from consumers import Auditd, AuditdLaurel, Drain, Fsaudit

EVENTS_A_ROUND = 4  # of the workload


def work(programs, tree, events):
    """The workload's own use of the machine (rusage); it does not outlive us."""
    workload = subprocess.Popen([programs["workload"], tree, str(events // EVENTS_A_ROUND)])
    try:
        _, code, used = os.wait4(workload.pid, 0)
    except BaseException:
        workload.kill()
        workload.wait()
        raise
    if code != 0:
        raise SystemExit("bench: the workload failed")
    return used


def measure(consumer_type, scratch, programs, events, **options):
    """One consumer, one workload of `events` events. CPU is counted from before the workload until the consumer has done all of it."""
    tree, home = f"{scratch}/tree", f"{scratch}/{consumer_type.__name__}"
    os.makedirs(tree, exist_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    with kernel.laboratory(tree):
        lost = kernel.status().lost
        with consumer_type(home, programs, **options) as consumer:
            before = consumer.cpu()
            mark = options and allocations(f"{home}/allocations", consumer)
            began, used = time.monotonic(), work(programs, tree, events)
            wall = time.monotonic() - began
            consumer.wait_until_idle()
            result = {"cpu_seconds": consumer.cpu() - before, "peak_kb": consumer.peak_kb(), "workload_seconds": wall}
            result["workload_cpu_seconds"] = used.ru_utime + used.ru_stime
            if mark:
                now = allocations(f"{home}/allocations", consumer)
                result["allocations"] = {name: count - mark.get(name, 0) for name, count in now.items()}
            if consumer_type is Fsaudit:
                time.sleep(1.2)  # its counters are published once a second
                result["map_bytes"] = json.loads(consumer.status())["directory_map"]["bytes"]
        result["kernel_lost"] = kernel.status().lost - lost
    result["events"] = consumer.events()
    result["missing"] = events - result["events"]
    if consumer_type is Fsaudit:
        result["gaps"] = consumer.gaps()
    # Of those that arrived: a consumer that loses events is not cheaper for it.
    result["microseconds"] = result["cpu_seconds"] * 1e6 / max(result["events"], 1)
    shutil.rmtree(home)
    return result


def compare(scratch, programs, events, rounds, say):
    """Results by the consumer's name, one a round."""
    results = {}
    for number in range(rounds):
        for consumer_type in (Drain, Fsaudit, Auditd, AuditdLaurel):
            result = measure(consumer_type, scratch, programs, events)
            results.setdefault(consumer_type.name, []).append(result)
            say(f"live {number + 1}/{rounds} {consumer_type.name}: {result['microseconds']:.2f} us, {result['missing']} missing")
    return results


def allocations(path, consumer):
    """Counts so far by the thread's name: what allocations.c has written."""
    pid, counts = consumer.process.pid, {}
    with open(path, "rb") as file:
        for thread, count in struct.iter_unpack("=QQ", file.read()):
            try:
                name = open(f"/proc/{pid}/task/{thread}/comm").read().strip()
            except OSError:
                continue
            counts[name] = counts.get(name, 0) + count
    return counts


def allocations_per_event(scratch, programs, events):
    """What fsaudit's threads allocate while `events` events pass, live."""
    home = f"{scratch}/Fsaudit"
    preload = {"LD_PRELOAD": programs["allocations"], "ALLOCATIONS_FILE": f"{home}/allocations"}
    return measure(Fsaudit, scratch, programs, events, environment=preload)
