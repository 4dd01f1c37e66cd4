#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Every capture file, ours and those of XFLOW_CAPTURES, through `xflow-probe -r`
built with AddressSanitizer and UBSan: files of a link type it knows give a
balanced ledger with as many packets as capinfos counts, and an IPFIX File with
sound times; others are refused. The Flows of flows/ equal tshark's.
"""
# root: no
# timeout: 240
import collections
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/lib"))
import ipfix_wire  # noqa: E402

PROBE = ROOT / ".output/san/xflow-probe"
COLLECTOR = ROOT / "xflow-collector-test"
WRITE_CAPTURES = ROOT / ".output/tests/e2e/write_captures"
CAPTURES = pathlib.Path(os.environ.get("XFLOW_CAPTURES", ROOT.parent / "shared/captures"))

# https://www.tcpdump.org/linktypes.html, and DLT_RAW as two systems write it
SUPPORTED = {0: "null", 1: "Ethernet", 12: "raw", 14: "raw", 101: "raw", 108: "loop",
             113: "cooked", 228: "IPv4", 229: "IPv6", 276: "cooked2"}

failures = []


def check(is_true, path, what):
    if not is_true:
        failures.append(f"{path}: {what}")


def link_type(path):
    """Link-layer type by the file's own header; None for what is no capture file."""
    head = path.read_bytes()[:65536]
    magic = head[:4].hex()
    if magic in ("d4c3b2a1", "4d3cb2a1"):
        return struct.unpack_from("<I", head, 20)[0] & 0xffff
    if magic in ("a1b2c3d4", "a1b23c4d"):
        return struct.unpack_from(">I", head, 20)[0] & 0xffff
    if magic != "0a0d0d0a":
        return None
    order = "<" if head[8:12].hex() == "4d3c2b1a" else ">"
    at = struct.unpack_from(order + "I", head, 4)[0]
    while struct.unpack_from(order + "I", head, at)[0] != 1:
        at += struct.unpack_from(order + "I", head, at + 4)[0]
    return struct.unpack_from(order + "H", head, at + 8)[0]


