"""Many sessions: what each takes, what a connection costs beside them, how long the relay needs after the broker has cut
all, and what the sessions that stayed up, or that share the relay with a large transfer, notice."""

import threading

import measure
from subjects import Failure
from table import figure
from world import Load

TALKERS, RATE = 100, 1000  # devices that stay up, and their messages/s


class Peak:
    """The most memory that a subject takes while something is done."""

    def __init__(self, pids):
        self.pids, self.most, self.done = pids, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.done.wait(0.1):
            self.most = max(self.most, (measure.memory_kib(self.pids) or (0, 0))[0])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


class Scale:
    def __init__(self, world, subjects, options, progress):
        self.world, self.subjects, self.progress = world, subjects, progress
        self.sizes = [50, 100, 200] if options.quick else [100, 2_000, 18_000]
        self.storm, self.bulk, self.seconds = (100, 16, 1) if options.quick else (10_000, 1024, 5)
        self.figures = {}  # title → subject → {"value", "note"}
        self.failures = []

    @staticmethod
    def devices(quick):
        return {"P-256": 500 if quick else 18_300, "RSA": 0}

    def add(self, title, subject, value, note=""):
        self.figures.setdefault(title, {})[subject.name] = {"value": value, "note": note}

    def most(self, subject, threads, wanted):
        """One process holds no more sessions than it may have descriptors; each session needs two."""
        processes = subject.processes_for(threads)
        return min(wanted, int(processes * (self.world.descriptors - 600) / 2 * (0.9 if processes > 1 else 1)))

    def sessions(self, subject, threads):
        for wanted in self.sizes:
            count = self.most(subject, threads, wanted)
            note = f" (of {count:,})" if count < wanted else ""
            self.progress(f"{subject.name}: {count:,} sessions")
            with Load(subject, ["hold", "--devices", count, "--in-flight", 64]) as holders:
                holders.ready()
                before = measure.Snapshot(subject)
                holders.work()
                if wanted == self.sizes[-1]:
                    used = measure.Snapshot(subject).since(before, count)
                    for part, name in (("user space", "user_kib"), ("kernel", "kernel_kib")):
                        if name in used:
                            self.add(f"idle session of {wanted:,}, {part}, KiB", subject, used[name], note)
                with Load(subject, ["connect", "--devices", 100 if wanted < 1000 else 200, "--in-flight", 8],
                          first=self.sizes[-1]) as load:
                    load.ready()
                    before = measure.Snapshot(subject)
                    units = load.work()["units"]
                    cost = measure.Snapshot(subject).since(before, units)["cpu_us"]
                    self.add(f"connection beside {wanted:,} sessions, µs", subject, cost, note)

    def beside(self, subject, what, disturbance):
        """Measures the talkers' latency while a second load generator disturbs the relay. Returns how long the disturbance
        took, and the subject's peak memory as a multiple of its memory before."""
        talk = ["latency", "--devices", TALKERS, "--rate", RATE, "--seconds", self.seconds, "--passes", 2, "--until-told"]
        with Load(subject, disturbance, first=TALKERS) as other, Load(subject, talk) as talkers:
            other.ready()
            quiet = talkers.step()["us"]
            talkers.ready()
            pids = measure.tree(subject.pids())
            steady = (measure.memory_kib(pids) or (0, 0))[0]
            with Peak(pids) as peak:
                talkers.say("go")
                seconds = other.work()["seconds"]
                busy = talkers.work()["us"]
            for name in ("p50", "p99"):
                self.add(f"round trip, quiet, {name}, µs", subject, quiet[name])
                self.add(f"round trip beside {what}, {name}, µs", subject, busy[name])
            return seconds, peak.most / steady if steady else None

    def storms(self, subject, threads):
        count = self.most(subject, threads, self.storm)
        self.progress(f"{subject.name}: {count:,} devices connect again")
        seconds, memory = self.beside(subject, "the storm", ["return", "--devices", count, "--in-flight", 500])
        note = f" (of {count:,})" if count < self.storm else ""
        self.add(f"{self.storm:,} devices back after, s", subject, seconds, note)
        self.add("peak memory meanwhile, of before", subject, memory)

    def transfer(self, subject, _):
        self.progress(f"{subject.name}: one device sends {self.bulk:,} MiB")
        seconds, _ = self.beside(subject, f"{self.bulk:,} MiB of one device", ["bulk-up", "--mib", self.bulk])
        self.add(f"{self.bulk:,} MiB of one device take, s", subject, seconds)

    def run(self):
        for subject in self.subjects:
            for step, threads in ((self.sessions, 3), (self.transfer, 1), (self.storms, 2)):
                try:
                    subject.start(threads, self.sizes[-1] + 300)
                    self.world.warm_up(subject)
                    step(subject, threads)
                except Failure as error:
                    self.failures.append(f"FAILED: {subject.name}: {error}\n{subject.said()}")
                finally:
                    subject.stop()

    def text(self):
        names = [subject.name for subject in self.subjects]
        out = [f"{'':<52}" + "".join(f"{name:>18}" for name in names)]
        for title, cells in self.figures.items():
            texts = [figure(cells[name]["value"]) + cells[name]["note"] if name in cells else "-" for name in names]
            out.append(f"{title:<52}" + "".join(f"{text:>18}" for text in texts))
        return "\n".join(out + self.failures)
