# SPDX-License-Identifier: BSD-2-Clause
"""
What the probe has to say of a Flow, from tshark's word on each packet and from the
packets' times. tshark and the probe agree on which segments bring nothing new:
the sum of retransmitted and out-of-order packets is tshark's. Which of the two a
segment is they define differently, see "HEALTH OF TCP CONNECTIONS" in xflow.yaml(5):

 - tshark has any old segment out of order that comes within the initial round
   trip after the highest segment, seen before or not, unless it ends with that one
   or duplicate acknowledgements ask for it. The probe has it out of order when it
   fills the latest gap, and that was seen less than a round trip ago; else it was
   sent again. The sender of the SYN-ACK is given 3 ms at most.
 - Of a segment that was partly seen before, the probe counts the octets seen.
 - A SYN with another sequence number begins anew; tshark goes on if it has an ACK.
   A SYN with the same one was sent again; not so in tshark if it has more data now.
 - What was acknowledged before it was seen is spurious in tshark. The probe judges
   by its own direction, where it is new.
 - The sequence number of a RST counts for tshark, and not for the probe.
"""
import collections

from tcp_health import ACK, FIN, PSH, RST, SYN, URG

LATE_NS = 3000000
TOLERANCE = 0.05
TOLERANCE_US = 50


def since(a, b):
    """From sequence number b to a (RFC 9293 3.4)."""
    return (a - b + (1 << 31)) % (1 << 32) - (1 << 31)


def last_syn(packets):
    """Index of the last SYN before the first ACK, or None; index of that ACK, or None."""
    syn = None
    for i, p in enumerate(packets):
        if p.flags & SYN:
            syn = i
        elif syn is not None and p.flags & ACK and not p.flags & RST:
            return syn, i
    return syn, None


def late_limit(packets, at):
    """How long a gap may be open at packet `at` and a segment that fills it be late."""
    syn, ack = last_syn(packets[:at + 1])
    if syn is None or ack is None:
        return LATE_NS
    limit = packets[ack].time - packets[syn].time
    first = next(p for p in packets if p.flags & SYN)
    return min(limit, LATE_NS) if first.flags & ACK else limit


class Sent:
    """Sequence numbers of one direction: the next one, and the latest gap."""

    def __init__(self):
        self.isn = None
        self.next = 0
        self.gap = (0, 0)
        self.gap_time = 0
        self.reset = None

    def begin(self, p):
        self.isn = p.sequence if p.flags & SYN else (p.sequence - 1) % (1 << 32)
        self.next = p.sequence + p.octets
        self.gap = (0, 0)

    def fills_gap(self, p):
        begin, end = self.gap
        return begin != end and since(p.sequence, begin) >= 0 and \
            since(end, p.sequence + p.octets) >= 0

    def close_gap(self, p):
        begin, end = self.gap
        if p.sequence == begin:
            self.gap = (p.sequence + p.octets, end)
        elif since(p.sequence + p.octets, end) == 0:
            self.gap = (begin, p.sequence)

    def advance(self, p):
        if since(p.sequence, self.next) > 0:
            self.gap = (self.next % (1 << 32), p.sequence)
            self.gap_time = p.time
        if since(p.sequence + p.octets, self.next) > 0:
            self.next = p.sequence + p.octets


def judge(packets):
    """
    Expected counts of one Flow, and how often the probe and tshark call an old segment
    by different names, by reason.
    """
    counts, reasons, sent = collections.Counter(), collections.Counter(), Sent()
    for at, p in enumerate(packets):
        counts["zero"] += "zero_window" in p.analysis
        is_old = bool(p.analysis & {"retransmission", "out_of_order"})
        if p.flags & RST:
            counts["strange"] += is_old
            sent.reset = p.sequence
            continue
        if sent.isn is None or (p.flags & SYN and p.sequence != sent.isn):
            reasons["another connection of these ports"] += is_old
            sent.begin(p)
            continue
        if p.flags & SYN and p.payload and not is_old:
            reasons["SYN again with other data"] += 1
            is_old = True
        if is_old:
            judge_old(packets, at, sent, counts, reasons)
        sent.advance(p)
    return counts, reasons


