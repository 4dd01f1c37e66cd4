#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Every capture file, ours and those of XFLOW_CAPTURES, through `xflow-probe -r`
built with AddressSanitizer and UBSan: files of a link type it knows give a
balanced ledger with as many packets as capinfos counts, and an IPFIX File with
sound times; others are refused. Except of malformed/ their Flows equal tshark's,
of ours and of encapsulation/ with `tunnels: outer` and `inner`, fragments included.
"""
# root: no
# timeout: 480
import collections
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

from tshark_flows import Dissection, tshark_flows, write_without

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

# Packets in which tshark counts otherwise, as display filters, and why.
NO_VNTAG = "802.1BR has VN-Tags between a bridge and its own ports only; tshark reads them"
CASES = {
    "vlan.etype == 0x9200": "tshark knows no tag of 0x9200, which is no standard's",
    "mpls and eth.type == 0x0000": "RFC 4448 4.6: nothing in a pseudowire says whether it has a "
                                   "control word; tshark takes zeros of it for an address",
    "erspan.ft == 2": "draft-foschiano-erspan-03 4.3: the frame type says IP; tshark shows data",
}
EXCLUDED = {
    "ipv6-mobility-dst-opts.pcap": {
        "_ws.malformed": "RFC 8200 4.6: only the destination examines a Home Address option; "
                         "tshark stops at a malformed one"},
    "vntag.pcap": {"vntag": NO_VNTAG},
    "vntag_vlan_sandwich_clean.pcap": {"vntag": NO_VNTAG},
    "ethernet.pcap": CASES,
    "ethernet-ns.pcap": CASES,
    "ethernet.pcapng": CASES,
    "fragments.pcap": {
        "ipv6.fraghdr.nxt == 60": "RFC 7112 5 wants all headers in the first fragment; the probe "
                                  "counts under the one that is cut, tshark reads its beginning",
        "ipv6.fraghdr.nxt == 132": "RFC 1858 3: the ports of a header that is cut; tshark shows "
                                   "none of SCTP",
    },
}

# Folders whose Flows are compared with tshark's, and those of them whose captures
# have many packets and tunnels only in passing.
COMPARED = {"own", "flows", "encapsulation", "scans", "floods"}
PLAIN = {"flows", "floods", "scans"}

# Fragments whose ports tshark confirms, at least.
MIN_CONFIRMED = 1000

# Of our own captures, those with the packets of another, which tshark is slow to dissect.
SAME_PACKETS = {"ethernet-ns.pcap": "ethernet.pcap", "ethernet.pcapng": "ethernet.pcap"}

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


def read_capture(path, ipfix, tunnels):
    """Run the probe; returns the finished process, its Flow Records and its ledger."""
    config = ipfix.with_suffix(".yaml")
    config.write_text(f"flow_cache: {{tunnels: {tunnels}}}\n")
    done = subprocess.run([PROBE, "-c", config, "-r", path, "-o", "json",
                           "--collector", f"file:{ipfix}"],
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


def check_capture(path, n_packets, ipfix, tunnels):
    """Returns the Flow Records, or None for a file that is refused."""
    kind = link_type(path)
    done, flows, ledger = read_capture(path, ipfix, tunnels)
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


def without_excluded(path, ipfix):
    """The capture, or a copy without what EXCLUDED has of it."""
    if path.name not in EXCLUDED:
        return path
    copy = ipfix.with_suffix(".pcapng")
    write_without(path, " or ".join(f"({f})" for f in EXCLUDED[path.name]), copy)
    return copy


def compare_with_tshark(path, ipfix, flows_of):
    """
    Compare the Flows of each setting of tunnels, of which flows_of has those of the
    file. Returns the 5-tuples compared, and the fragments whose ports tshark confirms.
    """
    result = collections.Counter()
    if path.name in SAME_PACKETS:
        for tunnels, flows in flows_of.items():
            _, others, _ = read_capture(path.with_name(SAME_PACKETS[path.name]), ipfix, tunnels)
            ipfix.unlink(missing_ok=True)
            check(probe_tuples(flows) == probe_tuples(others), path, "differs from its twin")
        return result
    compared = without_excluded(path, ipfix)
    dissection = Dissection(compared, path.parent.name not in PLAIN)
    for tunnels, flows in flows_of.items():
        if compared != path:
            _, flows, _ = read_capture(compared, ipfix, tunnels)
            ipfix.unlink(missing_ok=True)
        ours = probe_tuples(flows)
        theirs, n_confirmed = tshark_flows(dissection, tunnels == "inner")
        for key in sorted(ours.keys() | theirs.keys()):
            check(ours[key] == theirs[key], path,
                  f"{tunnels} {key}: {ours[key]}, tshark has {theirs[key]}")
        result["tuples"] += len(ours) // 2
        result["confirmed"] = max(n_confirmed, result["confirmed"])
    return result


def check_file(path, n_packets, ipfix):
    """Returns its folder, and counts of packets (none if refused), 5-tuples, fragments."""
    flows_of = {}
    for tunnels in ("outer",) if path.parent.name in PLAIN else ("outer", "inner"):
        flows_of[tunnels] = check_capture(path, n_packets, ipfix, tunnels)
        ipfix.unlink(missing_ok=True)
        if flows_of[tunnels] is None:
            return path.parent, {"refused": 1}
    counts = {"packets": n_packets}
    if path.parent.name in COMPARED:
        try:
            counts |= compare_with_tshark(path, ipfix, flows_of)
        except AssertionError as e:
            check(False, path, e)
    return path.parent, counts


def check_folder(folder, scratch):
    """All captures below folder; prints how much was compared. Returns fragments confirmed."""
    paths = [p for p in sorted(folder.rglob("*"))
             if p.is_file() and p.suffix not in (".md", ".csv")]
    packets = count_packets(paths)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check_file, path, packets.get(path, 0), scratch / f"{i}.ipfix")
                for i, path in enumerate(paths)]
        done = [job.result() for job in jobs]
    sums = collections.defaultdict(collections.Counter)
    for parent, counts in done:
        sums[parent].update(files=1, **counts)
    for name, n in sorted(sums.items()):
        print(f"{name}: {n['files']} files, {n['refused']} of them refused, "
              f"{n['packets']} packets, {n['tuples']} 5-tuples compared with tshark, "
              f"{n['confirmed']} fragments confirmed")
    return sum(n["confirmed"] for n in sums.values())


def main():
    with tempfile.TemporaryDirectory(prefix="xflow-captures.") as name:
        scratch = pathlib.Path(name)
        own = scratch / "own"
        own.mkdir()
        subprocess.run([WRITE_CAPTURES, own], check=True)
        check_folder(own, scratch)
        if CAPTURES.is_dir():
            n_confirmed = check_folder(CAPTURES, scratch)
            check(n_confirmed >= MIN_CONFIRMED, CAPTURES, f"only {n_confirmed} fragments confirmed")
        else:
            print(f"no captures at {CAPTURES}")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
