#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Fragments of real captures: packets and octets of every 5-tuple are what follows
from tshark's headers, if fragments have the ports of the last first fragment in
front of them with their addresses, protocol and identification. Where tshark
puts a datagram together, these are the ports that it finds in the whole.
"""
# root: no
# timeout: 120
import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / "xflow-probe"
CAPTURES = pathlib.Path(os.environ.get("XFLOW_CAPTURES", ROOT.parent / "shared/captures"))
FILES = [f"encapsulation/{name}.pcap" for name in (
    "fragmented-1", "fragmented-2", "fragmented-3", "fragmented-4", "fragmented-syn",
    "ipv6-fragmented-dns", "ipv6-http-atomic-frag")] + ["floods/amp.dns.RRSIG.fragmented.pcap"]
PORTS = {"tcp": "6", "udp": "17"}
FIELDS = ["frame.number", "ip.src", "ip.dst", "ip.proto", "ip.len", "ip.id", "ip.flags.mf",
          "ip.frag_offset", "ip.reassembled_in", "ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.plen",
          "ipv6.fraghdr.nxt", "ipv6.fraghdr.ident", "ipv6.fraghdr.more", "ipv6.fraghdr.offset",
          "ipv6.reassembled.in", *(f"{p}.{end}port" for p in PORTS for end in ("src", "dst"))]


def tshark(path, has_reassembly):
    """Fields of every IP packet by frame number."""
    options = [o for name in ("ip.defragment", "ipv6.defragment")
               for o in ("-o", f"{name}:{str(has_reassembly).upper()}")]
    out = subprocess.run(["tshark", "-n", "-2", "-r", path, *options, "-T", "fields", "-E",
                          "occurrence=f", *(o for name in FIELDS for o in ("-e", name))],
                         capture_output=True, text=True, check=True)
    rows = (dict(zip(FIELDS, line.split("\t"))) for line in out.stdout.splitlines())
    return {r["frame.number"]: r for r in rows if r["ip.src"] or r["ipv6.src"]}


def ports_of(r):
    for p in PORTS:
        if r[p + ".srcport"]:
            return r[p + ".srcport"], r[p + ".dstport"]
    return "0", "0"


def facts(r):
    """Addresses, protocol, identification, whether it is a fragment, offset and octets."""
    if r["ip.src"]:
        offset = int(r["ip.frag_offset"])
        return (r["ip.src"], r["ip.dst"], r["ip.proto"], r["ip.id"],
                offset > 0 or r["ip.flags.mf"] in ("1", "True"), offset, int(r["ip.len"]))
    offset = int(r["ipv6.fraghdr.offset"] or 0)
    protocol = r["ipv6.fraghdr.nxt"] or r["ipv6.nxt"]
    for p in PORTS:  # behind more extension headers
        protocol = PORTS[p] if r[p + ".srcport"] else protocol
    return (r["ipv6.src"], r["ipv6.dst"], protocol,
            r["ipv6.fraghdr.ident"], offset > 0 or r["ipv6.fraghdr.more"] in ("1", "True"), offset,
            40 + int(r["ipv6.plen"]))


def expected(path):
    """Sums by 5-tuple, and the number of fragments whose ports tshark confirms."""
    whole, firsts, sums = tshark(path, True), {}, collections.Counter()
    n_confirmed = 0
    for number, r in tshark(path, False).items():
        src, dst, protocol, identification, is_fragment, offset, octets = facts(r)
        datagram = (src, dst, protocol, identification)
        if not offset:
            ports = ports_of(r)
            if is_fragment:
                firsts[datagram] = ports
        else:
            ports = firsts.get(datagram, ("0", "0"))
        reassembled = whole[number]["ip.reassembled_in"] or whole[number]["ipv6.reassembled.in"]
        found = ports_of(whole[reassembled or number])
        if is_fragment and datagram in firsts and found != ("0", "0"):
            assert ports == found, f"{path}: frame {number} has ports {found}, not {ports}"
            n_confirmed += 1
        sums[src, dst, protocol, *ports, "packets"] += 1
        sums[src, dst, protocol, *ports, "octets"] += octets
    return sums, n_confirmed


def metered(path):
    out = subprocess.run([PROBE, "-r", path, "-o", "json"], capture_output=True, text=True,
                         check=True)
    sums = collections.Counter()
    for f in map(json.loads, out.stdout.splitlines()):
        if f["type"] != "flow":
            continue
        key = (f.get("sourceIPv4Address") or f["sourceIPv6Address"],
               f.get("destinationIPv4Address") or f["destinationIPv6Address"],
               str(f["protocolIdentifier"]), str(f.get("sourceTransportPort", 0)),
               str(f.get("destinationTransportPort", 0)))
        sums[*key, "packets"] += f["packetDeltaCount"]
        sums[*key, "octets"] += f["octetDeltaCount"]
    return sums


def main():
    if not CAPTURES.is_dir():
        print(f"no captures at {CAPTURES}")
        return 77
    n_failed = n_confirmed = 0
    for name in FILES:
        (theirs, n), ours = expected(CAPTURES / name), metered(CAPTURES / name)
        n_confirmed += n
        for key in sorted(ours.keys() | theirs.keys()):
            if key[2] in PORTS.values() and ours[key] != theirs[key]:
                print(f"{name}: {key}: {ours[key]}, expected {theirs[key]}")
                n_failed += 1
        print(f"{name}: {len(theirs) // 2} 5-tuples, {n} fragments put together by tshark")
    return 1 if n_failed or n_confirmed < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
