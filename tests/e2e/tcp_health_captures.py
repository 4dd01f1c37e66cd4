# SPDX-License-Identifier: BSD-2-Clause
"""
Captures of TCP connections that went wrong in one way each, over IPv4 and IPv6.

A connection is a list of segments: milliseconds, c or s for who sends, flags,
sequence number (from the sender's initial one), octets of payload, and more.
"""
import ipaddress
import struct

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
START_NS = 1700000000000000000
ISN = {"c": 0xfffff000, "s": 0x70000000}  # the client's sequence numbers wrap
SYN_OPTIONS = bytes.fromhex("020405b4 01 030307")
OVERWRITTEN = bytes.fromhex("02040590 0402 0101010101010101010101 030309")

SHAKE = [(0, "c", "S", 0, 0), (30, "s", "SA", 0, 0), (40, "c", "A", 1, 0)]
END = [(900, "c", "FA", 9001, 0), (930, "s", "FA", 1, 0), (940, "c", "A", 9002, 0)]


def data(ms, begin, octets=1000, who="c"):
    return (ms, who, "PA", begin, octets)


CONNECTIONS = {
    "the_first_syn_is_lost": [(0, "c", "S", 0, 0), (1000, "c", "S", 0, 0), (1020, "s", "SA", 0, 0),
                              (1025, "c", "A", 1, 0)],
    "the_first_syn_ack_is_lost": [(0, "c", "S", 0, 0), (20, "s", "SA", 0, 0),
                                  (1000, "c", "S", 0, 0), (1021, "s", "SA", 0, 0),
                                  (1026, "c", "A", 1, 0)],
    "the_syn_ack_is_sent_again_alone": [(0, "c", "S", 0, 0), (20, "s", "SA", 0, 0),
                                        (1020, "s", "SA", 0, 0), (1025, "c", "A", 1, 0)],
    "the_handshake_is_reset": [(0, "c", "S", 0, 0), (20, "s", "SA", 0, 0), (25, "c", "RA", 1, 0)],
    "the_ports_are_used_again": [*SHAKE, data(50, 1), (60, "c", "S", -700000, 0),
                                 (90, "s", "SA", 900000, 0), (100, "c", "A", -699999, 0),
                                 data(110, -699999), data(400, -699999)],
    "a_segment_is_late_by_one": [*SHAKE, data(50, 1), data(51, 2001), data(52, 1001),
                                 data(53, 3001)],
    "a_segment_is_late_by_less_than_a_round_trip": [*SHAKE, data(50, 1), data(51, 2001),
                                                    data(80, 1001)],
    "a_gap_is_filled_after_a_round_trip": [*SHAKE, data(50, 1), data(51, 2001), data(52, 3001),
                                           data(95, 1001), data(96, 4001)],
    "the_server_fills_a_gap_late": [*SHAKE, data(50, 1, 1000, "s"), data(51, 2001, 1000, "s"),
                                    data(60, 1001, 1000, "s")],
    "the_server_is_late_by_one": [*SHAKE, data(50, 1, 1000, "s"), data(51, 2001, 1000, "s"),
                                  data(52, 1001, 1000, "s")],
    "two_gaps": [*SHAKE, data(50, 1), data(51, 2001), data(52, 4001), data(53, 1001),
                 data(54, 3001)],
    "a_gap_is_filled_in_parts": [*SHAKE, data(50, 1), data(51, 4001), data(52, 1001),
                                 data(53, 3001), data(54, 2001)],
    "a_segment_is_there_twice": [*SHAKE, data(50, 1), data(51, 1001), data(52, 1001),
                                 data(53, 2001)],
    "sent_again_with_more": [*SHAKE, data(50, 1, 500), data(400, 1, 1500), data(401, 1501)],
    "sent_again_in_other_pieces": [*SHAKE, data(50, 1), data(51, 1001), data(400, 1, 700),
                                   data(401, 701, 700), data(402, 1401, 700)],
    "sent_again_and_acknowledged": [*SHAKE, data(50, 1), (80, "s", "A", 1, 0, {"ack": 1001}),
                                    data(400, 1)],
    "asked_for_by_duplicate_acknowledgements": [
        *SHAKE, data(50, 1), data(51, 2001), data(52, 3001), data(53, 4001),
        *((80 + i, "s", "A", 1, 0, {"ack": 1001}) for i in range(4)), data(90, 1001)],
    "an_acknowledgement_tells_of_a_gap": [*SHAKE, (60, "c", "A", 301, 0), data(160, 1, 300),
                                          data(170, 301)],
    "keep_alives": [*SHAKE, data(50, 1), (500, "c", "A", 1000, 1), (600, "c", "A", 1000, 0),
                    (700, "c", "A", 1000, 1), data(800, 1001)],
    "a_closed_window": [*SHAKE, data(50, 1), (80, "s", "A", 1, 0, {"ack": 1001, "window": 0}),
                        (300, "c", "A", 1001, 1),
                        (330, "s", "A", 1, 0, {"ack": 1001, "window": 0}),
                        (600, "c", "A", 1001, 1),
                        (630, "s", "A", 1, 0, {"ack": 1001, "window": 9000}), data(640, 1001)],
    "the_end_is_sent_again": [*SHAKE, data(50, 1, 9000), *END, (1300, "c", "FA", 9001, 0),
                              (1301, "s", "FA", 1, 0)],
    "a_reset_that_was_lost": [*SHAKE, data(50, 1), (60, "c", "R", 5000, 0), data(70, 1001),
                              (90, "s", "R", 1, 0, {"window": 0})],
    "met_after_the_handshake": [data(0, 5001), data(1, 7001), data(2, 6001), data(90, 6001)],
    "options_are_overwritten": [(0, "c", "S", 0, 0, {"options": OVERWRITTEN}), *SHAKE[1:]],
}


