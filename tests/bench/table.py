"""The bench's figures as text, as JSON and as a plot."""

import os
import statistics

WIDTH = 31  # of the titles


def figure(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


class Table:
    def __init__(self, bench):
        self.bench, self.figures = bench, bench.figures
        self.names = [subject.name for subject in bench.subjects]

    def values(self, row, title, subject):
        """Of all rounds, without the part of the broker and the load generator where the figure has one."""
        values = self.figures.values.get(title, {}).get(subject, [])
        if row.kind == "latency":
            without = self.figures.median(title, "direct")
            values = [value - without for value in values] if without is not None else []
        return values

    def medians(self):
        """(row, title, median of each subject or None)"""
        for row in self.bench.rows:
            for title in row.titles():
                values = [self.values(row, title, name) for name in self.names]
                yield row, title, [statistics.median(each) if each else None for each in values]

    def incomplete(self):
        """The titles without a figure of ours."""
        return [title for row, title, medians in self.medians()
                if medians[0] is None and (row.kind != "memory" or os.geteuid() == 0)]

    def ratios(self, row, title):
        """Ours to each other's, None if there is none; below 1, ours is better. Each is the median of the rounds' ratios,
        as the figures of a round share its noise."""
        own = self.values(row, title, self.names[0])
        for name in self.names[1:]:
            pairs = [(b, a) if row.kind == "rate" else (a, b) for a, b in zip(own, self.values(row, title, name))]
            ratios = [upper / lower for upper, lower in pairs if upper > 0 and lower > 0]
            yield statistics.median(ratios) if ratios else None

    def head(self, title, columns, width):
        return f"{title:<{WIDTH}}" + "".join(f"{column:>{width}}" for column in columns)

    def text(self):
        out = [self.head("", self.names, 22) + "  " + "".join(f"{': ' + name:>12}" for name in self.names[1:])]
        for row, title, medians in self.medians():
            line = f"{title + ', ' + row.unit:<{WIDTH}}"
            for name, median in zip(self.names, medians):
                values = self.values(row, title, name)
                spread = f" ({figure(min(values))}–{figure(max(values))})" if len(values) > 1 else ""
                line += f"{figure(median) + spread:>22}"
            ratios = ["-" if ratio is None else f"{ratio:.2f}" for ratio in self.ratios(row, title)]
            out.append(line + "  " + "".join(f"{ratio:>12}" for ratio in ratios))
        out += ["", *self.counted(), *self.notes()]
        return "\n".join(out)

    def counted(self):
        """What was counted, for a unit of work."""
        def calls(title, name):
            return sum(self.figures.calls.get(title, {}).get(name, {}).values())

        def tally(what):
            return lambda title, name: self.figures.tallies.get(title, {}).get(name, {}).get(what, 0)

        for what, of in (("system calls", calls), ("context switches", self.switches),
                         ("bytes copied", tally("bytes copied")), ("allocations", tally("allocations"))):
            lines = []
            for row in self.bench.rows:
                for title in row.titles() if row.kind == "time" else []:
                    cells = [of(title, name) for name in self.names]
                    if any(cells):
                        lines.append(f"{title:<{WIDTH}}" + "".join(f"{figure(cell):>22}" for cell in cells))
            if lines:
                yield from [self.head(what[0].upper() + what[1:] + " for each", self.names, 22), *lines, ""]

    def switches(self, title, name):
        seen = self.figures.more.get(title, {}).get(name, [])
        return statistics.median(each["switches"] for each in seen) if seen else 0

    def notes(self):
        if self.bench.rate:
            p50, p99 = (figure(self.figures.median(f"added round trip, {name}", "direct")) for name in ("p50", "p99"))
            yield (f"Round trips are measured at {self.bench.rate:,} messages/s, half of what the slowest can do; without a "
                   f"relay, p50 is {p50} µs and p99 {p99} µs.")
        if "stunnel" in self.names:
            yield "stunnel's context switches are those of threads that still lived at the end."
        if self.figures.tallies:
            yield "Copies are those by memcpy and memmove: not what the compiler inlines, nor the kernel's."
        if self.bench.options.quick:
            yield "This was --quick: every row works, but figures of one brief round mean little."
        yield from self.figures.notes
        if os.geteuid() != 0:
            yield "Only root can measure the memory of keyd and relayd, and the kernel's for a session."
        for title in self.incomplete():
            yield f"FAILED: there is no figure for '{title}'."
        for (what, name), why in self.figures.failures.items():
            yield f"FAILED: {what}, {name}: {why}"

    def document(self):
        return {"rounds": self.bench.options.rounds, "latency_rate": self.bench.rate, "subjects": self.names, "rows": [
            {"title": title, "unit": row.unit, "kind": row.kind,
             "median": dict(zip(self.names, medians)),
             "ratio": dict(zip(self.names[1:], self.ratios(row, title))),
             "values": {name: self.values(row, title, name) for name in self.names},
             "seen": self.figures.more.get(title, {}),
             "system_calls": self.figures.calls.get(title, {}), "tallies": self.figures.tallies.get(title, {})}
            for row, title, medians in self.medians()],
            "failures": [f"{what}, {name}: {why}" for (what, name), why in self.figures.failures.items()]}

    def svg(self):
        """A bar for each ratio; the line is where both cost the same."""
        colours = ["#2b6cb0", "#2f855a", "#b7791f", "#718096"]
        bars, height, scale, left = [], 20, 300, 250
        for row, title, _ in self.medians():
            bars.append(f'<text x="{left - 8}" y="{height + 11}" text-anchor="end">{title}</text>')
            for number, (name, ratio) in enumerate(zip(self.names[1:], self.ratios(row, title))):
                if ratio is None:
                    continue
                wide = min(ratio, 1.6) * scale
                colour = colours[number % len(colours)]
                bars.append(f'<rect x="{left}" y="{height}" width="{wide:.0f}" height="12" fill="{colour}"/>'
                            f'<text x="{left + wide + 4:.0f}" y="{height + 11}">{ratio:.2f} : {name}</text>')
                height += 15
            height += 8
        one = left + scale
        return f'''<svg xmlns="http://www.w3.org/2000/svg" width="{one + scale}" height="{height + 20}"
  font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
{"".join(bar + chr(10) for bar in bars)}<line x1="{one}" y1="10" x2="{one}" y2="{height}" stroke="#c53030"/>
<text x="{left}" y="{height + 14}">what mqtt-relay costs, to each peer; left of the line, less</text>
</svg>
'''
