#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
tcp_health_compare.py CAPTURE RECORDS: compare what the probe printed live with tshark's
word on the same packets, and with the probe's own when it reads the capture.
"""
import collections
import pathlib
import sys
import tempfile

import tcp_health
import tcp_health_rules

# what depends on the time at which each of two clocks was read
TIMES = {"handshakeClientMicroseconds", "handshakeServerMicroseconds", "flowStartMilliseconds",
         "flowEndMilliseconds"}
ELEMENTS = ("packetDeltaCount", "octetDeltaCount", "retransmittedPacketCount",
            "retransmittedOctetCount", "outOfOrderPacketCount", "zeroWindowPacketCount")
# the least that the harm done by tcp_health_relay.py leaves in a direction with data
LEAST = {"retransmittedPacketCount": 5, "outOfOrderPacketCount": 1}


def reverse_of(flow, flows):
    """The Flow of the other direction that began nearest to this one."""
    source, destination, sport, dport, vlan = flow.packets[0].key
    others = flows.get((destination, source, dport, sport, vlan), ())
    begin = flow.packets[0].time
    return min(others, key=lambda f: abs(f.packets[0].time - begin), default=None)


def compare_flows(flows):
    """Faults of all Flows, and counts of what was compared."""
    faults, counts = [], collections.Counter()
    for key, of_key in flows.items():
        for flow in of_key:
            found, reasons = tcp_health_rules.compare_counts(flow)
            found += tcp_health_rules.compare_header(flow)
            trips, n_trips = tcp_health_rules.compare_round_trips(flow, reverse_of(flow, flows))
            faults += [f"{key}: {fault}" for fault in found + trips]
            counts.update(reasons)
            counts.update({"Flows": 1, "packets": len(flow.packets), "round trips": n_trips})
            for name in ("retransmission", "out_of_order", "zero_window"):
                counts["tshark's " + name] += sum(name in p.analysis for p in flow.packets)
    return faults, counts


def text_of(counts):
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n)


def compare_records(live, read):
    """Faults: elements that differ between the live records and those of the file."""
    of_live, of_file = ({tcp_health.record_key(r): r for r in records}
                        for records in (live, read))
    faults = [] if of_live.keys() == of_file.keys() else ["not the same Flows live"]
    for key in of_live.keys() & of_file.keys():
        for name, value in of_live[key].items():
            if (name in ELEMENTS or "cp" in name or "TCP" in name) and name not in TIMES and \
                    of_file[key][name] != value:
                faults.append(f"{key}: {name} {value}, of the file {of_file[key][name]}")
    return faults


def main(capture, records):
    live = tcp_health.records_of(pathlib.Path(records).read_text())
    with tempfile.TemporaryDirectory(prefix="xflow-health.") as name:
        scratch = pathlib.Path(name)
        flows, faults = tcp_health.read_both(pathlib.Path(capture), scratch, live)
        faults += compare_records(live, tcp_health.meter(capture, scratch))
    more, counts = compare_flows(flows)
    print(text_of(counts))
    faults += more
    if len(live) != 4:
        faults.append(f"{len(live)} Flows, not 4")
    for r in live:
        print({name: r[name] for name in ELEMENTS}, r["handshakeServerMicroseconds"],
              r["handshakeClientMicroseconds"])
        faults += [f"only {r[name]} of {name}" for name, n in LEAST.items() if r[name] < n]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
