"""The baseline: check and init beside a bare walk and a walk that hashes (walk.c), and beside AIDE's database.

The files are copied from /usr into a directory of the bench's own, or are many and small. Wall time counts here, as an administrator's;
programs take turns.
"""

import datetime
import json
import os
import shutil
import subprocess
import time

RULES = "p+u+g+s+n+i+l+m+c+ftype+acl+xattrs+selinux+caps+sha256"


def copy(tree, objects):
    """Copies files from /usr until there are so many; returns how many there are."""
    os.makedirs(tree)
    count = 0
    for source in ("/usr/share", "/usr/lib", "/usr/include", "/usr/bin", "/usr/src"):
        for directory, subdirectories, files in os.walk(source):
            subdirectories.sort()
            target = tree + directory
            os.makedirs(target, exist_ok=True)
            count += 1
            for name in sorted(files):
                path = os.path.join(directory, name)
                if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > 1 << 20:
                    continue
                shutil.copy2(path, os.path.join(target, name))
                count += 1
            if count >= objects:
                return count
    return count


def timed(command, ok=(0,)):
    """Seconds, CPU seconds and peak memory in KiB of a command."""
    done = subprocess.run(["/usr/bin/time", "-f", "%e %U %S %M", *command], capture_output=True, text=True)
    if done.returncode not in ok:
        raise SystemExit(f"bench: {' '.join(command)}: {done.stdout[-500:]}{done.stderr}")
    wall, user, system, peak = done.stderr.split("\n")[-2].split()
    return dict(wall=float(wall), cpu=float(user) + float(system), peak_kb=int(peak))


def small(tree, count):
    """Makes so many files of some 100 bytes, 100 in a directory; returns how many objects there are."""
    directories = 0
    for number in range(count):
        if number % 100 == 0:
            directories += 1
            directory = f"{tree}/{number // 10000}/{number // 100 % 100}"
            os.makedirs(directory)
        with open(f"{directory}/{number}.txt", "w") as file:
            file.write(f"{number}\n" * (number % 23 + 4))
    return count + directories + (count + 9999) // 10000


def place(tree, scratch):
    """The options of a baseline of the tree."""
    config = f"{scratch}/baseline.conf"
    with open(config, "w") as file:
        file.write(f"{tree} {RULES}\n")
    return ["--config", config, "--database", f"{scratch}/baseline.db"]


def ratios(over, under, key):
    # time(1) counts hundredths
    return [a[key] / max(b[key], 0.01) for a, b in zip(over, under)]


def compare(table, tree, scratch, programs, rounds, say):
    """init and check beside the walks; what was found."""
    options = place(tree, scratch)
    walk, fsaudit = programs["walk"], programs["fsaudit"]
    found = {name: [] for name in ("walk", "check", "hash", "init")}
    say("baseline: init beside walk + sha256")
    for _ in range(rounds):
        found["hash"].append(timed([walk, "-h", tree]))
        found["init"].append(timed([fsaudit, "baseline", "init", "--replace", *options]))
    say("baseline: check beside walk")
    for _ in range(3 * rounds):
        found["walk"].append(timed([walk, tree]))
        found["check"].append(timed([fsaudit, "check", *options]))
    table.add("  nothing changed: check / bare walk, time", ratios(found["check"], found["walk"], "wall"), 3, 1.3, " x")
    table.add("  the same, CPU time", ratios(found["check"], found["walk"], "cpu"), 3, 1.3, " x")
    table.add("  init, sha256 / walk + libcrypto, time", ratios(found["init"], found["hash"], "wall"), 1.3, 1.1, " x")
    table.add("  the same, CPU time", ratios(found["init"], found["hash"], "cpu"), 1.3, 1.1, " x")
    table.add("  peak memory of init", [r["peak_kb"] / 1024 for r in found["init"]], 64, 32, " MB")
    table.add("  peak memory of check", [r["peak_kb"] / 1024 for r in found["check"]], 64, 48, " MB")
    return found


