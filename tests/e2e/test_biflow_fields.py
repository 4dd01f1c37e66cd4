#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A record of both directions (RFC 5103) carries what the two records of one direction
carry, in every element of every group: each capture is read twice, `--biflow rfc5103`
and `split`, and what the first says is taken apart and compared, as the probe prints
it and as the test Collector reads it from the IPFIX File, which is sound. Captures are our own, and
those of XFLOW_CAPTURES.
"""
# root: no
# timeout: 240
import collections
import json
import os
import pathlib
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
FOLDERS = ("flows", "encapsulation")

GROUPS = "base,l2,ip,icmp,tcp,tcp_health,size,timing,state"

# The same from the other end: keys of the Flow, and of a hash of them.
SWAPPED = {
    "sourceIPv4Address": "destinationIPv4Address",
    "sourceIPv6Address": "destinationIPv6Address",
    "sourceTransportPort": "destinationTransportPort",
}
SWAPPED |= {b: a for a, b in SWAPPED.items()}
OF_BOTH = ("type", "protocolIdentifier", "vlanId", "flowEndReason", "connectionState",
           "communityId")
# Of the Message, or of a record of both directions only.
OF_MESSAGE = ("templateId", "observationDomainId", "exportTime", "sequence", "biflowDirection")
# Of one direction's key: that of the reverse one is not told.
OF_FORWARD = ("flowId",)

# Elements that must have differed between the directions of some record, of each group.
MUST_DIFFER = ("sourceMacAddress", "dot1qPriority", "layer2OctetDeltaCount", "ipDiffServCodePoint",
               "octetDeltaSumOfSquares", "tcpSequenceNumber", "tcpMaximumSegmentSize",
               "maximumTcpWindowSize", "tcpAckTotalCount", "retransmittedPacketCount",
               "outOfOrderPacketCount", "zeroWindowPacketCount", "packetSizeUpTo128Count",
               "flowDurationMilliseconds", "meanInterarrivalMicroseconds")

failures = []
differed = {"IPv4": set(), "IPv6": set()}


def reverse_name(element):
    return "reverse" + element[0].upper() + element[1:]


def flows_of(text):
    lines = (json.loads(line) for line in text.splitlines())
    return [{k: v for k, v in line.items() if k not in OF_MESSAGE}
            for line in lines if line["type"] == "flow"]


def check_wire(path, ipfix):
    wire = ipfix_wire.Checker(ipfix_wire.arguments().parse_args(
        ["--elements", str(ROOT / "conf/xflow-ie.xml")]))
    wire.read(ipfix)
    wire.finish()
    if wire.complaints:
        failures.append(f"{path}: not sound on the wire: {wire.texts}")


def run(path, biflow, ipfix):
    """Flow Records as printed, as read by the Collector; None for a file that is refused."""
    options = ["--fields", GROUPS, "--biflow", biflow, "--collector", f"file:{ipfix}"]
    printed = subprocess.run([PROBE, "-r", path, "-o", "json", *options],
                             capture_output=True, text=True, check=False)
    if printed.returncode == 2:
        return None
    read = subprocess.run([COLLECTOR, "--read", ipfix, "--elements", ROOT / "conf/xflow-ie.xml"],
                          capture_output=True, text=True, check=False)
    for what, done in (("probe", printed), ("Collector", read)):
        if done.returncode:
            failures.append(f"{path}: {biflow}: the {what} ended with {done.returncode}")
    if biflow == "rfc5103":
        check_wire(path, ipfix)
    return flows_of(printed.stdout), flows_of(read.stdout)


def taken_apart(flow):
    """The two records of one direction that a record of both stands for."""
    reversed_names = [n for n in flow if reverse_name(n) in flow]
    forward = {n: v for n, v in flow.items() if not n.startswith("reverse")}
    reverse = {n: flow[reverse_name(n)] for n in reversed_names}
    reverse |= {n: flow[SWAPPED[n]] for n in SWAPPED if n in flow}
    reverse |= {n: flow[n] for n in OF_BOTH if n in flow}
    family = "IPv4" if "sourceIPv4Address" in flow else "IPv6"
    differed[family].update(n for n in reversed_names if reverse[n] != forward[n])
    return forward, reverse


def without_id(flow):
    return tuple(sorted((n, v) for n, v in flow.items() if n not in OF_FORWARD))


def compare(path, both, single):
    """Returns the number of records of both directions."""
    n_biflows = 0
    apart, ids = [], []
    for flow in both:
        ids.append(flow["flowId"])
        if "reversePacketDeltaCount" in flow:
            n_biflows += 1
            apart += taken_apart(flow)
        else:
            apart.append(flow)
    expected = collections.Counter(map(without_id, single))
    found = collections.Counter(map(without_id, apart))
    for record in (found - expected).elements():
        failures.append(f"{path}: only in records of both directions: {dict(record)}")
    for record in (expected - found).elements():
        failures.append(f"{path}: only in records of one direction: {dict(record)}")
    if not set(ids) <= {flow["flowId"] for flow in single}:
        failures.append(f"{path}: a flowId of its own")
    return n_biflows


def check_capture(path, ipfix):
    """Returns the numbers of records compared, and of those that were of both directions."""
    both, single = run(path, "rfc5103", ipfix), run(path, "split", ipfix)
    if both is None:
        return 0, 0
    for flows_both, flows_single in zip(both, single):
        n_biflows = compare(path, flows_both, flows_single)
    return len(single[0]), n_biflows


def main():
    with tempfile.TemporaryDirectory(prefix="xflow-biflow.") as name:
        scratch = pathlib.Path(name)
        own = scratch / "own"
        own.mkdir()
        subprocess.run([WRITE_CAPTURES, own], check=True)
        if not CAPTURES.is_dir():
            print(f"no captures at {CAPTURES}")
        for folder in (own, *(CAPTURES / f for f in FOLDERS)):
            paths = [p for p in sorted(folder.glob("*")) if p.is_file()]
            done = [check_capture(path, scratch / "ipfix") for path in paths]
            print(f"{folder}: {len(paths)} captures, {sum(n for n, _ in done)} records, "
                  f"{sum(n for _, n in done)} pairs of them told as one")
            if folder == own:
                for family, names in differed.items():
                    for missing in set(MUST_DIFFER) - names:
                        failures.append(f"{family}: no record whose directions differ in {missing}")
    for failure in failures[:40]:
        print(failure[:4000])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
