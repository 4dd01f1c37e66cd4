#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
ipfix_wire.py [OPTION]... FILE...: verify every IPFIX Message of IPFIX Files and
captures (pcap), with nothing of the probe, of xflow-collector-test or of libfixbuf.
Prints each complaint with the id of its requirement (--list) and a summary; exit
status 1 if there was one. A File's Messages are one stream; so are those of one
TCP connection or one pair of UDP sockets.
"""
import argparse
import collections
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import ipfix_input  # noqa: E402
import ipfix_template  # noqa: E402
from ipfix_input import FILE, TCP, UDP  # noqa: E402
from ipfix_requirements import REQUIREMENTS  # noqa: E402
from ipfix_stream import PATIENCE_S, Stream  # noqa: E402

EXAMPLES = 5  # of one complaint that are printed


class Checker:
    """All streams of a run, and what is wrong with them."""

    def __init__(self, options=None):
        self.options = options or arguments().parse_args(["-"])
        self.registry = ipfix_template.Registry(self.options.elements)
        self.templates = {}
        self.streams = {}
        self.n_messages = self.n_records = self.n_options = 0
        self.n_templates = self.n_lost = 0
        self.complaints = collections.Counter()
        self.texts = []

    def complain(self, requirement, text):
        assert requirement in REQUIREMENTS, requirement
        self.complaints[requirement] += 1
        if self.complaints[requirement] <= EXAMPLES:
            self.texts.append(f"{requirement}: {text}")

    def template(self, key):
        """Templates are built once, however many streams have them."""
        if key not in self.templates:
            self.templates[key] = ipfix_template.Template(*key[:3], self.registry)
        return self.templates[key]

    def stream(self, transport, name):
        if (transport, name) not in self.streams:
            self.streams[transport, name] = Stream(self, transport, f"{transport} {name}")
        return self.streams[transport, name]

    def read_file(self, data, name):
        """An IPFIX File (RFC 5655)."""
        stream = self.stream(FILE, name)
        messages, used = ipfix_input.split_messages(data)
        for message in messages:
            stream.message(message)
        if used != len(data):
            stream.complain("H1", f"{len(data) - used} octets at the end are no Message")

    def read_capture(self, data):
        connections, tried = {}, {}
        for packet in ipfix_input.Capture(data):
            if isinstance(packet, ipfix_input.Fragment):
                self.complain("T3", f"a fragment from {packet.key[0]} to {packet.key[1]}")
            elif self.options.port and packet.key[3] not in self.options.port:
                continue
            elif packet.transport == UDP:
                self._datagram(packet)
            else:
                self._segment(packet, connections, tried)
        for key, (_, tcp) in connections.items():
            if tcp.octets and not self.options.cut:
                self.complain("H1", f"tcp {key}: the connection ends within a Message")

    @staticmethod
    def name_of(key):
        return f"[{key[0]}]:{key[1]}>[{key[2]}]:{key[3]}"

    def _datagram(self, packet):
        stream = self.stream(UDP, self.name_of(packet.key))
        if packet.octets > self.options.mtu:
            stream.complain("T3", f"a packet of {packet.octets} octets")
        if packet.checksum == 0:
            stream.complain("T4", "no UDP checksum")
        stream.message(packet.payload, packet.time)

    def _segment(self, packet, connections, tried):
        if packet.flags & 0x12 == 0x02:
            peers = packet.key[0], packet.key[2], packet.key[3]
            wait = packet.time - tried.get(peers, 0)
            if wait < self.options.reconnect and packet.key not in connections:
                self.complain("T7", f"tcp {self.name_of(packet.key)}: again after {wait:.1f} s")
            tried[peers] = packet.time
            number = len(connections) + 1
            connections[packet.key] = (number, ipfix_input.TcpStream(packet.sequence))
        elif packet.key in connections:
            number, tcp = connections[packet.key]
            stream = self.stream(TCP, f"{self.name_of(packet.key)} #{number}")
            for message in tcp.add(packet):
                stream.message(message, packet.time)
            if tcp.is_broken():
                stream.complain("H1", f"no Message: {tcp.octets[:16].hex()}")
                del connections[packet.key]

    def read(self, path):
        data = ipfix_input.open_mapped(path)
        if ipfix_input.is_capture(data):
            self.options.live = True
            self.read_capture(data)
        else:
            self.read_file(data, str(path))

    def finish(self):
        """End of all streams; returns the summary."""
        for stream in self.streams.values():
            stream.finish()
        return {"type": "wire", "messages": self.n_messages, "streams": len(self.streams),
                "records": self.n_records, "options_records": self.n_options,
                "templates": self.n_templates, "lost": self.n_lost,
                "complaints": dict(self.complaints)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", action="append", default=[], metavar="XML",
                        help="a registry of enterprise elements")
    parser.add_argument("--json", action="store_true", help="print each record")
    parser.add_argument("--list", action="store_true", help="print the requirements and end")
    parser.add_argument("--port", action="append", type=int, help="of collectors (default all)")
    parser.add_argument("--mtu", type=int, default=1500, help="of the path (1500)")
    parser.add_argument("--refresh", type=float, default=60, help="s, of Templates (60)")
    parser.add_argument("--reconnect", type=float, default=60, help="s, of TCP at least (60)")
    parser.add_argument("--tcp-patience", type=float, default=PATIENCE_S,
                        help="s a Message may be under way in TCP (2)")
    parser.add_argument("--first-sequence", type=int, default=0, help="of each stream (0)")
    parser.add_argument("--late", action="store_true", help="streams began before the capture")
    parser.add_argument("--may-lose", action="store_true", help="count gaps as lost records")
    parser.add_argument("--cut", action="store_true", help="connections may end within a Message")
    parser.add_argument("--clock-stepped", action="store_true", help="no check of H2")
    parser.add_argument("--live", action="store_true", help="times are of these days")
    parser.add_argument("files", nargs="*")
    return parser


def main():
    options = arguments().parse_args()
    if options.list:
        for requirement, text in REQUIREMENTS.items():
            print(f"{requirement:4} {text}")
        return 0
    checker = Checker(options)
    for path in options.files:
        checker.read(path)
    summary = checker.finish()
    for text in checker.texts:
        print(text, file=sys.stderr)
    print(json.dumps(summary), file=sys.stderr if options.json else sys.stdout)
    return 1 if checker.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
