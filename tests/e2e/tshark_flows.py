# SPDX-License-Identifier: BSD-2-Clause
"""
What tshark says of a capture, as Flows: packets and octets by addresses,
protocol and ports of one IP header of each packet, the outermost or, of the
tunnels that are opened, the deepest that can be read. tshark dissects; here is
only which of its headers is the Flow's: one whose length fits into what is
around it, and whose transport header is whole.
"""
import collections
import subprocess
import xml.etree.ElementTree

MAX_TUNNELS = 4
NO_REASSEMBLY = [o for name in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams")
                 for o in ("-o", name + ":FALSE")]
EXTENSIONS = {"0": "ipv6.hopopts.nxt", "43": "ipv6.routing.nxt", "44": "ipv6.fraghdr.nxt",
              "51": "ah.next_header", "60": "ipv6.dstopts.nxt"}
PORTS = {"6": "tcp", "17": "udp", "132": "sctp"}

# What may be between two IP headers where a tunnel is opened. Not there is PPP,
# which tshark finds in GRE of version 1 (PPTP, RFC 2637): its outer Flow is metered.
OPENED = {"eth", "vlan", "ieee8021ad", "mpls", "pwethheuristic", "pwethcw", "gre", "erspan", "udp",
          "vxlan", "geneve", "gtp", "teredo", "ipv6.hopopts", "ipv6.routing", "ipv6.fraghdr",
          "ipv6.dstopts", "ah"}

# GTP-U, 3GPP TS 29.281 4.4.2; tshark dissects version 0 on 3386 (GSM 09.60) as well.
GTPU_PORT = "2152"


class Header:
    """An IP header with what follows it up to the next."""

    def __init__(self, proto):
        self.at = int(proto.get("pos"))
        self.is_ipv6 = proto.get("name") == "ipv6"
        self.between = []
        self.fields = {}
        self.add(proto)

    def add(self, proto):
        """Of each field the first, which is this header's own."""
        self.between.append(proto.get("name"))
        for field in proto.iter("field"):
            self.fields.setdefault(field.get("name"), field.get("show"))

    def number(self, name):
        text = self.fields.get(name)
        return int(text, 0) if text else 0

    def octets(self):
        if self.is_ipv6:
            return 40 + self.number("ipv6.plen")
        return self.number("ip.len")

    def protocol(self):
        if not self.is_ipv6:
            return self.fields["ip.proto"]
        protocol = self.fields["ipv6.nxt"]
        fields = dict(self.fields)
        while fields.get(EXTENSIONS.get(protocol)):
            protocol = fields.pop(EXTENSIONS[protocol])
        return protocol

    def is_later_fragment(self):
        return bool(self.number("ipv6.fraghdr.offset" if self.is_ipv6 else "ip.frag_offset"))

    def is_whole(self, end):
        """True when it makes a Flow within octets that go up to `end`."""
        name = "ipv6" if self.is_ipv6 else "ip"
        if any(name + part not in self.fields for part in (".src", ".dst")):
            return False
        if self.fields.get(name + ".version") != ("6" if self.is_ipv6 else "4"):
            return False
        if self.octets() < self.number("ip.hdr_len") or self.at + self.octets() > end:
            return False
        ports = PORTS.get(self.protocol())
        return not ports or self.is_later_fragment() or ports + ".dstport" in self.fields

    def opens(self):
        """True when a tunnel in it is one of those that are opened."""
        if "gtp" in self.between and self.fields["udp.dstport"] != GTPU_PORT:
            return False
        return not self.is_later_fragment() and OPENED.issuperset(self.between[1:])

    def key(self):
        name = "ipv6" if self.is_ipv6 else "ip"
        ports = PORTS.get(self.protocol())
        numbers = [self.fields.get(f"{ports}.{end}", "0") for end in ("srcport", "dstport")]
        return (self.fields[name + ".src"], self.fields[name + ".dst"], self.protocol(), *numbers)


def headers_of(packet):
    """IP headers of a packet from outside in; those quoted by ICMP are no headers of it."""
    headers = []
    for proto in packet.findall("proto"):
        if proto.get("name") in ("ip", "ipv6"):
            headers.append(Header(proto))
        elif headers:
            headers[-1].add(proto)
    return headers


def flow_header(packet, is_inner):
    """The header that makes the packet's Flow, or None."""
    end = next(int(f.get("show")) for f in packet.find("proto") if f.get("name") == "len")
    found = None
    for header in headers_of(packet)[:1 + MAX_TUNNELS if is_inner else 1]:
        if (found and not found.opens()) or not header.is_whole(end):
            break
        found = header
        end = header.at + header.octets()
    return found


def tshark_packets(path):
    """The packets of a capture as tshark dissects them."""
    out = subprocess.run(["tshark", "-n", "-r", path, *NO_REASSEMBLY, "-T", "pdml"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return xml.etree.ElementTree.fromstring(out.stdout).findall("packet")


def tshark_flows(packets, is_inner):
    """Counter of (key, "packets") and (key, "octets")."""
    sums = collections.Counter()
    for packet in packets:
        header = flow_header(packet, is_inner)
        if header:
            sums[header.key(), "packets"] += 1
            sums[header.key(), "octets"] += header.octets()
    return sums
