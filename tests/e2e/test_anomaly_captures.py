#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What real traffic raises: each capture of XFLOW_CAPTURES/scans and floods gives the
events that the thresholds say, and no others; ordinary and encapsulated traffic, and
our own captures, give none. Damaged packets may, but break nothing. Each file gives
the same events in a second run.
"""
# root: no
# timeout: 240
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / ".output/san/xflow-probe"
WRITE_CAPTURES = ROOT / ".output/tests/e2e/write_captures"
CAPTURES = pathlib.Path(os.environ.get("XFLOW_CAPTURES", ROOT.parent / "shared/captures"))

# (class, subclass, source, destination, port) of each start
EXPECTED = {
    # 9 addresses on one port in 104 minutes: at most 2 in any 300 s, and 15 (of a source
    # that had no success at 9 in a row: 9) are a scan. Slow would be 50 in a day.
    "scans/445_scan.pcap": [],
    # 10 addresses, ports 80, 88 and 8080, in 224 minutes: at most 2 in any 300 s
    "scans/multiport_scan.pcap": [],
    # 10 ports of one host in 0.2 ms: below 15, and 192.168.2.154 is one of ours
    "scans/port_scan.pcap": [],
    # 9 addresses (the tenth is the source's own) from one of ours: 15 * 10 are a scan
    "scans/scan_with_zero_windows.pcap": [],
    # answers to what somebody else sent in our name, for a day: no contact of anybody's
    "scans/backscatter.trace": [],
    # 23620 SYN in the first second, five times 1000 and more
    "floods/pkt.TCP.synflood.spoofed.pcap":
        [("syn-flood", "syn", None, "10.10.10.10", 25565)],
    # 895 and 8744 SYN, all but a few with ECE and CWR, in the last two seconds
    "floods/pkt.TCP.DOMINATE.syn.ecn.cwr.pcapng":
        [("syn-flood", "syn", None, "10.10.10.10", 30120)],
    # 6651 SYN-ACK in 0.15 s; 14 servers' answers by SNMP, of 1443 octets (10 are enough
    # from 1000 octets on)
    "floods/amp.TCP.reflection.SYNACK.pcap":
        [("reflection", "syn-ack", None, "10.10.10.10", None),
         ("reflection", "snmp", None, "10.10.10.10", None)],
    # 12 to 18 servers in 10 s, their answers in two fragments or more, up to 1500 octets each
    "floods/amp.dns.RRSIG.fragmented.pcap":
        [("reflection", "dns", None, "10.10.10.10", None)],
    # made anonymous with addresses drawn at random, the sender's from 224.0.0.0/4
    "encapsulation/gtp10_not_0xff.pcap":
        [("protocol-violation", "group-source", "237.56.101.238", "247.56.43.214",
          None)],
    "encapsulation/gtp1_gn_normal_incl_fragmentation.pcap":
        [("protocol-violation", "group-source", "239.114.155.111", "63.94.149.181",
          None)],
    # fragments at offset 65528, made to be beyond what can be put together
    "encapsulation/ipv6-reassembly-state-leak.pcap":
        [("protocol-violation", "oversized-fragment", None, None, None)],
}
SPOOFED = {"floods/pkt.TCP.synflood.spoofed.pcap", "floods/pkt.TCP.DOMINATE.syn.ecn.cwr.pcapng"}
QUIET = ["flows", "encapsulation"]

failures = []


def check(is_true, path, what):
    if not is_true:
        failures.append(f"{path}: {what}")


def detect(path):
    """Run the probe; returns the finished process and its events."""
    done = subprocess.run([PROBE, "-r", path, "-o", "none", "--detect-anomalies"],
                          capture_output=True, text=True, check=False)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def sides(event):
    return (event["class"], event["subclass"], event.get("sourceIPv4Address"),
            event.get("destinationIPv4Address"), event.get("destinationTransportPort"))


def check_life(path, events):
    """One start and one end each, in order, and at most a few records."""
    for event_id in {e["eventId"] for e in events}:
        states = [e["state"] for e in events if e["eventId"] == event_id]
        check(states[0] == "start" and states[-1] == "end" and
              states[1:-1] == ["update"] * (len(states) - 2) and len(states) <= 3,
              path, f"states {states}")
    for e in events:
        check(e["reason"] and e["value"] >= e["threshold"] / 2, path, f"no good reason: {e}")


def check_known(name, expected):
    path = CAPTURES / name
    done, events = detect(path)
    again = detect(path)[1]
    starts = [sides(e) for e in events if e["state"] == "start"]
    check(done.returncode == 0 and not done.stderr, path, f"failed: {done.stderr}")
    check(sorted(starts, key=str) == sorted(expected, key=str), path,
          f"expected {expected}, got {starts}")
    check(events == again, path, "a second run gives other events")
    check_life(path, events)
    if name in SPOOFED:
        check(all(e["evidence"].get("spoofedLikely") for e in events), path, "not spoofed")


def check_quiet(path):
    done, events = detect(path)
    check(done.returncode in (0, 2) and "Sanitizer" not in done.stderr, path, done.stderr)
    check(not events, path, f"raised {[e['reason'] for e in events]}")


def check_sound(path):
    done, _ = detect(path)
    check(done.returncode in (0, 2) and "Sanitizer" not in done.stderr, path, done.stderr)


def files(folder):
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and "expected" not in p.parts]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([WRITE_CAPTURES, folder], check=True)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(check_sound, p) for p in files(folder)]
            if CAPTURES.is_dir():
                jobs += [pool.submit(check_known, *item) for item in EXPECTED.items()]
                jobs += [pool.submit(check_quiet, p) for f in QUIET for p in files(CAPTURES / f)
                         if str(p.relative_to(CAPTURES)) not in EXPECTED]
                jobs += [pool.submit(check_sound, p) for p in files(CAPTURES / "malformed")]
            for job in jobs:
                job.result()
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
