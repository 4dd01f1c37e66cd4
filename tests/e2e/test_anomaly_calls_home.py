#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A working day of a small network in a capture: a host that calls home every five
minutes, and one that sends 120 MB to a server nobody knew, are told, once each, with
the figures of what is in the file; NTP, update checks, a backup and a video call beside
them are not. With both servers allowed nothing is told.
"""
# root: no
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / ".output/san/xflow-probe"
BEGIN_S = 1700000000
HOURS = 7
GSO_OCTETS = 64000  # IP octets of one packet, most of them cut off
SNAPLEN = 60
SYN, ACK, PSH, FIN = 2, 16, 8, 1

failures = []


def check(is_true, what):
    if not is_true:
        failures.append(what)


def address(text):
    return bytes(map(int, text.split(".")))


def packet(time_s, source, destination, ports, protocol=6, flags=0, octets=0):
    """(time, captured octets, octets on the wire) of an IPv4 packet without link layer."""
    transport = struct.pack("!HHIIBBHHH", *ports, 0, 0, 0x50, flags, 1000, 0, 0)
    if protocol == 17:
        transport = struct.pack("!HHHH", *ports, 8 + octets, 0)
    length = 20 + len(transport) + octets
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, protocol, 0,
                         address(source), address(destination))
    return time_s, (header + transport)[:SNAPLEN], length


def connection(time_s, client, server, port, out=(200,), back=(300,), sport=None):
    """Packets of a TCP connection that sends `out` and gets `back`, octets each."""
    sport = sport or 1024 + int(time_s * 7) % 60000
    there, here = (sport, port), (port, sport)
    packets = [packet(time_s, client, server, there, flags=SYN),
               packet(time_s + .01, server, client, here, flags=SYN | ACK),
               packet(time_s + .02, client, server, there, flags=ACK)]
    packets += [packet(time_s + .03 + i * .02, client, server, there, flags=ACK | PSH, octets=n)
                for i, n in enumerate(out)]
    packets += [packet(time_s + .04 + i * .02, server, client, here, flags=ACK | PSH, octets=n)
                for i, n in enumerate(back)]
    last_s = packets[-1][0] + .02 + .02 * max(len(out), len(back))
    return packets + [packet(last_s, client, server, there, flags=FIN | ACK),
                      packet(last_s + .01, server, client, here, flags=FIN | ACK)]


def query(time_s, client, server, ports):
    return [packet(time_s, client, server, ports, 17, octets=48),
            packet(time_s + .01, server, client, ports[::-1], 17, octets=48)]


def day():
    """All packets, by time."""
    packets = []
    for i in range(HOURS * 12):  # calls home: up to 10 s early or late
        packets += connection(60 + i * 300 + (i * i * i % 21 - 10), "10.0.0.5", "203.0.113.9", 443)
    bulk = [GSO_OCTETS - 40] * 1890
    packets += connection(3 * 3600, "10.0.0.6", "198.51.100.66", 443, out=bulk)
    for i in range(HOURS * 56):
        packets += query(30 + i * 64, "10.0.0.5", "203.0.113.123", (123, 123))
    for i in range(HOURS * 12):
        for host in range(8):
            packets += connection(120 + i * 300 + 11 * host, f"10.0.0.{20 + host}",
                                  "203.0.113.80", 443)
    for hour in (0, 6):  # twice the same, the first time while the network is learned
        packets += connection(hour * 3600 + 600, "10.0.0.7", "198.51.100.7", 873, out=bulk)
    packets += connection(5 * 3600, "10.0.0.8", "198.51.100.8", 443, out=bulk, back=bulk[:1500])
    return sorted(packets)


def write_capture(path, packets):
    with open(path, "wb") as file:
        file.write(struct.pack("!IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, SNAPLEN, 101))
        for time_s, data, length in packets:
            file.write(struct.pack("!IIII", BEGIN_S + int(time_s), int(time_s % 1 * 1e6),
                                   len(data), length) + data)


def detect(path, *more):
    done = subprocess.run([PROBE, "-r", path, "-o", "none", "--detect-anomalies", *more],
                          capture_output=True, text=True, check=False)
    check(done.returncode == 0 and not done.stderr, f"failed: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_beacon(events):
    check([e["state"] for e in events] == ["start", "update", "end"],
          f"states {[e['state'] for e in events]}")
    first, last = events[0], events[-1]
    check(first["sourceIPv4Address"] == "10.0.0.5" and
          first["destinationIPv4Address"] == "203.0.113.9" and
          first["destinationTransportPort"] == 443, f"sides of {first}")
    check(first["evidence"]["connectionCount"] == 24, f"not at the 24th: {first}")
    check(abs(last["evidence"]["intervalMedianMs"] - 300000) <= 5000 and
          0 < last["evidence"]["intervalMadMs"] <= 15000, f"interval of {last}")
    check(first["severity"] == 5 and last["severity"] == 7, "severity does not rise")
    check(first["mitreTechnique"] == "T1071", f"technique of {first}")


def check_exfiltration(events):
    check([e["state"] for e in events][::len(events) - 1 or 1] == ["start", "end"],
          f"states {[e['state'] for e in events]}")
    first = events[0]
    check(first["sourceIPv4Address"] == "10.0.0.6" and
          first["destinationIPv4Address"] == "198.51.100.66", f"sides of {first}")
    check(100 <= first["value"] <= 103 and first["threshold"] == 100, f"value of {first}")
    check(events[-1]["evidence"]["octetsOut"] >= 0.98 * 1890 * GSO_OCTETS,
          f"octets of {events[-1]}")
    check(first["evidence"]["pcr"] > 0.99 and first["visibility"] == "both", f"pcr of {first}")
    check(first["mitreTechnique"] == "T1041", f"technique of {first}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path, config = folder / "day.pcap", folder / "xflow.yaml"
        write_capture(path, day())
        events = detect(path)
        check({e["class"] for e in events} == {"beacon", "exfiltration"} and
              len({e["eventId"] for e in events}) == 2,
              f"raised {[e['reason'] for e in events]}")
        check(events == detect(path), "a second run gives other events")
        if not failures:
            check_beacon([e for e in events if e["class"] == "beacon"])
            check_exfiltration([e for e in events if e["class"] == "exfiltration"])
        config.write_text("anomaly:\n"
                          "  beacon: {allow: [203.0.113.9]}\n"
                          "  exfiltration: {allow: [198.51.100.0/24]}\n", encoding="ascii")
        check(not detect(path, "-c", config), "allowed, but told")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
