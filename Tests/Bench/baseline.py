"""The baseline: check and init beside a bare walk and a walk that hashes (walk.c), and beside AIDE's database.

The files are copied from /usr into a directory of the bench's own. Wall time counts here, as an administrator's; programs take turns.
"""

import os
import shutil
import subprocess

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


def measure(table, results, scratch, programs, options, say):
    tree = f"{scratch}/tree"
    say(f"baseline: copying {options.objects:,} files")
    objects = copy(tree, options.objects)
    config, database = f"{scratch}/baseline.conf", f"{scratch}/baseline.db"
    with open(config, "w") as file:
        file.write(f"{tree} {RULES}\n")
    place = ["--config", config, "--database", database]
    walk, fsaudit = programs["walk"], programs["fsaudit"]
    found = {name: [] for name in ("walk", "check", "hash", "init", "changed")}
    rounds = range(options.rounds)
    say("baseline: init beside walk + sha256")
    for _ in rounds:
        found["hash"].append(timed([walk, "-h", tree]))
        found["init"].append(timed([fsaudit, "baseline", "init", "--replace", *place]))
    say("baseline: check beside walk")
    for _ in range(3 * options.rounds):
        found["walk"].append(timed([walk, tree]))
        found["check"].append(timed([fsaudit, "check", *place]))

    def ratios(over, under, key):
        return [a[key] / b[key] for a, b in zip(found[over], found[under])]

    table.add(f"check of {objects:,} objects, nothing changed / bare walk, time", ratios("check", "walk", "wall"), 3, 1.3, " x")
    table.add("  the same, CPU time", ratios("check", "walk", "cpu"), 3, 1.3, " x")
    table.add("baseline init, sha256 / walk + libcrypto, time", ratios("init", "hash", "wall"), 1.3, 1.1, " x")
    table.add("  peak memory of init", [r["peak_kb"] / 1024 for r in found["init"]], 64, 32, " MB")
    table.add("  peak memory of check", [r["peak_kb"] / 1024 for r in found["check"]], 64, 48, " MB")

    say("baseline: aide's database")
    theirs = f"{scratch}/aide.conf"
    with open(theirs, "w") as file:
        file.write(f"database_out=file:{scratch}/aide.db\ngzip_dbout=no\n{tree} {RULES}\n")
    found["aide init"] = [timed(["aide", "-c", theirs, "-i"])]
    table.add("database / aide's, uncompressed", [os.path.getsize(database) / os.path.getsize(f"{scratch}/aide.db")], 1, 0.75, " x")
    results["baseline"] = found
    shutil.rmtree(tree)
