# SPDX-License-Identifier: BSD-2-Clause
"""
What tshark says of a capture, as Flows: packets and octets by addresses,
protocol and ports of one IP header of each packet, the outermost or, of the
tunnels that are opened, the deepest that can be read. tshark dissects; here is
only which of its headers is the Flow's: one whose length fits into what is
around it, and whose transport header is whole; and tshark_fragments.py has
which ports a fragment without them is counted under.
"""
import collections
import subprocess
import typing
import xml.etree.ElementTree

from tshark_fragments import Fragments, Reassembly, nanoseconds

NO_REASSEMBLY = [o for name in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams")
                 for o in ("-o", name + ":FALSE")] + ["-o", "ip.tso_support:FALSE"]
EXTENSIONS = {"0": "ipv6.hopopts.nxt", "43": "ipv6.routing.nxt", "44": "ipv6.fraghdr.nxt",
              "51": "ah.next_header", "60": "ipv6.dstopts.nxt"}
FRAGMENT_HEADER = "44"
PORTS = {"6": "tcp", "17": "udp", "132": "sctp"}

# The last field of what is read of a transport header, by family and protocol.
TRANSPORT_ENDS = {"6": "tcp.urgent_pointer", "17": "udp.checksum", "132": "sctp.checksum"}
ENDS = {"ip": TRANSPORT_ENDS | {"1": "icmp.checksum"},
        "ipv6": TRANSPORT_ENDS | {"58": "icmpv6.checksum"}}

# What may be between two IP headers where a tunnel is opened. Not there is PPP,
# which tshark finds in GRE of version 1 (PPTP, RFC 2637): its outer Flow is metered.
OPENED = {"eth", "vlan", "ieee8021ad", "mpls", "pwethheuristic", "pwethcw", "gre", "erspan", "udp",
          "vxlan", "geneve", "gtp", "teredo", "ipv6.hopopts", "ipv6.routing", "ipv6.fraghdr",
          "ipv6.dstopts", "ah"}

# GTP-U, 3GPP TS 29.281 4.4.2; tshark dissects version 0 on 3386 (GSM 09.60) as well.
GTPU_PORT = "2152"

# Of a header in a list of fields.
FIELDS = ("ip.version", "ip.src", "ip.dst", "ip.proto", "ip.hdr_len", "ip.len", "ip.id",
          "ip.flags.mf", "ip.frag_offset", "ipv6.version", "ipv6.src", "ipv6.dst", "ipv6.nxt",
          "ipv6.plen", "ipv6.opt.jumbo", *EXTENSIONS.values(), "ipv6.fraghdr.ident", "ipv6.fraghdr.more",
          "ipv6.fraghdr.offset", "icmp.checksum", "icmpv6.checksum", *TRANSPORT_ENDS.values(),
          *(f"{p}.{end}" for p in PORTS.values() for end in ("srcport", "dstport")))
TAGS = ("ieee8021ad.svid", "ieee8021ad.id", "vlan.id", "ieee8021ad.cvid")  # from outside in
OF_FRAME = ("frame.number", "frame.time_epoch", "frame.len", "frame.protocols")


# As deep as the probe looks, which counts what is beyond as too_deep or outside of it.
MAX_TUNNELS = 4
MAX_EXTENSIONS = 8
MAX_FIELDS = ((TAGS, 3), (("mpls.label",), 8), (("gtp.ext_hdr.length",), 4))

# What else than this tshark reads through, and what says that it is nothing to read.
REQUIRED = {
    "pppoe.version": 1,  # RFC 2516 4
    "pppoe.type": 1,
    "pppoe.code": 0,  # of a session
    "vxlan.flag_i": 1,  # RFC 7348 5
    "geneve.version": 0,  # RFC 8926 3.4
}
WCCP = 0x883e  # in GRE a redirect header of Cisco's own, which no EtherType announces


class Layers:
    """Headers in a row, by tshark's names of protocols and fields."""

    def __init__(self):
        self.between = []
        self.values = collections.defaultdict(list)

    def add(self, name, fields):
        self.between.append(name)
        for field, text in fields:
            self.values[field].append(text)

    def first(self, name, otherwise=None):
        return self.values[name][0] if name in self.values else otherwise

    def number(self, name):
        text = self.first(name)
        return int({"True": "1", "False": "0"}.get(text, text), 0) if text else 0

    def is_readable(self):
        """True when the probe reads through these headers as tshark does."""
        if any(sum(len(self.values.get(f, ())) for f in names) > n for names, n in MAX_FIELDS):
            return False
        if self.number("gre.proto") == WCCP:
            return False
        return all(self.number(name) == n for name, n in REQUIRED.items() if name in self.values)


