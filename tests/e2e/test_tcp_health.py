#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
In every capture file with TCP, ours and those of XFLOW_CAPTURES, each Flow's segments
sent again and out of order, closed windows, handshake round trips and what TCP headers
say equal tshark's and the packets' times, by the rules in tcp_health_rules.py.
"""
# root: no
# timeout: 480
import collections
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

import tcp_health
import tcp_health_captures
import tcp_health_compare

WRITE_CAPTURES = tcp_health.ROOT / ".output/tests/e2e/write_captures"
CAPTURES = pathlib.Path(os.environ.get("XFLOW_CAPTURES",
                                       tcp_health.ROOT.parent / "shared/captures"))


def compare_file(path):
    with tempfile.TemporaryDirectory(prefix="xflow-health.") as scratch:
        flows, faults = tcp_health.read_both(path, pathlib.Path(scratch))
    if flows is None:
        return [], {}
    more, counts = tcp_health_compare.compare_flows(flows)
    return [f"{path}: {fault}" for fault in faults + more], {**counts, "files": 1}


def compare_folder(folder):
    """All captures below folder; prints how much was compared and returns the faults."""
    paths = [p for p in sorted(folder.rglob("*"))
             if p.is_file() and p.suffix not in (".md", ".csv")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(compare_file, paths))
    counts = collections.Counter()
    for _, of_file in done:
        counts.update(of_file)
    print(f"{folder}: {tcp_health_compare.text_of(counts)}")
    return [fault for faults, _ in done for fault in faults]


def main():
    with tempfile.TemporaryDirectory(prefix="xflow-health.") as name:
        own = pathlib.Path(name)
        subprocess.run([WRITE_CAPTURES, own], check=True)
        tcp_health_captures.write(own)
        faults = compare_folder(own)
    if CAPTURES.is_dir():
        faults += compare_folder(CAPTURES)
    else:
        print(f"no captures at {CAPTURES}")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