def changed(table, tree, scratch, programs, rounds, say):
    """A check of a tree in which 50 files have changed, beside the walk."""
    say("baseline: check with 50 changes")
    files = (os.path.join(directory, name) for directory, _, names in os.walk(tree) for name in names)
    for _, path in zip(range(50), files):
        with open(path, "a") as file:
            file.write("more\n")
    found = {"walk": [], "check": []}
    for _ in range(rounds):
        found["walk"].append(timed([programs["walk"], tree]))
        # 4: something has changed; 8: and nobody knows why
        found["check"].append(timed([programs["fsaudit"], "check", "--log", f"{scratch}/none", *place(tree, scratch)], ok=(4, 12)))
    table.add("  50 files changed: check / bare walk, CPU time", ratios(found["check"], found["walk"], "cpu"), 3, 1.3, " x")
    return found


def measure(table, results, scratch, programs, options, say):
    tree = f"{scratch}/tree"
    say(f"baseline: copying {options.objects:,} files")
    objects = copy(tree, options.objects)
    table.title(f"baseline of {objects:,} objects from /usr")
    found = compare(table, tree, scratch, programs, options.rounds, say)
    say("baseline: aide's database")
    theirs = f"{scratch}/aide.conf"
    with open(theirs, "w") as file:
        file.write(f"database_out=file:{scratch}/aide.db\ngzip_dbout=no\n{tree} {RULES}\n")
    found["aide init"] = [timed(["aide", "-c", theirs, "-i"])]
    size = os.path.getsize(f"{scratch}/baseline.db") / os.path.getsize(f"{scratch}/aide.db")
    table.add("  database / aide's, uncompressed", [size], 1, 0.75, " x")
    found["50 changes"] = changed(table, tree, scratch, programs, options.rounds, say)
    results["baseline"] = found
    shutil.rmtree(tree)


def measure_small(table, results, scratch, programs, options, say):
    tree = f"{scratch}/small"
    say(f"baseline: making {options.small:,} small files")
    objects = small(tree, options.small)
    table.title(f"baseline of {objects:,} small files and their directories")
    found = compare(table, tree, scratch, programs, options.rounds, say)
    found["50 changes"] = changed(table, tree, scratch, programs, options.rounds, say)
    results["small"] = found
    shutil.rmtree(tree)


def line(number, path, action, now):
    """A line of the event log."""
    at = datetime.datetime.fromtimestamp(now + number // 10000, datetime.timezone.utc)
    return json.dumps({
        "@timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "event": {"kind": "event", "category": ["file"], "type": ["change"], "outcome": "success", "sequence": number, "dataset": "fsaudit.file"},
        "host": {"name": "bench"}, "file": {"path": path, "inode": str(number % 1000), "device": "fe:00", "type": "file", "mode": "0644", "uid": "0", "gid": "0"},
        "process": {"pid": 4711, "name": "sh", "executable": "/usr/bin/sh", "args": ["sh", "-c", f"echo more >>{path}"], "working_directory": "/root"},
        "user": {"id": "0", "name": "root", "audit": {"id": "1000", "name": "alice"}}, "tags": ["bench"],
        "fsaudit": {"action": action, "key": "bench"}}, separators=(",", ":")) + "\n"


def measure_explain(table, results, scratch, programs, options, say):
    """10,000 differences over a million logged events, every tenth of which is about one of them."""
    tree, log = f"{scratch}/explained", f"{scratch}/log"
    say("explanation: a million lines")
    small(tree, 10000)
    started = time.time()
    timed([programs["fsaudit"], "baseline", "init", "--replace", *place(tree, scratch)])
    files = [os.path.join(directory, name) for directory, _, names in os.walk(tree) for name in names]
    for path in files:
        with open(path, "a") as file:
            file.write("more\n")
    os.makedirs(log)
    with open(f"{log}/events.jsonl", "w") as file:
        for number in range(1_000_000):
            path = files[number // 10 % len(files)] if number % 10 == 0 else f"/srv/elsewhere/{number % 5000}"
            file.write(line(number, path, "write", started + 60))
    runs = [timed([programs["fsaudit"], "check", "--log", log, *place(tree, scratch)], ok=(4, 12)) for _ in range(options.rounds)]
    table.title("explanation of 10,000 differences over 1,000,000 events")
    table.add("  time of the whole check", [r["wall"] for r in runs], 5, 3, " s")
    table.add("  peak memory", [r["peak_kb"] / 1024 for r in runs], 256, 64, " MB")
    answer = subprocess.run([programs["fsaudit"], "check", "--log", log, *place(tree, scratch)], capture_output=True, text=True).stdout
    say(answer.split("\n", 1)[0])
    results["explain"] = runs
    shutil.rmtree(tree)
    shutil.rmtree(log)