def count_packets(paths):
    """Packets in each file as capinfos counts them, up to where a file is damaged."""
    out = subprocess.run(["capinfos", "-T", "-r", "-M", "-c", *map(str, paths)],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    pairs = (line.rsplit("\t", 1) for line in out.stdout.splitlines())
    return {pathlib.Path(name): int(n) for name, n in pairs}


def read_capture(path, ipfix):
    """Run the probe; returns the finished process, its Flow Records and its ledger."""
    done = subprocess.run([PROBE, "-r", path, "-o", "json", "--collector", f"file:{ipfix}"],
                          capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    flows = [line for line in lines if line["type"] == "flow"]
    ledgers = [line for line in lines if line["type"] == "ledger"]
    return done, flows, ledgers[0] if ledgers else None


def check_ledger(path, flows, ledger, n_packets):
    check(ledger["balanced"] is True, path, "the ledger does not balance")
    check(ledger["seen_packets"] == n_packets, path,
          f"{n_packets} packets in the file, {ledger['seen_packets']} seen")
    check(ledger["seen_packets"] == ledger["accounted_packets"] + sum(ledger["reasons"].values()),
          path, "seen is not accounted and reasons")
    check(ledger["accounted_packets"] == ledger["exported_packets"], path,
          "accounted packets were not exported")
    check(ledger["accounted_ip_octets"] == ledger["exported_octets"], path,
          "accounted octets were not exported")
    check(sum(f["packetDeltaCount"] for f in flows) == ledger["exported_packets"], path,
          "the records' packets differ from the ledger's")


def check_ipfix(path, ledger, ipfix):
    """start <= end <= second of the Export Time is the collector's time_errors."""
    done = subprocess.run([COLLECTOR, "--read", ipfix, "--summary-only"],
                          capture_output=True, text=True, check=False)
    check(done.returncode == 0, path, f"xflow-collector-test: {done.stdout} {done.stderr}")
    summary = json.loads(done.stdout)
    check(summary["time_errors"] == 0, path, f"{summary['time_errors']} records with bad times")
    check(summary["records"] == ledger["exported_flows"], path, "records were lost")
    check(summary["packets_sum"] == ledger["exported_packets"], path, "packets were lost")
    check(summary["octets_sum"] == ledger["exported_octets"], path, "octets were lost")
    wire = ipfix_wire.Checker()
    wire.read(ipfix)
    check(wire.finish()["records"] == ledger["exported_flows"], path, "records were lost on the wire")
    check(not wire.complaints, path, f"not sound on the wire: {wire.texts}")


def check_refused(path, done):
    check(done.returncode == 2, path, f"exit status {done.returncode} instead of 2")
    check("link type" in done.stderr and "not supported" in done.stderr, path,
          f"no clear refusal: {done.stderr}")


def check_capture(path, n_packets, ipfix):
    """Returns the Flow Records, or None for a file that is refused."""
    kind = link_type(path)
    done, flows, ledger = read_capture(path, ipfix)
    if kind not in SUPPORTED:
        check_refused(path, done)
        return None
    check(done.returncode == 0, path, f"exit status {done.returncode}: {done.stderr}")
    check(ledger, path, "no ledger")
    if ledger:
        check_ledger(path, flows, ledger, n_packets)
        check_ipfix(path, ledger, ipfix)
    return flows


def probe_tuples(flows):
    """Packets and octets by addresses, protocol and ports."""
    sums = collections.Counter()
    for f in flows:
        key = tuple(str(f.get(name, other)) for name, other in (
            ("sourceIPv4Address", f.get("sourceIPv6Address")),
            ("destinationIPv4Address", f.get("destinationIPv6Address")),
            ("protocolIdentifier", 0), ("sourceTransportPort", 0), ("destinationTransportPort", 0)))
        sums[key, "packets"] += f["packetDeltaCount"]
        sums[key, "octets"] += f["octetDeltaCount"]
    return sums


FIELDS = ("ip.version", "ip.src", "ip.dst", "ip.proto", "ip.len",
          "ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.plen",
          "ipv6.hopopts.nxt", "ipv6.routing.nxt", "ipv6.fraghdr.nxt", "ah.next_header",
          "ipv6.dstopts.nxt",
          "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport")
EXTENSIONS = {"0": "ipv6.hopopts.nxt", "43": "ipv6.routing.nxt", "44": "ipv6.fraghdr.nxt",
              "51": "ah.next_header", "60": "ipv6.dstopts.nxt"}
PORTS = {"6": "tcp", "17": "udp", "132": "sctp"}


def tshark_protocol(f):
    """Protocol behind the outermost IP header and its extension headers."""
    if f["ip.src"]:
        return f["ip.proto"]
    protocol = f["ipv6.nxt"]
    while f.get(EXTENSIONS.get(protocol)):
        protocol = f[EXTENSIONS[protocol]]
    return protocol


def tshark_tuples(path):
    """The same by tshark, from each packet's outermost IP header."""
    options = [o for name in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams")
               for o in ("-o", name + ":FALSE")]
    names = [o for name in FIELDS for o in ("-e", name)]
    out = subprocess.run(["tshark", "-n", "-r", path, *options, "-T", "fields", "-E",
                          "occurrence=f", *names], capture_output=True, text=True, check=True)
    sums = collections.Counter()
    for line in out.stdout.splitlines():
        f = dict(zip(FIELDS, line.split("\t")))
        if not f["ip.src"] and not f["ipv6.src"]:
            continue
        v = "ip" if f["ip.src"] else "ipv6"
        protocol = tshark_protocol(f)
        octets = int(f["ip.len"]) if v == "ip" else 40 + int(f["ipv6.plen"])
        ports = PORTS.get(protocol)
        key = (f[v + ".src"], f[v + ".dst"], protocol,
               f[ports + ".srcport"] or "0" if ports else "0",
               f[ports + ".dstport"] or "0" if ports else "0")
        sums[key, "packets"] += 1
        sums[key, "octets"] += octets
    return sums


def compare_with_tshark(path, flows):
    """Returns the number of 5-tuples compared."""
    ours, theirs = probe_tuples(flows), tshark_tuples(path)
    for key in sorted(ours.keys() | theirs.keys()):
        check(ours[key] == theirs[key], path, f"{key}: {ours[key]}, tshark has {theirs[key]}")
    return len(ours) // 2


def check_file(path, n_packets, ipfix):
    """Returns the folder, the packets accounted for (None if refused), the 5-tuples compared."""
    flows = check_capture(path, n_packets, ipfix)
    ipfix.unlink(missing_ok=True)
    if flows is None:
        return path.parent, None, 0
    tuples = compare_with_tshark(path, flows) if path.parent.name == "flows" else 0
    return path.parent, n_packets, tuples


def check_folder(folder, scratch):
    """All captures below folder; prints how much was compared."""
    paths = [p for p in sorted(folder.rglob("*"))
             if p.is_file() and p.suffix not in (".md", ".csv")]
    packets = count_packets(paths)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check_file, path, packets.get(path, 0), scratch / f"{i}.ipfix")
                for i, path in enumerate(paths)]
        done = [job.result() for job in jobs]
    for name in sorted({parent for parent, _, _ in done}):
        read = [(n, tuples) for parent, n, tuples in done if parent == name and n is not None]
        n_files = sum(parent == name for parent, _, _ in done)
        print(f"{name}: {n_files} files, {n_files - len(read)} of them refused, "
              f"{sum(n for n, _ in read)} packets, "
              f"{sum(tuples for _, tuples in read)} 5-tuples compared with tshark")


def main():
    with tempfile.TemporaryDirectory(prefix="xflow-captures.") as name:
        scratch = pathlib.Path(name)
        own = scratch / "own"
        own.mkdir()
        subprocess.run([WRITE_CAPTURES, own], check=True)
        check_folder(own, scratch)
        if CAPTURES.is_dir():
            check_folder(CAPTURES, scratch)
        else:
            print(f"no captures at {CAPTURES}")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
