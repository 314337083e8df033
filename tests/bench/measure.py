"""What the processes of a relay have used: processor time, context switches, memory. Sums over all
processes of a subject and their threads."""

import os
import re
import time
from pathlib import Path


def tree(pids):
    """These processes and all below them."""
    found = []
    for pid in pids:
        found.append(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += tree(map(int, children.read_text().split()))
            except OSError:
                pass
    return found


def program(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip()


def processor_seconds(pids):
    """Of each process. Its own clock counts threads that have ended, too, to the nanosecond."""
    return {pid: time.clock_gettime(~pid << 3 | 2) for pid in pids}  # clock_getcpuclockid(3)


def first_thread_seconds(pids):
    """Of the first thread of each process: what no further core can take off it."""
    return {pid: int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9 for pid in pids}


def context_switches(pids):
    """Of living threads: what a thread did that has ended (stunnel's) is lost."""
    total = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            try:
                total += sum(map(int, re.findall(r"^\w*voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)))
            except OSError:
                pass
    return total


def memory_kib(pids):
    """(proportional, anonymous) KiB in user space; None if this user may not see it."""
    pss = anonymous = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except PermissionError:
            return None
        pss += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
        anonymous += int(re.search(r"^Anonymous:\s+(\d+)", text, re.M)[1])
    return pss, anonymous


class Account:
    """A memory cgroup of a relay's own, in which the kernel accounts for the memory that it takes for the relay: sockets,
    descriptors, page tables, and what waits in sockets' buffers. None, where there is none."""

    ROOTS = (Path("/sys/fs/cgroup/memory"), "memory"), (Path("/sys/fs/cgroup"), "")  # version 1, version 2

    @staticmethod
    def make(name):
        for root, controller in Account.ROOTS:
            own = re.search(rf"^\d+:{controller}:(.*)$", Path("/proc/self/cgroup").read_text(), re.M)
            folder = root / f"mqtt-relay-bench.{os.getpid()}.{name}"
            try:
                folder.mkdir(exist_ok=True)
                account = Account(folder, root / own[1].lstrip("/") if own else root)
                account.kernel_kib()
                return account
            except (OSError, TypeError):
                if folder.exists():
                    folder.rmdir()
        return None

    def __init__(self, folder, outside):
        self.folder, self.outside = folder, outside

    def __enter__(self):
        """Processes that are started until the end belong to the account."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def __exit__(self, *_):
        (self.outside / "cgroup.procs").write_text(str(os.getpid()))

    def kernel_kib(self):
        if (self.folder / "memory.kmem.usage_in_bytes").exists():
            files = (self.folder / f"memory.kmem.{what}usage_in_bytes" for what in ("", "tcp."))
            return sum(int(file.read_text()) for file in files) / 1024
        stat = (self.folder / "memory.stat").read_text()
        return sum(map(int, re.findall(r"^(?:kernel|sock) (\d+)", stat, re.M))) / 1024

    def close(self):
        """The relay has ended, but perhaps not each of its processes."""
        deadline = time.monotonic() + 10
        while self.folder.exists() and time.monotonic() < deadline:
            try:
                self.folder.rmdir()
            except OSError:
                time.sleep(0.01)


class Snapshot:
    """All of the above at a time."""

    def __init__(self, subject):
        pids = tree(subject.pids())
        self.memory, self.kernel = memory_kib(pids), subject.account and subject.account.kernel_kib()
        self.switches, self.seconds = context_switches(pids), processor_seconds(pids)
        self.first_threads = first_thread_seconds(pids)

    def since(self, earlier, units):
        """What a unit of work has cost since then."""
        def by_program(now, then):
            sums = {}
            for pid, seconds in now.items():
                sums[program(pid)] = sums.get(program(pid), 0) + (seconds - then.get(pid, 0)) * 1e6 / units
            return sums

        programs = by_program(self.seconds, earlier.seconds)
        used = {"cpu_us": sum(programs.values()), "programs_us": programs,
                "first_threads_us": by_program(self.first_threads, earlier.first_threads),
                "switches": (self.switches - earlier.switches) / units}
        if self.kernel is not None:
            used["kernel_kib"] = (self.kernel - earlier.kernel) / units
        if self.memory and earlier.memory:
            grown = [(now - then) / units for now, then in zip(self.memory, earlier.memory)]
            used["user_kib"], used["anonymous_kib"] = grown
        return used
