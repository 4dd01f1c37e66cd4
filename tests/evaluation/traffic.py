#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
traffic.py SET SEED CAPTURE LABELS: write a capture and, as JSON lines, what is in it.

mixed       six hours of an office at work, with one incident of each kind, two of some
benign-day  a day of the same office, quieter, without any
tiny        two minutes with five incidents, for the harness's own test
"""
import json
import random
import sys

from benign import benign
from incidents import (KINDS, LONG, Scene, distributed, distributed_hosts, fin_ports, land,
                       syn_hosts, syn_ports, udp_ports)
from packets import EPOCH
from sessions import Network

# Thresholds may be tuned on the first five, and are judged on the final ones, once: 9001 to
# 9005, and 9042 for a day, were used for that, and are tuning seeds from then on.
TUNING_SEEDS = (101, 102, 103, 104, 105)
USED_SEEDS = (9001, 9002, 9003, 9004, 9005, 7301, 7302, 7303, 7304, 7305)
FINAL_SEEDS = (4401, 4402, 4403, 4404, 4405)
DAY_SEED = 42
USED_DAY_SEED = 9042
FINAL_DAY_SEED = 4442

MIXED_S = 6 * 3600
DAY_S = 24 * 3600
TINY_S = 120


def place(net, kinds, length, earliest):
    """Each at a random offset, so that it has ended before the capture has."""
    scene, labels = Scene(net), []
    for kind in kinds:
        latest = 0.1 * length if kind in LONG else length - min(400, length / 3)
        before = len(net.capture.frames)
        one = kind(scene, net.dice.uniform(earliest, latest))
        labels.append(one | {"frames": len(net.capture.frames) - before})
    return sorted(labels, key=lambda one: one["begin"])


def generate(name, seed):
    """Returns the capture and its labels."""
    net = Network(random.Random(f"{name} {seed}"))
    labels = []
    if name == "mixed":
        benign(net, 0, MIXED_S, 1)
        labels = place(net, KINDS + (distributed, distributed_hosts), MIXED_S, 300)
    elif name == "benign-day":
        benign(net, 0, DAY_S, 0.3)
    elif name == "tiny":
        benign(net, 0, TINY_S, 0.5, ("flash_crowd", "backups"))
        labels = place(net, (syn_ports, fin_ports, udp_ports, syn_hosts, land), TINY_S, 10)
    else:
        raise ValueError(f"no set {name}")
    for one in labels:
        one["begin"] += EPOCH
        one["end"] += EPOCH
    return net.capture, labels


def main():
    name, seed, capture_path, labels_path = sys.argv[1:]
    capture, labels = generate(name, int(seed))
    capture.write(capture_path)
    with open(labels_path, "w", encoding="ascii") as out:
        for one in labels:
            print(json.dumps(one), file=out)


if __name__ == "__main__":
    main()
