#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
tcp_health_relay.py CLIENT SERVER MIDDLE: a link between two interfaces that harms TCP.

Every frame goes from its interface past the first harm, is shown on MIDDLE, where
somebody may observe, and goes past the second harm out of the other interface. What is
harmed is told by the segment's place in the data and by how often it came by, so that
each run has the same losses. Either half takes time, and so has a round trip.
"""
import heapq
import select
import socket
import struct
import sys
import time

HALF_S = 0.006
PIECE = 1400  # harm is decided by data's place in units of so many octets
TWICE_S = 0.0006
HELD_S = 0.05  # a late segment waits for the next one, but not longer

RELEASE = 2  # beside the halves 0 and 1: when what is held on one has waited enough

# of some pieces, at their first passage: what happens before MIDDLE, and after it
BEFORE = {9: "lose", 23: "lose", 24: "lose", 40: "late", 41: "lose", 60: "late", 75: "twice",
          90: "late", 105: "lose", 120: "late"}
AFTER = {15: "lose", 33: "lose", 34: "lose", 50: "late", 82: "twice", 98: "lose", 110: "lose"}


class Harm:
    """What happens to the segments of one direction on one half of the link."""

    def __init__(self, plan):
        self.plan = plan
        self.isn = None
        self.passed = set()
        self.held = None

    def of(self, frame):
        segment = tcp_of(frame)
        if segment is None:
            return "pass"
        sequence, flags, payload = segment
        if flags & 2 and sequence != self.isn:
            self.isn = sequence
            self.passed.clear()
        if self.isn is None or not payload:
            return "pass"
        piece = ((sequence - self.isn) & 0xffffffff) // PIECE
        if piece in self.passed:
            return "pass"
        self.passed.add(piece)
        return self.plan.get(piece, "pass")


def tcp_of(frame):
    """Sequence number, flags and octets of payload; None of what is no TCP."""
    ethertype = struct.unpack_from("!H", frame, 12)[0]
    if ethertype == 0x0800 and frame[23] == 6:
        at, end = 14 + (frame[14] & 15) * 4, 14 + struct.unpack_from("!H", frame, 16)[0]
    elif ethertype == 0x86dd and frame[20] == 6:
        at, end = 54, 54 + struct.unpack_from("!H", frame, 18)[0]
    else:
        return None
    sequence = struct.unpack_from("!I", frame, at + 4)[0]
    return sequence, frame[at + 13], end - at - (frame[at + 12] >> 4) * 4


def has_payload(frame):
    segment = tcp_of(frame)
    return segment is not None and segment[2] > 0


class Link:
    def __init__(self, client, server, middle):
        self.ends = [interface(client), interface(server)]
        self.middle = interface(middle)
        self.waiting, self.n = [], 0
        self.harms = [[Harm(BEFORE), Harm(AFTER)], [Harm(BEFORE), Harm(AFTER)]]

    def put(self, at, half, side, frame):
        self.n += 1
        heapq.heappush(self.waiting, (at, self.n, half, side, frame))

    def harmed(self, at, half, side, frame):
        """Pass one half of the way."""
        harm = self.harms[side][half]
        what = harm.of(frame)
        if what == "late":
            harm.held = frame
            self.put(at + HELD_S, RELEASE + half, side, frame)
        elif what != "lose":
            self.put(at + HALF_S, half, side, frame)
            if has_payload(frame):
                self.release(at, half, side)
        if what == "twice":
            self.put(at + HALF_S + TWICE_S, half, side, frame)

    def release(self, at, half, side):
        """What is held goes on."""
        harm = self.harms[side][half]
        if harm.held:
            self.put(at + HALF_S, half, side, harm.held)
            harm.held = None

    def arrived(self, at, half, side, frame):
        if half >= RELEASE:
            if self.harms[side][half - RELEASE].held is frame:
                self.release(at, half - RELEASE, side)
        elif half == 0:
            self.middle.send(frame)
            self.harmed(at, 1, side, frame)
        else:
            self.ends[1 - side].send(frame)

    def run(self):
        while True:
            wait = self.waiting[0][0] - time.monotonic() if self.waiting else None
            ready = select.select(self.ends, [], [], None if wait is None else max(0, wait))[0]
            for fd in ready:
                frame, info = fd.recvfrom(2048)
                if info[2] != socket.PACKET_OUTGOING:
                    self.harmed(time.monotonic(), 0, self.ends.index(fd), frame)
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                at, _, half, side, frame = heapq.heappop(self.waiting)
                self.arrived(at, half, side, frame)


def interface(name):
    fd = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    fd.bind((name, 3))
    return fd


if __name__ == "__main__":
    Link(*sys.argv[1:]).run()
