"""What a unit of work costs in things that can be counted: system calls, with strace; bytes copied and allocations, with a
library that the dynamic loader puts into every process of a relay (tally.cpp). Both slow a relay down, so they have
rounds of their own."""

import os
import re
import struct
import subprocess
from pathlib import Path

import measure
from subjects import Failure


class Trace:
    """System calls of the processes until stop(): {program: {call: count}}."""

    def __init__(self, pids, folder):
        self.traces = []
        for pid in pids:
            name, out = measure.program(pid), folder / f"strace.{pid}"
            process = subprocess.Popen(["strace", "-f", "-c", "-p", str(pid), "-o", str(out)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.traces.append((name, out, process))
            line = process.stderr.readline()
            if "attached" not in line:
                self.stop()
                raise Failure(f"strace can't attach to {name}: {line.strip()}")

    def stop(self):
        counts = {}
        for name, out, process in self.traces:
            process.terminate()
            process.communicate()
            mine = counts.setdefault(name, {})
            for line in out.read_text().splitlines() if out.exists() else []:
                row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
                if row and row[2] != "total":
                    mine[row[2]] = mine.get(row[2], 0) + int(row[1])
        return counts


class Tally:
    """Starts processes with the counting library: in a mount namespace of their own, where /etc/ld.so.preload names it,
    because keyd and relayd start theirs with an empty environment. The library lies beside the C library, where
    sandboxed programs may still load it."""

    NAME = "mqtt-relay-bench-tally.so"

    def __init__(self, world):
        self.library = world.programs / "bench_tally.so"
        self.layer = world.folder / "layers"
        self.layer.mkdir()
        self.pids = []
        self.beside = next(Path(line.split()[-1]).parent for line in Path("/proc/self/maps").read_text().splitlines()
                           if "/libc.so" in line)
        symbols = subprocess.run(["nm", "-D", self.library], capture_output=True, text=True, check=True).stdout
        self.offset = int(next(line.split()[0] for line in symbols.splitlines() if line.endswith(" bench_tally")), 16)

    def command(self, command):
        return ["unshare", "--mount", "sh", "-ec", f"""
            cd {self.layer}
            mount -t tmpfs tmpfs .
            cd {self.layer}
            mkdir etc lib work1 work2
            echo {self.beside}/{self.NAME} >etc/ld.so.preload
            cp {self.library} lib/{self.NAME}
            chmod 755 lib/{self.NAME}
            mount -t overlay overlay -o lowerdir={self.beside},upperdir=lib,workdir=work1 {self.beside}
            mount -t overlay overlay -o lowerdir=/etc,upperdir=etc,workdir=work2 /etc
            cd /
            exec "$@" """, "sh", *command]

    def read(self, pids):
        """{what: count} of these processes together."""
        self.pids = pids
        copied = allocations = 0
        for pid in pids:
            maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
            base = next((int(line.split("-")[0], 16) for line in maps if line.endswith(self.NAME)), None)
            if base is None:
                raise Failure(f"the counting library is not in {measure.program(pid)} (process {pid})")
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(base + self.offset)
                mine = struct.unpack("QQ", memory.read(16))
            copied, allocations = copied + mine[0], allocations + mine[1]
        return {"bytes copied": copied, "allocations": allocations}

    def since(self, before, units):
        return {name: (count - before[name]) / units for name, count in self.read(self.pids).items()}


def possible():
    """Why nothing can be counted here, or nothing."""
    if os.geteuid() != 0:
        return "only root can count system calls, copies and allocations"
    overlay = ("cd /mnt; mount -t tmpfs tmpfs .; cd /mnt; mkdir upper work; "
               "mount -t overlay overlay -o lowerdir=/etc,upperdir=upper,workdir=work /etc")
    for command in (["strace", "-o", "/dev/null", "true"], ["unshare", "--mount", "sh", "-ec", overlay]):
        try:
            if subprocess.run(command, capture_output=True).returncode == 0:
                continue
        except FileNotFoundError:
            pass
        return f"'{' '.join(command)}' does not work here"
    return None


def per_unit(counts, units):
    """{call: count} of all programs together, for a unit of work."""
    total = {}
    for calls in counts.values():
        for call, count in calls.items():
            total[call] = total.get(call, 0) + count
    return {call: count / units for call, count in sorted(total.items(), key=lambda item: -item[1])}
