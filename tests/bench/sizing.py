"""The costs from which `mqtt-relay size` reckons, measured on this machine, and what it predicts from them beside what
happens."""

import statistics
from pathlib import Path

import measure
from world import Load

ROWS = "idle", "connection", "single", "up"
SESSIONS, STORM = 5_000, 4_000
THREADS, STORMS = 2, 3


def devices(quick):
    """How many the checks need."""
    return 300 if quick else SESSIONS


class Sizing:
    def __init__(self, bench):
        self.bench, self.world, self.subject = bench, bench.world, bench.subjects[0]
        self.costs, self.checks = {}, []

    def median(self, title, figure=None):
        seen = self.bench.figures.more[title][self.subject.name]
        if not figure:
            return self.bench.figures.median(title, self.subject.name)
        return statistics.median(figure(each) for each in seen)

    def run(self):
        self.bench.run()
        if self.bench.figures.failures:
            return
        new, known = "connection, device new", "connection, device known"
        empty = [self.empty(threads) for threads in (1, 1 + THREADS)]
        worker = (empty[1] - empty[0]) / THREADS / 1024
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        self.costs = {
            "connection_new_us": self.median(new), "connection_known_us": self.median(known),
            "connection_thread_us": max(self.median(each, lambda seen: seen["first_threads_us"]["keyd"])
                                        for each in (new, known)),
            "message_us": self.median("message, 64 B, one at a time"),
            "message_kib_us": self.median("MiB from a device") / 1024,
            "session_user_kib": self.median("idle session, user space"),
            "session_kernel_kib": self.median("idle session, kernel"),
            "worker_mib": worker, "base_mib": empty[0] / 1024 - worker, "ports": high - low + 1}
        peers = self.median(new, lambda seen: seen["load_us"] + seen["broker_us"])
        self.check_memory()
        self.check_storm(peers)

    def start(self, threads):
        self.subject.start(threads, self.world.devices["P-256"])
        self.world.warm_up(self.subject)

    def empty(self, threads):
        """KiB of all processes without a session."""
        try:
            self.start(threads)
            return measure.memory_kib(measure.tree(self.subject.pids()))[0]
        finally:
            self.subject.stop()

    def check_memory(self):
        count = devices(self.bench.options.quick)
        try:
            self.start(THREADS)
            with Load(self.subject, ["hold", "--devices", count, "--in-flight", 64]) as load:
                load.ready()
                kernel = self.subject.account.kernel_kib()
                load.work()
                measured = measure.memory_kib(measure.tree(self.subject.pids()))[0]
                measured += self.subject.account.kernel_kib() - kernel
        finally:
            self.subject.stop()
        cost = self.costs
        predicted = (cost["session_user_kib"] + cost["session_kernel_kib"]) * count
        predicted += (cost["worker_mib"] * THREADS + cost["base_mib"]) * 1024
        self.checks.append((f"memory with {count:,} sessions, MiB", predicted / 1024, measured / 1024))

    def storm(self, count):
        """(seconds until all are back, µs of processor time for each)"""
        try:
            self.start(THREADS)
            with Load(self.subject, ["return", "--devices", count, "--in-flight", 500]) as load:
                load.ready()
                before = measure.Snapshot(self.subject)
                seconds = load.work()["seconds"]
                return seconds, measure.Snapshot(self.subject).since(before, count)["cpu_us"]
        finally:
            self.subject.stop()

    def check_storm(self, peers):
        """All cores busy. The load generator and the broker, which cost `peers` µs a connection, need the same two."""
        count = min(STORM, devices(self.bench.options.quick))
        seconds, used = map(statistics.median, zip(*(self.storm(count) for _ in range(STORMS))))
        # By the kernel's hash, half of the devices come to the worker that has seen them.
        cost = (self.costs["connection_new_us"] + self.costs["connection_known_us"]) / 2
        self.checks.append((f"a connection while {count:,} devices return, µs", cost, used))
        self.checks.append((f"{count:,} devices are back after, s", count * (cost + peers) / 1e6 / 2, seconds))

    def text(self):
        if self.bench.figures.failures:
            return "\n".join(f"FAILED: {what}: {why}" for (what, _), why in self.bench.figures.failures.items())
        out = [f"{name:<24}{value:>12,.2f}" for name, value in self.costs.items()]
        out += ["", f"{'':<48}{'predicted':>12}{'measured':>12}{'ratio':>8}"]
        out += [f"{what:<48}{predicted:>12,.2f}{measured:>12,.2f}{measured / predicted:>8.2f}"
                for what, predicted, measured in self.checks]
        words = " ".join(f"--cost {name}={value:.6g}" for name, value in self.costs.items())
        return "\n".join([*out, "", f"mqtt-relay size --devices … {words}"])
