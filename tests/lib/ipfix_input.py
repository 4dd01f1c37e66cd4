# SPDX-License-Identifier: BSD-2-Clause
"""
Where ipfix_wire.py gets Messages from: an IPFIX File, or a capture file (pcap, not
pcapng) of UDP and TCP, whose streams it puts together.
"""
import ipaddress
import mmap
import struct
import typing

FILE = "file"
UDP, TCP = "udp", "tcp"
PROTOCOLS = {17: UDP, 6: TCP}
ETHERTYPES = {0x0800, 0x86dd}


class Packet(typing.NamedTuple):
    """An IP packet of interest, as captured."""
    time: float  # Unix s
    transport: str
    key: tuple  # source, source port, destination, destination port
    octets: int  # of the IP packet
    checksum: int
    flags: int  # TCP
    sequence: int  # TCP
    payload: memoryview


class Fragment(typing.NamedTuple):
    """A part of an IP packet, which none of ours should be."""
    time: float
    key: tuple


def split_messages(data):
    """The Messages of a stream that are whole, and how many octets they take."""
    at, found = 0, []
    while len(data) - at >= 4:
        length = int.from_bytes(data[at + 2:at + 4], "big")
        if length < 16 or len(data) - at < length:
            break
        found.append(data[at:at + length])
        at += length
    return found, at


def is_capture(data):
    return bytes(data[:4]).hex() in ("d4c3b2a1", "4d3cb2a1", "a1b2c3d4", "a1b23c4d")


def open_mapped(path):
    """The octets of a file, of which b"" stands for one that is empty."""
    with open(path, "rb") as file:
        try:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except ValueError:
            return memoryview(b"")


def _ip_of(frame, link):
    """Where the IP header starts; None for other frames."""
    ethertype, at = {0: (None, 4), 1: (12, 14), 101: (None, 0), 113: (14, 16),
                     276: (0, 20)}[link]
    if ethertype is not None and struct.unpack_from(">H", frame, ethertype)[0] not in ETHERTYPES:
        return None
    return frame[at:]


def _addresses(raw, half):
    return (str(ipaddress.ip_address(bytes(raw[:half]))), str(ipaddress.ip_address(bytes(raw[half:]))))


class Capture:
    """Iterates over the packets of a capture file."""

    def __init__(self, data):
        self.data = data
        order = "<" if data[0] in (0xd4, 0x4d) else ">"
        is_nano = bytes(data[:4]).hex() in ("4d3cb2a1", "a1b23c4d")
        self.fraction = 1e-9 if is_nano else 1e-6
        self.header = struct.Struct(order + "IIII")
        self.link = struct.unpack_from(order + "I", data, 20)[0] & 0xffff
        self.names = {}

    def __iter__(self):
        at = 24
        while at + 16 <= len(self.data):
            seconds, part, octets, _ = self.header.unpack_from(self.data, at)
            frame = self.data[at + 16:at + 16 + octets]
            at += 16 + octets
            ip = _ip_of(frame, self.link) if len(frame) >= 34 else None
            packet = ip and self._packet(seconds + part * self.fraction, ip)
            if packet:
                yield packet

    def _packet(self, time, ip):
        if ip[0] >> 4 == 4:
            header, octets, protocol = (ip[0] & 15) * 4, ip[2] << 8 | ip[3], ip[9]
            raw, half = ip[12:20], 4
            is_fragment = (ip[6] << 8 | ip[7]) & 0x3fff
        else:
            header, octets, protocol = 40, 40 + (ip[4] << 8 | ip[5]), ip[6]
            raw, half = ip[8:40], 16
            is_fragment = protocol == 44
        if is_fragment:
            return Fragment(time, _addresses(raw, half))
        if protocol not in PROTOCOLS:
            return None
        return self._segment(time, PROTOCOLS[protocol], (bytes(raw), half), ip[:octets], header)

    def _segment(self, time, transport, addresses, ip, header):
        ports, segment = bytes(ip[header:header + 4]), ip[header:]
        key = self.names.get(addresses[0] + ports)
        if key is None:
            source, destination = _addresses(*addresses)
            key = (source, ports[0] << 8 | ports[1], destination, ports[2] << 8 | ports[3])
            self.names[addresses[0] + ports] = key
        if transport == UDP:
            checksum = segment[6] << 8 | segment[7]
            return Packet(time, UDP, key, len(ip), checksum, 0, 0, segment[8:])
        sequence, = struct.unpack_from(">I", segment, 4)
        return Packet(time, TCP, key, len(ip), 1, segment[13], sequence,
                      segment[(segment[12] >> 4) * 4:])


class TcpStream:
    """Puts the octets of one direction of a connection in order."""

    def __init__(self, syn_sequence):
        self.next = (syn_sequence + 1) & 0xffffffff
        self.waiting = {}
        self.octets = b""

    def add(self, packet):
        """Take a segment; returns the Messages that are whole now."""
        if len(packet.payload):
            self.waiting[packet.sequence] = bytes(packet.payload)
        is_growing = True
        while is_growing:
            is_growing = False
            for sequence in list(self.waiting):
                behind = (self.next - sequence) & 0xffffffff
                if behind < 1 << 31:
                    fresh = self.waiting.pop(sequence)[behind:]
                    self.octets += fresh
                    self.next = (self.next + len(fresh)) & 0xffffffff
                    is_growing |= bool(fresh)
        messages, used = split_messages(self.octets)
        self.octets = self.octets[used:]
        return messages

    def is_broken(self):
        """What stands next is no IPFIX Message, nor the beginning of one."""
        start = self.octets[:2]
        return bool(start) and start != b"\0\x0a"[:len(start)] or \
            len(self.octets) >= 4 and int.from_bytes(self.octets[2:4], "big") < 16