def judge_old(packets, at, sent, counts, reasons):
    p = packets[at]
    seen = since(sent.next, p.sequence)
    if seen <= 0:
        is_spurious = "spurious_retransmission" in p.analysis
        is_reset = sent.reset is not None and since(sent.reset, p.sequence) > 0
        reasons["acknowledged before it was seen"] += is_spurious
        reasons["before the number of a reset"] += is_reset
        counts["strange"] += not is_spurious and not is_reset
        return
    is_tsharks = "out_of_order" in p.analysis
    fills, limit = sent.fills_gap(p), late_limit(packets, at)
    if fills and p.time - sent.gap_time < limit:
        counts["late"] += 1
        sent.close_gap(p)
        reasons["late, in tshark sent again"] += not is_tsharks
        return
    counts["again"] += 1
    counts["octets"] += min(p.payload, seen - bool(p.flags & SYN))
    reasons["sent again, in tshark late: " +
            ("the gap is old" if fills else "fills no gap")] += is_tsharks
    reasons["octets partly seen before"] += seen < p.payload


def compare_counts(flow):
    """Faults and reasons of one Flow."""
    counts, reasons = judge(flow.packets)
    r, faults = flow.record, []
    expected = {"retransmittedPacketCount": counts["again"],
                "retransmittedOctetCount": counts["octets"],
                "outOfOrderPacketCount": counts["late"],
                "zeroWindowPacketCount": counts["zero"]}
    for name, value in expected.items():
        if r[name] != value:
            faults.append(f"{name}: {r[name]}, by tshark {value}")
    if counts["strange"]:
        faults.append(f"tshark has {counts['strange']} old segments that are not")
    return faults, reasons


def compare_header(flow):
    """What the headers say: the first packet, the last, options, windows, flags."""
    packets, r = flow.packets, flow.record
    first, last = packets[0], packets[-1]
    syns = [p for p in packets if p.flags & SYN]
    windows = [p.window for p in packets if not p.flags & RST] or [0]
    expected = {
        "tcpSequenceNumber": first.sequence, "lastTcpSequenceNumber": last.sequence,
        "tcpAcknowledgementNumber": first.acknowledgement,
        "lastTcpAcknowledgementNumber": last.acknowledgement,
        "tcpWindowSize": first.window, "initialTcpControlBits": first.flags,
        "minimumTcpWindowSize": min(windows), "maximumTcpWindowSize": max(windows),
        "tcpMaximumSegmentSize": int(([p.mss for p in syns if p.mss] or [0])[-1]),
        "tcpWindowScale": int(([p.scale for p in syns if p.scale] or [0])[-1])}
    for name, bit in (("Fin", FIN), ("Syn", SYN), ("Rst", RST), ("Psh", PSH), ("Ack", ACK),
                      ("Urg", URG)):
        expected[f"tcp{name}TotalCount"] = sum(bool(p.flags & bit) for p in packets)
    return [f"{name}: {r[name]}, in the packets {value}" for name, value in expected.items()
            if r[name] != value]


def round_trips(client, server):
    """Server's and client's round trips of a handshake in us; 0 where there is none."""
    synacks = [p.time for p in server if p.flags & SYN]
    syns = [p.time for p in client if p.flags & SYN]
    _, ack = last_syn(client)
    if not syns or not synacks:
        return 0, 0
    before = [t for t in syns if t <= synacks[0]]
    of_server = (synacks[0] - before[-1]) / 1000 if before else 0
    if ack is None:
        return of_server, 0
    before = [t for t in synacks if t <= client[ack].time]
    return of_server, (client[ack].time - before[-1]) / 1000 if before else 0


def compare_round_trips(flow, reverse):
    """Faults, and the number of round trips measured."""
    if reverse is None:
        client = server = []
    else:
        first = [min((p.time for p in f.packets if p.flags & SYN), default=0)
                 for f in (flow, reverse)]
        client, server = flow.packets, reverse.packets
        if first[1] < first[0]:
            client, server = server, client
    expected = round_trips(client, server) if client else (0, 0)
    got = (flow.record["handshakeServerMicroseconds"], flow.record["handshakeClientMicroseconds"])
    faults = [f"round trips {got}, in the packets {expected}" for a, b in zip(got, expected)
              if abs(a - b) > max(TOLERANCE_US, TOLERANCE * b) or (a and not b)]
    return faults, sum(e > 0 for e in expected)
