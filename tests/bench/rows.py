"""What the bench does, and what a row of its table means."""

from dataclasses import dataclass


@dataclass
class Row:
    key: str     # for --rows
    what: str    # for messages
    load: list   # arguments of the load generator
    passes: list  # for each of its passes, the titles in the table and the name of the figure in what was seen
    full: dict   # how much work, and how much with --quick
    quick: dict
    unit: str = "µs"
    kind: str = "time"  # time (processor time a unit), memory, latency or rate (units a second)
    devices: str = "P-256"
    threads: int = 1
    apart: bool = False  # with devices of its own, which no other row has shown to the relay

    def amounts(self, quick):
        return self.quick if quick else self.full

    def arguments(self, quick):
        return self.load + [word for name, value in self.amounts(quick).items() for word in (f"--{name}", value)]

    def titles(self):
        return [title for figures in self.passes for title in figures]


def row(key, title, load, full, quick, **more):
    """A row with one title. Times are processor time, rates are units a second."""
    figure = "rate" if more.get("kind") == "rate" else "cpu_us"
    return Row(key, title, load, [{title: figure}], full, quick, **more)


CONNECT = ["connect", "--in-flight", 8]
MESSAGES = ["message", "--devices", 50, "--window"]

ROWS = [
    # The first, while no relay has memory left over from other work.
    Row("idle", "idle session", ["hold"], [{"idle session, user space": "user_kib", "idle session, kernel": "kernel_kib"}],
        {"devices": 1000}, {"devices": 100}, unit="KiB", kind="memory", apart=True),
    Row("connection", "connection", CONNECT + ["--passes", 2],
        [{"connection, device new": "cpu_us"}, {"connection, device known": "cpu_us"}], {"devices": 200}, {"devices": 40}),
    row("tls12", "connection, TLS 1.2", CONNECT + ["--tls", "1.2"], {"devices": 200}, {"devices": 40}),
    row("rsa", "connection, RSA-2048", CONNECT, {"devices": 200}, {"devices": 30}, devices="RSA"),
    row("message", "message, 64 B", MESSAGES + [20, "--size", 64], {"count": 100_000}, {"count": 10_000}),
    row("single", "message, 64 B, one at a time", MESSAGES + [1, "--size", 64], {"count": 40_000}, {"count": 5_000}),
    row("message1k", "message, 1 KiB", MESSAGES + [20, "--size", 1024], {"count": 100_000}, {"count": 10_000}),
    row("up", "MiB from a device", ["bulk-up"], {"mib": 256}, {"mib": 32}),
    row("down", "MiB to a device", ["bulk-down"], {"mib": 256}, {"mib": 32}),
    row("fanout", "message to all, 64 B", ["fanout", "--size", 64], {"devices": 200, "count": 200},
        {"devices": 50, "count": 40}),
    Row("latency", "round trip", ["latency", "--devices", 50, "--size", 64],
        [{"added round trip, p50": "p50", "added round trip, p99": "p99"}], {"seconds": 3}, {"seconds": 0.5},
        kind="latency"),
    row("connections2", "connections on two cores", ["connect", "--in-flight", 32], {"devices": 600}, {"devices": 60},
        unit="/s", kind="rate", threads=2),
    row("messages2", "messages on two cores", MESSAGES + [20, "--size", 64], {"count": 200_000}, {"count": 20_000},
        unit="/s", kind="rate", threads=2),
]
SATURATION = "single"  # half the rate of its slowest subject is the rate for latency


def shared_devices(quick, kind="P-256"):
    """How many devices with this kind of key the rows share; one is for commands to the broker."""
    return 1 + max(each.amounts(quick).get("devices", 50) for each in ROWS if each.devices == kind and not each.apart)


def devices_needed(quick):
    own = sum(each.amounts(quick)["devices"] for each in ROWS if each.apart)
    return {"P-256": shared_devices(quick) + own, "RSA": shared_devices(quick, "RSA")}
