# SPDX-License-Identifier: BSD-2-Clause
"""
Frames and capture files. Addresses are integers, those of IPv6 above 2**32; times are
seconds of the capture. Payload is zeros beyond what is given, and a frame is cut at
SNAP octets as `tcpdump -s` does; lengths in its headers are those of the whole.
"""
import struct

SNAP = 96
EPOCH = 1_700_000_000  # a capture's second 0

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58

_LINK4 = bytes.fromhex("020000000001" "020000000002" "0800")
_LINK6 = bytes.fromhex("020000000001" "020000000002" "86dd")
_IP4 = struct.Struct("!14sBBHHHBBHII")
_IP6 = struct.Struct("!14sIHBB16s16s")
_TCP4 = struct.Struct("!14sBBHHHBBHIIHHIIBBHHH")
_UDP4 = struct.Struct("!14sBBHHHBBHIIHHHH")
_TCP = struct.Struct("!HHIIBBHHH")
# MSS 1460, SACK permitted, time stamps, window scale 7: what Linux asks for
SYN_OPTIONS = bytes.fromhex("020405b4" "0402" "080a0000000100000000" "01" "030307")
MSS_OPTION = bytes.fromhex("020405b4")


def is_ipv6(address):
    return address >= 1 << 32


def _words(data):
    if len(data) % 2:
        data += b"\0"
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


_option_words = {o: _words(o) for o in (b"", SYN_OPTIONS, MSS_OPTION)}


def _fold(total):
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ~total & 0xffff


def _halves(address):
    total = 0
    while address:
        total += address & 0xffff
        address >>= 16
    return total


def ip4(source, destination, protocol, payload=b"", size=None, ttl=64, ident=1, fragment=0x4000):
    """A packet of any protocol; size is that of the payload. Returns frame and its length."""
    size = len(payload) if size is None else size
    total = 20 + size
    check = _fold(0x4500 + total + ident + fragment + (ttl << 8 | protocol) +
                  _halves(source) + _halves(destination))
    frame = _IP4.pack(_LINK4, 0x45, 0, total, ident, fragment, ttl, protocol, check, source,
                      destination) + payload
    return _cut(frame, 14 + total)


def ip6(source, destination, protocol, payload, size=None, ttl=64):
    size = len(payload) if size is None else size
    frame = _IP6.pack(_LINK6, 6 << 28, size, protocol, ttl, source.to_bytes(16, "big"),
                      destination.to_bytes(16, "big")) + payload
    return _cut(frame, 54 + size)


def _cut(frame, length):
    if len(frame) < SNAP < length:
        frame += bytes(SNAP - len(frame))
    elif len(frame) < length <= SNAP:
        frame += bytes(length - len(frame))
    return frame[:SNAP], length


def tcp(source, destination, sport, dport, flags, size=0, seq=1, ack=0, options=b"", ttl=64,
        window=512):
    """size octets of data."""
    head = 20 + len(options)
    place = (head // 4) << 4
    urgent = 0
    words = (sport + dport + (seq >> 16) + (seq & 0xffff) + (ack >> 16) + (ack & 0xffff) +
             (place << 8 | flags) + window + _option_words[options])
    if is_ipv6(source):
        check = _fold(words + _halves(source) + _halves(destination) + TCP + head + size)
        return ip6(source, destination, TCP, _TCP.pack(
            sport, dport, seq, ack, place, flags, window, check, urgent) + options, head + size, ttl)
    total = 20 + head + size
    ident = (seq + sport) & 0xffff
    sides = (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff)
    ip_check = _fold(0x4500 + total + ident + 0x4000 + (ttl << 8 | TCP) + sides)
    frame = _TCP4.pack(_LINK4, 0x45, 0, total, ident, 0x4000, ttl, TCP, ip_check, source,
                       destination, sport, dport, seq, ack, place, flags, window,
                       _fold(words + sides + TCP + head + size), urgent) + options
    return _cut(frame, 14 + total)


def udp(source, destination, sport, dport, size, data=b"", ttl=64, ident=1):
    """size octets of data, of which the first are given. No checksum in IPv4 (RFC 768)."""
    if is_ipv6(source):
        words = sport + dport + 2 * (8 + size) + UDP + _words(data)
        check = _fold(words + _halves(source) + _halves(destination)) or 0xffff
        return ip6(source, destination, UDP,
                   struct.pack("!HHHH", sport, dport, 8 + size, check) + data, 8 + size, ttl)
    total = 28 + size
    check = _fold(0x4500 + total + ident + 0x4000 + (ttl << 8 | UDP) + (source >> 16) +
                  (source & 0xffff) + (destination >> 16) + (destination & 0xffff))
    frame = _UDP4.pack(_LINK4, 0x45, 0, total, ident, 0x4000, ttl, UDP, check, source, destination,
                       sport, dport, 8 + size, 0) + data
    return _cut(frame, 14 + total)


def icmp(source, destination, kind, code=0, rest=b"\0\0\0\0", data=b"", size=0, ttl=64):
    """size octets after the header of eight, of which the first are given."""
    if is_ipv6(source):
        length = 8 + max(size, len(data))
        words = (kind << 8 | code) + _words(rest) + _words(data) + ICMP6 + length
        check = _fold(words + _halves(source) + _halves(destination))
        return ip6(source, destination, ICMP6, struct.pack("!BBH", kind, code, check) + rest + data,
                   length, ttl)
    check = _fold((kind << 8 | code) + _words(rest) + _words(data))
    return ip4(source, destination, ICMP, struct.pack("!BBH", kind, code, check) + rest + data,
               8 + max(size, len(data)), ttl)


def echo(source, destination, number, is_reply=False, size=56):
    v6 = is_ipv6(source)
    kind = (129 if is_reply else 128) if v6 else (0 if is_reply else 8)
    return icmp(source, destination, kind, rest=struct.pack("!HH", 77, number & 0xffff), size=size)


def unreachable(source, frame, code=3):
    """What source answers to a frame: port (3), protocol (2) or host (1) unreachable."""
    if frame[0][12:14] == b"\x86\xdd":
        sender = int.from_bytes(frame[0][22:38], "big")
        return icmp(source, sender, 1, {3: 4}.get(code, 3), data=frame[0][14:])
    sender = int.from_bytes(frame[0][26:30], "big")
    return icmp(source, sender, 3, code, data=frame[0][14:42])


class Capture:
    """Frames in any order; write() sorts them."""

    def __init__(self):
        self.frames = []

    def add(self, when, frame):
        self.frames.append((when, *frame))

    def write(self, path):
        """Returns the number of frames. Nanosecond pcap, Ethernet."""
        self.frames.sort(key=lambda f: f[0])
        head = struct.Struct("<IIII").pack
        with open(path, "wb", buffering=1 << 20) as out:
            out.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, SNAP, 1))
            for when, frame, length in self.frames:
                ns = round(when * 1_000_000_000)
                out.write(head(EPOCH + ns // 1_000_000_000, ns % 1_000_000_000, len(frame), length))
                out.write(frame)
        return len(self.frames)
