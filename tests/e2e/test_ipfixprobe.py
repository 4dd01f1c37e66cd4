#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What `xflow-probe -r` tells of a capture is what ipfixprobe tells of it, row by row
of the outputs that its project publishes as the expected ones: addresses, ports,
packets, octets, flags, times, MACs, VLAN, TTL, MSS and window.

Where both differ, it is by one of these rules, and by nothing else:

 milliseconds   flowStart and flowEnd are elements of milliseconds (IE 152, 153);
                ipfixprobe has microseconds, which are cut off.
 one interval   It has one interval for both directions; ours are joined into that.
 ICMP           Type and code belong to our Flow Key, and the directions are not
                paired, since who is asked cannot be told from ports. Its key has
                neither: our records of two hosts are joined while less than the idle
                timeout lies between them. Which of them began is not compared.
 clock          Ours is that of the file and never goes back, so that years later every
                Flow has ended. Its clock is each Flow's own: where a file goes back in
                time, what it has as one are two records of ours at the same time.
 DNS            Its plugin ends a flow with each message: ours is compared direction by
                direction.
 TLS            The output has but the flows that its plugin knows, which are TCP's;
                ours of UDP, which are QUIC, are left out.
"""
# root: no
import collections
import csv
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / ".output/san/xflow-probe"
CAPTURES = pathlib.Path(os.environ.get("XFLOW_CAPTURES", ROOT.parent / "shared/captures"))

# The timeouts that ipfixprobe has by default.
ACTIVE_S, IDLE_S = 300, 30

ICMP = (1, 58)
TCP = 6

# plugin -> capture, --biflow, protocols that its output has (None: all)
OUTPUTS = {
    "basic": ("mixed", "rfc5103", None),
    "basicplus": ("http", "rfc5103", None),
    "http": ("http", "rfc5103", None),
    "tls": ("tls", "rfc5103", (TCP,)),
    "dns": ("dns", "split", None),
    "vlan": ("vlan", "rfc5103", None),
}

# column -> element; those of OF_BOTH have one of the reverse direction, too
OF_BOTH = {
    "BYTES": "octetDeltaCount",
    "PACKETS": "packetDeltaCount",
    "TCP_FLAGS": "tcpControlBits",
    "TCP_MSS": "tcpMaximumSegmentSize",
    "TCP_WIN": "tcpWindowSize",
    "IP_TTL": "minimumTTL",
}
OF_FORWARD = {
    "SRC_MAC": "sourceMacAddress",
    "DST_MAC": "destinationMacAddress",
    "VLAN_ID": "vlanId",
}
OF_ROW = ("SRC_IP", "DST_IP", "SRC_PORT", "DST_PORT", "PROTOCOL", "TIME_FIRST", "TIME_LAST")

# Columns that are not compared, by regular expression, and why.
NOT_COMPARED = {
    "LINK_BIT_FIELD|DIR_BIT_FIELD": "options of ipfixprobe, not of the packets",
    "TCP_OPT(_REV)?": "which options a segment had; of them, MSS and window scale are metered",
    "TCP_SYN_SIZE": "length of a SYN; not metered",
    "IP_FLG(_REV)?": "flags of packets that are no fragments; not metered",
    "(DNS|HTTP|TLS)_.*": "payload; not metered",
}

failures = []


def milliseconds(text):
    """Since 1970, of either's way to write a time; without what is below."""
    text = text.rstrip("Z") + ("000" if text.endswith("Z") else "")
    since = datetime.datetime.fromisoformat(text) - datetime.datetime(1970, 1, 1)
    return since // datetime.timedelta(milliseconds=1)


# ---- theirs ------------------------------------------------------------------------


def check_columns(plugin, names):
    """Every column is compared or is named above."""
    known = set(OF_ROW) | set(OF_FORWARD) | {n + r for n in OF_BOTH for r in ("", "_REV")}
    for name in names:
        if name not in known and not any(re.fullmatch(p, name) for p in NOT_COMPARED):
            failures.append(f"{plugin}: {name} is neither compared nor left out for a reason")


def swapped(row):
    """The row, seen from the other end."""
    names = {"SRC_IP": "DST_IP", "SRC_PORT": "DST_PORT", "SRC_MAC": "DST_MAC"}
    names |= {name: name + "_REV" for name in OF_BOTH if name + "_REV" in row}
    names |= {b: a for a, b in names.items()}
    return {name: row[names.get(name, name)] for name in row}


def oriented(row):
    """Rule ICMP: of two directions, that of the lesser address is the forward one."""
    is_either = row["PROTOCOL"] in ICMP and row["PACKETS"] and row["PACKETS_REV"]
    return swapped(row) if is_either and row["SRC_IP"] > row["DST_IP"] else row


def their_value(name, text):
    if name.startswith("TIME_"):
        return milliseconds(text)
    return text if name.endswith(("_IP", "_MAC")) else int(text)


def read_theirs(path, plugin):
    """The rows of a file whose line of types and names sorted to the end."""
    *lines, head = path.read_text().splitlines()
    names = [column.split(" ")[1] for column in head.split(",")]
    check_columns(plugin, names)
    compared = [n for n in names if not any(re.fullmatch(p, n) for p in NOT_COMPARED)]
    rows = []
    for values in csv.reader(lines):
        row = dict(zip(names, values))
        rows.append(oriented({n: their_value(n, row[n]) for n in compared}))
    return compared, rows