def tcp(segment, port, acks):
    _, who, flags, begin, payload, *more = segment
    more = more[0] if more else {}
    flags = sum(FLAGS[f] for f in flags)
    options = more.get("options", SYN_OPTIONS) if flags & 2 else b""
    options += bytes(-len(options) % 4)
    other = "s" if who == "c" else "c"
    acks[who] = begin + payload + bool(flags & 3)
    ack = ISN[other] + more.get("ack", acks[other]) if flags & 16 else 0
    ports = (port, 80) if who == "c" else (80, port)
    return struct.pack("!HHIIBBHHH", *ports, (ISN[who] + begin) % (1 << 32), ack % (1 << 32),
                       (20 + len(options)) << 2, flags, more.get("window", 8192), 0, 0) + \
        options + bytes(payload)


def frame(who, is_ipv6, segment):
    ends = [ipaddress.ip_address(a).packed for a in
            (("fd77::1", "fd77::2") if is_ipv6 else ("10.77.0.1", "10.77.0.2"))]
    macs = [bytes.fromhex("027700000001"), bytes.fromhex("027700000002")]
    if who == "s":
        ends.reverse()
        macs.reverse()
    if is_ipv6:
        head = struct.pack("!IHBB", 6 << 28, len(segment), 6, 64)
    else:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0)
    return macs[1] + macs[0] + (b"\x86\xdd" if is_ipv6 else b"\x08\x00") + head + b"".join(ends) + \
        segment


def write_pcap(path, frames):
    """frames: (ns, octets)."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHIIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for ns, octets in frames:
            out.write(struct.pack("<IIII", ns // 1000000000, ns % 1000000000, len(octets),
                                  len(octets)) + octets)


def write(folder):
    """One file a connection, which is there over IPv4 and a little later over IPv6."""
    for n, (name, segments) in enumerate(CONNECTIONS.items()):
        frames = []
        for is_ipv6 in (False, True):
            acks = {"c": 0, "s": 0}
            for segment in segments:
                ns = START_NS + int(segment[0] * 1000000) + is_ipv6 * 20000000000
                frames.append((ns, frame(segment[1], is_ipv6, tcp(segment, 5000 + n, acks))))
        write_pcap(folder / f"{name}.pcap", frames)
