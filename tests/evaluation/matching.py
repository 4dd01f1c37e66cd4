# SPDX-License-Identifier: BSD-2-Clause
"""
Which event tells of which incident, and what follows from it: precision, recall and
the like of each detector.

An event belongs to the incident with which it shares a host and a time. It is right for
its detector if that is the one the incident is for; else, or with no incident, it is a
false alarm. Of an incident told of, the last record says what it was.
"""
import datetime
import math

DETECTORS = ("scan", "distributed", "syn_flood", "reflection", "volume", "violation", "beacon",
             "exfiltration", "dns_tunnel", "icmp_tunnel", "learning")
CLASSES = {"port-scan": "scan", "address-scan": "scan", "block-scan": "scan",
           "syn-flood": "syn_flood", "reflection": "reflection", "ddos": "volume",
           "protocol-violation": "violation", "beacon": "beacon", "exfiltration": "exfiltration",
           "dns-tunnel": "dns_tunnel", "icmp-tunnel": "icmp_tunnel", "learning": "learning"}
EARLY_S = 1  # clocks of live runs
LATE_S = 60  # what comes after an incident may still be told as its


def seconds(text):
    """Of a time of ours: 2023-11-14T22:13:20.123Z"""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Told:
    """All records of one eventId."""

    def __init__(self, records):
        self.records = records
        first, last = records[0], records[-1]
        self.detector = "distributed" if last["subclass"] == "distributed" else \
            CLASSES[last["class"]]
        self.at = seconds(first["observationTime"])
        self.begin = seconds(first["flowStartMilliseconds"])
        self.end = seconds(last["flowEndMilliseconds"])
        self.last = last
        self.source = last.get("sourceIPv4Address", last.get("sourceIPv6Address"))
        self.destination = last.get("destinationIPv4Address", last.get("destinationIPv6Address"))
        self.label = None

    def matches(self, label):
        """How well: 0 for not at all."""
        if self.begin > label["end"] + LATE_S or self.end < label["begin"] - EARLY_S:
            return 0
        same = [side for side in ("source", "destination")
                if label.get(side) and getattr(self, side) == label[side]]
        if "source" in label and label["source"] is None and self.source and \
                self.source == self.destination:
            same = []
        fits = (self.detector == label["detector"]) + (self.last["class"] in label["class"])
        return 3 * len(same) + fits if same else 0

    def wrong(self):
        """What it says wrong about its incident."""
        label, last = self.label, self.last
        faults = []
        if last["class"] not in label["class"] or \
                label["subclass"] and last["subclass"] not in label["subclass"]:
            faults.append("class")
        faults += [side for side in ("source", "destination")
                   if side in label and getattr(self, side) != label[side]]
        if "port" in label and last.get("destinationTransportPort") != label["port"]:
            faults.append("port")
        if "spoofed" in label and \
                bool(last["evidence"].get("spoofedLikely")) != label["spoofed"]:
            faults.append("spoofed")
        return faults


def group(events):
    """Told for each eventId, in order."""
    by_id = {}
    for event in events:
        if event["state"] != "summary":
            by_id.setdefault(event["eventId"], []).append(event)
    return [Told(records) for records in by_id.values()]


def match(labels, events):
    """Returns all Told, each with its label or None."""
    told = group(events)
    for one in told:
        best = max(labels, key=one.matches, default=None)
        if best is not None and one.matches(best):
            one.label = best
    return told


def wilson(hits, n, z=1.96):
    """The 95 % interval of a share; (0, 1) of nothing."""
    if not n:
        return 0.0, 1.0
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(values, share):
    """The smallest value that at least a share of them do not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


class Tally:
    """Of one detector: over all captures of a data set."""

    def __init__(self):
        self.labels = 0
        self.found = []  # (label, its Told of this detector, in order)
        self.missed = []
        self.false = []

    def add(self, detector, labels, told):
        mine = [one for one in told if one.detector == detector]
        self.false += [one for one in mine
                       if one.label is None or one.label["detector"] != detector]
        for label in labels:
            if label["detector"] != detector:
                continue
            self.labels += 1
            its = [one for one in mine if one.label is label]
            if its:
                self.found.append((label, its))
            else:
                self.missed.append(label)

    def recall(self):
        return len(self.found), self.labels

    def precision(self):
        return len(self.found), len(self.found) + len(self.false)

    def right(self, fault=None):
        """Incidents told of of which nothing, or not this, is told wrong."""
        wrong = [its[0].wrong() for _, its in self.found]
        return sum(not (w if fault is None else fault in w) for w in wrong), len(self.found)

    def delays(self, fast_only=True):
        """From the first packet to the first record, of those that come at some speed."""
        return [its[0].at - label["begin"] for label, its in self.found
                if not fast_only or label["rate"] >= 50 or label["detector"] == "violation"]

    def records(self):
        return [sum(len(one.records) for one in its) for _, its in self.found]


def tally(runs):
    """runs: (labels, told) of each capture. Returns a Tally of each detector."""
    tallies = {detector: Tally() for detector in DETECTORS}
    for labels, told in runs:
        for detector in DETECTORS:
            tallies[detector].add(detector, labels, told)
    return tallies