class Header(Layers):
    """An IP header with what follows it up to the next. Of most fields the first is its own."""

    def __init__(self, name, at):
        super().__init__()
        self.name = name
        self.at = at

    @property
    def is_ipv6(self):
        return self.name == "ipv6"

    def octets(self):
        if not self.is_ipv6:
            return self.number("ip.len")
        return 40 + (self.number("ipv6.plen") or self.number("ipv6.opt.jumbo"))

    def chain(self):
        """Protocols from the IP header's own to the transport's; any may recur."""
        if not self.is_ipv6:
            return [self.first("ip.proto")]
        chain = [self.first("ipv6.nxt")]
        left = {number: iter(self.values.get(name, ())) for number, name in EXTENSIONS.items()}
        while following := next(left.get(chain[-1], iter(())), None):
            chain.append(following)
        return chain

    def protocol(self):
        return self.chain()[-1]

    def fragment(self):
        """(identification, whether there are more, offset in octets) or None."""
        if self.is_ipv6:
            names = ("ipv6.fraghdr.ident", "ipv6.fraghdr.more", "ipv6.fraghdr.offset")
            if FRAGMENT_HEADER not in self.chain()[:-1]:
                return None
        else:
            names = ("ip.id", "ip.flags.mf", "ip.frag_offset")
        identification, more, offset = map(self.number, names)
        return (identification, more, offset) if more or offset else None

    def is_later_fragment(self):
        fragment = self.fragment()
        return bool(fragment and fragment[2])

    def is_whole(self, end):
        """True when it makes a Flow within octets that go up to `end`."""
        if any(self.name + part not in self.values for part in (".src", ".dst")):
            return False
        if self.first(self.name + ".version") != ("6" if self.is_ipv6 else "4"):
            return False
        if self.octets() < self.number("ip.hdr_len") or self.at + self.octets() > end:
            return False
        return len(self.chain()) <= 1 + MAX_EXTENSIONS and (
            bool(self.fragment()) or self.has_transport())

    def has_transport(self):
        """True for a whole transport header, and for one that is not looked into."""
        if self.is_ipv6 and self.protocol() in EXTENSIONS:
            return False
        end = ENDS[self.name].get(self.protocol())
        return not end or end in self.values

    def opens(self):
        """True when a tunnel in it is one of those that are opened."""
        if "gtp" in self.between and self.first("udp.dstport") != GTPU_PORT:
            return False
        return (not self.is_later_fragment() and OPENED.issuperset(self.between[1:]) and
                self.is_readable())

    def addresses(self):
        return self.first(self.name + ".src"), self.first(self.name + ".dst")

    def ports(self):
        name = PORTS.get(self.protocol())
        return tuple(self.first(f"{name}.{end}", "0") for end in ("srcport", "dstport"))


class Packet(typing.NamedTuple):
    """Its IP headers from outside in, and what tells which Flow it is of."""

    number: str
    time_ns: int
    octets: int
    front: Layers
    headers: list

    def vlan(self):
        return next((self.front.first(name) for name in TAGS if name in self.front.values), "")


def packet_of_pdml(packet):
    """Headers that ICMP quotes are within its own element, and none of the packet's."""
    protos = packet.findall("proto")
    frame = {f.get("name"): f for f in protos[0]}
    layers = [Layers()]
    for proto in protos:
        name = proto.get("name")
        if name in ("ip", "ipv6"):
            layers.append(Header(name, int(proto.get("pos"))))
        layers[-1].add(name, ((f.get("name"), f.get("show")) for f in proto.iter("field")))
    return Packet(frame["num"].get("show"), nanoseconds(frame["timestamp"].get("value")),
                  int(frame["len"].get("show")), layers[0], layers[1:])


def packet_of_fields(row):
    """Of the outermost IP header only: where fields are listed, the first of each is its own."""
    number, time, octets, protocols = (row[name][0] for name in OF_FRAME)
    front = Layers()
    front.add("", ((name, text) for name in TAGS for text in row[name] if text))
    headers = [Header(name, 0) for name in protocols.split(":") if name in ("ip", "ipv6")][:1]
    for header in headers:
        header.add(header.name, ((name, text) for name in FIELDS for text in row[name] if text))
    return Packet(number, nanoseconds(time), int(octets), front, headers)


def run_tshark(path, *options):
    out = subprocess.run(["tshark", "-n", "-r", path, *options], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, check=False)
    return out.stdout


def read_fields(path, names, *options):
    """Of every packet all values of each field, at least an empty one, by name."""
    out = run_tshark(path, *options, "-T", "fields", *(o for name in names for o in ("-e", name)))
    return [{name: text.split(",") for name, text in zip(names, line.split("\t"))}
            for line in out.decode().splitlines()]


def write_without(path, excluded, to):
    """A copy of a capture without the packets of this display filter."""
    run_tshark(path, "-Y", f"not ({excluded})", "-w", to)


class Dissection:
    """A capture as tshark dissects it; has_tunnels costs ten times as much."""

    def __init__(self, path, has_tunnels):
        if has_tunnels:
            tree = xml.etree.ElementTree.fromstring(run_tshark(path, *NO_REASSEMBLY, "-T", "pdml"))
            self.packets = [packet_of_pdml(p) for p in tree.findall("packet")]
        else:
            rows = read_fields(path, OF_FRAME + TAGS + FIELDS, *NO_REASSEMBLY)
            self.packets = [packet_of_fields(row) for row in rows]
        self.reassembly = None
        if any(h.fragment() for p in self.packets for h in p.headers[:1] if h.is_whole(p.octets)):
            self.reassembly = Reassembly(path, read_fields)


def flow_header(packet, is_inner):
    """The header that makes the packet's Flow, or None."""
    end = packet.octets
    found = None
    if not packet.front.is_readable():
        return None
    for header in packet.headers[:1 + MAX_TUNNELS if is_inner else 1]:
        if (found and not found.opens()) or not header.is_whole(end):
            break
        found = header
        end = header.at + header.octets()
    return found


def tshark_flows(dissection, is_inner):
    """Counter of (key, "packets") and (key, "octets"); number of fragments confirmed."""
    sums = collections.Counter()
    fragments = Fragments(dissection.reassembly)
    for packet in dissection.packets:
        header = flow_header(packet, is_inner)
        if header:
            key = (*header.addresses(), *fragments.protocol_and_ports(packet, header))
            sums[key, "packets"] += 1
            sums[key, "octets"] += header.octets()
    return sums, fragments.n_confirmed