# ---- ours --------------------------------------------------------------------------


def reverse_name(element):
    return "reverse" + element[0].upper() + element[1:]


def our_row(flow, names):
    """One record under their names."""
    row = {
        "SRC_IP": flow.get("sourceIPv4Address", flow.get("sourceIPv6Address")),
        "DST_IP": flow.get("destinationIPv4Address", flow.get("destinationIPv6Address")),
        "SRC_PORT": flow.get("sourceTransportPort", 0),
        "DST_PORT": flow.get("destinationTransportPort", 0),
        "PROTOCOL": flow["protocolIdentifier"],
    }
    for name, element in OF_BOTH.items():
        row[name] = flow.get(element, 0)
        row[name + "_REV"] = flow.get(reverse_name(element), 0)
    for name, element in OF_FORWARD.items():
        row[name] = flow[element]
    for name, element, choose in (("TIME_FIRST", "flowStartMilliseconds", min),
                                  ("TIME_LAST", "flowEndMilliseconds", max)):
        times = [flow[e] for e in (element, reverse_name(element)) if e in flow]
        row[name] = choose(milliseconds(time) for time in times)
    return {name: row[name] for name in names}


def joined(a, b):
    """Two rows of the same hosts as one; a is the earlier."""
    if a["SRC_IP"] != b["SRC_IP"]:
        b = swapped(b)
    row = dict(a)
    for name in ("BYTES", "PACKETS"):
        row[name] += b[name]
        row[name + "_REV"] += b[name + "_REV"]
    for name in ("TCP_FLAGS", "TCP_FLAGS_REV"):
        row[name] |= b[name]
    row["TIME_LAST"] = max(a["TIME_LAST"], b["TIME_LAST"])
    return row


def is_same(a, b):
    """Rules ICMP and clock: whether two rows of ours, a the earlier, are one of theirs."""
    pair = sorted((a["SRC_IP"], a["DST_IP"])) == sorted((b["SRC_IP"], b["DST_IP"]))
    if not pair or any(a.get(n) != b.get(n) for n in ("PROTOCOL", "VLAN_ID")):
        return False
    gap = b["TIME_FIRST"] - a["TIME_LAST"]
    if a["PROTOCOL"] in ICMP:
        return gap < IDLE_S * 1000
    return gap < 0 and all(a[n] == b[n] for n in ("SRC_IP", "SRC_PORT", "DST_PORT"))


def joined_rows(rows):
    """All rows of ours as they are one to ipfixprobe, and how many were joined by protocol."""
    result, joins = [], collections.Counter()
    for row in sorted(rows, key=lambda row: row["TIME_FIRST"]):
        same = [i for i, other in enumerate(result) if is_same(other, row)]
        if same:
            result[same[-1]] = joined(result[same[-1]], row)
            joins["ICMP" if row["PROTOCOL"] in ICMP else "clock"] += 1
        else:
            result.append(row)
    return [oriented(row) for row in result], joins


def read_ours(capture, biflow, names):
    command = [PROBE, "-r", capture, "-o", "json", "--fields", "base,l2,tcp", "--biflow", biflow,
               "--active-timeout", str(ACTIVE_S), "--idle-timeout", str(IDLE_S)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [our_row(flow, names) for flow in lines if flow["type"] == "flow"]


# ---- both ---------------------------------------------------------------------------


def frozen(rows):
    return collections.Counter(tuple(row.items()) for row in rows)


def compare(plugin, expected, capture, biflow, protocols):
    """Returns the number of rows compared."""
    names, theirs = read_theirs(expected, plugin)
    all_ours = read_ours(capture, biflow, names)
    ours = [row for row in all_ours if not protocols or row["PROTOCOL"] in protocols]
    rows, joins = joined_rows(ours)
    for ours_only in (frozen(rows) - frozen(theirs)).elements():
        failures.append(f"{plugin}: only ours: {dict(ours_only)}")
    for theirs_only in (frozen(theirs) - frozen(rows)).elements():
        failures.append(f"{plugin}: only ipfixprobe's: {dict(theirs_only)}")
    print(f"{plugin}: {len(theirs)} rows of {len(names)} columns, {len(all_ours)} records of ours, "
          f"{len(all_ours) - len(ours)} left out, joined by rule: {dict(joins)}")
    return len(theirs)


def main():
    folder = CAPTURES / "flows"
    if not (folder / "expected").is_dir():
        print(f"no captures with ipfixprobe's outputs at {folder}")
        return 77
    found = {path.stem.partition("-")[2] for path in (folder / "expected").glob("ipfixprobe-*.csv")}
    for plugin in found ^ OUTPUTS.keys():
        failures.append(f"{plugin}: nobody says what it is compared with, or it is missing")
    rows = sum(compare(plugin, folder / f"expected/ipfixprobe-{plugin}.csv",
                       folder / f"{capture}.pcap", biflow, protocols)
               for plugin, (capture, biflow, protocols) in OUTPUTS.items() if plugin in found)
    print(f"{rows} rows compared")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
