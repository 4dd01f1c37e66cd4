#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The yardstick of `make evaluate` is straight: the generator writes what its labels say,
the same for the same seed; an event is matched with the incident it is about and with
no other; and the probe finds what is in a small capture, no more.
"""
# root: no
# timeout: 60
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/evaluation"))

import matching  # noqa: E402
import report  # noqa: E402

TRAFFIC = ROOT / "tests/evaluation/traffic.py"
PROBE = ROOT / ".output/san/xflow-probe"


def generate(folder, seed):
    subprocess.run([TRAFFIC, "tiny", str(seed), f"{folder}/pcap", f"{folder}/labels"], check=True)
    with open(f"{folder}/labels", encoding="ascii") as lines:
        return pathlib.Path(f"{folder}/pcap").read_bytes(), [json.loads(line) for line in lines]


def packets(capture):
    """(time, source, destination) of each frame of IPv4, read with nothing of the generator's."""
    at = 24
    while at < len(capture):
        sec, ns, kept, _ = struct.unpack_from("<IIII", capture, at)
        frame = capture[at + 16:at + 16 + kept]
        at += 16 + kept
        if frame[12:14] == b"\x08\x00":
            yield (sec + ns / 1e9, ".".join(map(str, frame[26:30])),
                   ".".join(map(str, frame[30:34])))


def label(**other):
    return {"kind": "a scan", "detector": "scan", "class": ["port-scan"], "subclass": ["syn"],
            "begin": 1000.0, "end": 1010.0, "rate": 100, "source": "192.0.2.1",
            "destination": "10.0.0.1"} | other


def event(state="start", at="1970-01-01T00:16:41.000Z", **other):
    return {"type": "event", "eventId": 1, "state": state, "class": "port-scan", "subclass": "syn",
            "sourceIPv4Address": "192.0.2.1", "destinationIPv4Address": "10.0.0.1",
            "observationTime": at, "flowStartMilliseconds": "1970-01-01T00:16:40.000Z",
            "flowEndMilliseconds": at, "reason": "because", "evidence": {}} | other


def scan_tally(labels, events):
    return matching.tally([(labels, matching.match(labels, events))])["scan"]


class Generator(unittest.TestCase):
    def test_the_same_seed_gives_the_same_capture_and_another_does_not(self):
        with tempfile.TemporaryDirectory() as folder:
            first, again, other = (generate(folder, seed)[0] for seed in (7, 7, 8))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_labels_say_what_is_in_the_capture(self):
        with tempfile.TemporaryDirectory() as folder:
            capture, labels = generate(folder, 7)
        self.assertEqual(len(labels), 5)
        frames = list(packets(capture))
        for one in labels:
            # attackers and victims take part in one incident only
            who = one.get("source") or one["destination"]
            its = [f for f in frames if who in f[1:]]
            self.assertEqual(len(its), one["frames"], one)
            self.assertAlmostEqual(min(f[0] for f in its), one["begin"], places=6)
            sent = [f[0] for f in its if f[1] == who]
            self.assertLess(abs(max(sent) - one["end"]), 0.1, one)
            if one.get("destination"):
                self.assertTrue(all(one["destination"] in f[1:] for f in its))

    def test_the_probe_finds_all_of_a_small_capture_and_no_more(self):
        with tempfile.TemporaryDirectory() as folder:
            _, labels = generate(folder, 7)
            done = subprocess.run([PROBE, "-r", f"{folder}/pcap", "-o", "none",
                                   "--detect-anomalies"], capture_output=True, text=True, check=True)
        told = matching.match(labels, [json.loads(line) for line in done.stdout.splitlines()])
        self.assertEqual(sorted(t.label["kind"] for t in told), sorted(x["kind"] for x in labels))
        self.assertFalse([fault for t in told for fault in t.wrong()])


class Matching(unittest.TestCase):
    def test_an_event_of_the_incident_is_found_right_and_timed(self):
        end = event("end", "1970-01-01T00:17:40.000Z")
        tally = scan_tally([label()], [event(), end])
        self.assertEqual((tally.recall(), tally.precision(), tally.right()), ((1, 1),) * 3)
        self.assertEqual((tally.delays(), tally.records()), ([1.0], [2]))

    def test_an_event_about_other_hosts_or_another_time_is_a_false_alarm(self):
        others = ({"sourceIPv4Address": "192.0.2.9", "destinationIPv4Address": "10.0.0.9"},
                  {"flowStartMilliseconds": "1970-01-01T01:00:00.000Z",
                   "flowEndMilliseconds": "1970-01-01T01:00:01.000Z"})
        for other in others:
            tally = scan_tally([label()], [event(**other)])
            self.assertEqual((tally.recall(), tally.precision()), ((0, 1), (0, 1)))

    def test_an_event_of_another_detector_is_a_false_alarm_of_that(self):
        labels, events = [label()], [event(**{"class": "syn-flood"})]
        tallies = matching.tally([(labels, matching.match(labels, events))])
        self.assertEqual(tallies["scan"].recall(), (0, 1))
        self.assertEqual(tallies["syn_flood"].precision(), (0, 1))

    def test_what_is_told_wrong_is_named(self):
        none = {"destinationIPv4Address": "10.0.0.1"}
        cases = ((label(subclass=["fin"]), ["class"]),
                 (label(destination="10.0.0.2"), ["destination"]),
                 (label(source=None), ["source"]), (label(port=80), ["port"]),
                 (label(spoofed=True), ["spoofed"]))
        for one, wrong in cases:
            told = matching.match([one], [event(**none)])[0]
            self.assertEqual(told.wrong(), wrong)

    def test_a_second_event_of_an_incident_is_no_false_alarm_but_more_records(self):
        tally = scan_tally([label()], [event(), event(eventId=2)])
        self.assertEqual((tally.precision(), tally.records()), ((1, 1), [2]))

    def test_of_two_incidents_of_a_host_the_one_that_fits_better_is_told_of(self):
        labels = [label(destination="10.0.0.2"), label(), label(source=None, detector="syn_flood")]
        self.assertIs(matching.match(labels, [event()])[0].label, labels[1])
        labels = [label(), label(destination=None, **{"class": ["address-scan"]})]
        sweep = event(**{"class": "address-scan"})
        del sweep["destinationIPv4Address"]
        self.assertIs(matching.match(labels, [sweep])[0].label, labels[1])

    def test_intervals_and_percentiles_are_those_of_the_books(self):
        # E. B. Wilson's interval of 0 and 10 of 10, and of 81 of 263 (A. Agresti)
        for hits, n, low, high in ((10, 10, 0.722, 1), (0, 10, 0, 0.278), (81, 263, 0.255, 0.366)):
            interval = matching.wilson(hits, n)
            self.assertAlmostEqual(interval[0], low, places=3)
            self.assertAlmostEqual(interval[1], high, places=3)
        self.assertEqual(matching.percentile([3, 1, 2, 4], 0.5), 2)
        self.assertEqual(matching.percentile([3, 1, 2, 4], 0.95), 4)

    def test_a_section_is_written_again_in_its_place(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "results.md")
            for title, line in (("a", "1"), ("b", "2"), ("a", "3")):
                report.write_section(path, title, [line])
            self.assertEqual(path.read_text(encoding="utf-8").split("## ")[1:],
                             ["a\n\n3\n\n", "b\n\n2\n"])


if __name__ == "__main__":
    unittest.main()
