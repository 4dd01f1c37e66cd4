# SPDX-License-Identifier: BSD-2-Clause
"""Sections of results.md: one of each data set, each as it was last measured."""
import pathlib

from matching import percentile, tally, wilson

HEAD = """# What the detectors find

Written by `make evaluate`; each data set has its own section, none is summed up with
another. Intervals are Wilson's, of 95 %. `right` counts incidents of which class,
attacker and victim (and port, and whether the sources are forged) are all told right.
Time to detect is from the first packet to the first record, in packet time, of incidents
of 50 packets/s and more. Records are those of an incident in all: start, updates, end.
"""


def share(hits, n):
    if not n:
        return "-"
    low, high = wilson(hits, n)
    return f"{hits}/{n} = {hits / n:.3f} [{low:.3f}, {high:.3f}]"


def number(value):
    return "-" if value is None else f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def detector_table(runs, without=()):
    """without: detectors that do not exist yet."""
    rows = []
    for detector, one in tally(runs).items():
        if not one.labels and not one.false:
            continue
        if detector in without:
            rows.append([detector, f"no detector yet: {one.labels} incidents", "", "", "", "", ""])
            continue
        delays, records = one.delays(), one.records()
        rows.append([detector, share(*one.precision()), share(*one.recall()), share(*one.right()),
                     number(percentile(delays, 0.5)), number(percentile(delays, 0.95)),
                     f"{sum(records) / len(records):.1f}, {max(records)}" if records else "-"])
    return table(["detector", "precision", "recall", "right", "time to detect p50, s", "p95, s",
                  "records, mean and most"], rows)


def kind_table(runs, without=()):
    kinds = {}
    for detector, one in tally(runs).items():
        if detector in without:
            continue
        for label, its in one.found:
            row = kinds.setdefault(label["kind"], [0, 0, [], []])
            row[0] += 1
            row[1] += 1
            row[2].append(its[0].at - label["begin"])
            row[3] += its[0].wrong()
        for label in one.missed:
            kinds.setdefault(label["kind"], [0, 0, [], []])[0] += 1
    return table(["kind of incident", "incidents", "found", "slowest, s", "told wrong"],
                 [[kind, n, found, number(max(delays, default=None)),
                   ", ".join(f"{w} {wrong.count(w)}" for w in sorted(set(wrong)))]
                  for kind, (n, found, delays, wrong) in sorted(kinds.items())])


def where(told):
    return f"{told.source or '-'} to {told.destination or '-'}"


def problems(runs, without=()):
    """Each false alarm, miss and mistake, a line each."""
    lines = []
    for name, (labels, told) in runs:
        for detector, one in tally([(labels, told)]).items():
            for false in one.false:
                of = f", in {false.label['kind']}" if false.label else ""
                lines.append(f"- {name}: false alarm of {detector}{of}, {where(false)}: "
                             f"{false.last['reason']}")
            if detector in without:
                continue
            for label in one.missed:
                lines.append(f"- {name}: missed {label['kind']}, {label.get('source') or '-'} to "
                             f"{label.get('destination') or '-'}")
            for label, its in one.found:
                if its[0].wrong():
                    lines.append(f"- {name}: {label['kind']} told with wrong "
                                 f"{', '.join(its[0].wrong())}: {its[0].last['class']} "
                                 f"{its[0].last['subclass']}, {where(its[0])}")
    return lines or ["None missed, none told wrong, no false alarm."]


def write_section(path, title, lines):
    """Put the section into the file in place of the old one of this title."""
    path = pathlib.Path(path)
    text = path.read_text(encoding="utf-8") if path.exists() else HEAD
    parts = text.split("\n## ")
    sections = dict(part.split("\n", 1) for part in parts[1:])
    sections[title] = "\n" + "\n".join(lines) + "\n"
    path.write_text("\n## ".join([HEAD] + [f"{name}\n{body}" for name, body in sections.items()]),
                    encoding="utf-8")
