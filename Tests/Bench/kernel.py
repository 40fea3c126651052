"""Kernel audit for the benchmark: one user at a time, and everything put back on every way out."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections import namedtuple

AUDIT_GET, AUDIT_SET = 1000, 1001  # linux/audit.h
ENABLED, PID, BACKLOG_LIMIT, BACKLOG_WAIT_TIME = 1, 4, 0x10, 0x20  # AUDIT_STATUS_*
FIELDS = "mask enabled failure pid rate_limit backlog_limit lost backlog features backlog_wait_time backlog_wait_time_actual"
Status = namedtuple("Status", FIELDS)  # struct audit_status

# The same queue for every consumer; the time (jiffies) is what the kernel may hold the workload up before it drops a record.
SETTINGS = {"backlog_limit": 16384, "backlog_wait_time": 250}
KEY = "fsaudit-bench"


def open_audit(receive_buffer=0):
    """A netlink socket to kernel audit, not registered for anything."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 9)  # NETLINK_AUDIT
    link.bind((0, 0))
    if receive_buffer:
        link.setsockopt(socket.SOL_SOCKET, 33, receive_buffer)  # SO_RCVBUFFORCE
    return link


def send(link, kind, payload=b"", flags=5):  # NLM_F_REQUEST | NLM_F_ACK
    link.send(struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload)


def status():
    with open_audit() as link:
        send(link, AUDIT_GET, flags=1)
        while True:
            message = link.recv(9216)
            if struct.unpack_from("=H", message, 4)[0] == AUDIT_GET:
                return Status(*struct.unpack_from("=11I", message.ljust(60, b"\0"), 16))


def set_status(link, mask, **fields):
    values = {name: fields.get(name, 0) for name in Status._fields} | {"mask": mask}
    send(link, AUDIT_SET, struct.pack("=11I", *values.values()))
    while True:  # records may come before the answer
        message = link.recv(9216)
        if struct.unpack_from("=H", message, 4)[0] == 2:  # NLMSG_ERROR, which is the acknowledgement as well
            code = struct.unpack_from("=i", message, 16)[0]
            if code < 0:
                raise OSError(-code, f"AUDIT_SET: {os.strerror(-code)}")
            return


@contextlib.contextmanager
def laboratory(tree):
    """The kernel to ourselves: auditing on, the one rule on `tree` that all consumers get their records from, an equal queue."""
    rule = ["always,exit", "-F", "arch=b64", "-F", f"dir={tree}", "-F", "perm=wa", "-k", KEY]
    with open("/run/lock/fsaudit-tests.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("   waiting for another test to end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        before = status()
        if before.enabled == 2:
            raise SystemExit("bench: the audit rules are locked until reboot (enabled 2): reboot without -e 2")
        if os.path.exists(f"/proc/{before.pid}/stat"):  # the kernel forgets one that died only when it has something to send
            raise SystemExit(f"bench: an audit daemon runs (pid {before.pid}): stop it first")
        try:
            # In this order neither the rule nor the settings make records.
            subprocess.run(["auditctl", "-a", *rule], check=True, stdout=subprocess.DEVNULL)
            with open_audit() as link:
                set_status(link, BACKLOG_LIMIT | BACKLOG_WAIT_TIME, **SETTINGS)
                set_status(link, ENABLED, enabled=1)
            yield
        finally:
            try:
                with open_audit() as link:
                    set_status(link, ENABLED, enabled=before.enabled)
                    set_status(link, BACKLOG_LIMIT | BACKLOG_WAIT_TIME, **{name: getattr(before, name) for name in SETTINGS})
            finally:
                subprocess.run(["auditctl", "-d", *rule], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
