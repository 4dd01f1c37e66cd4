# SPDX-License-Identifier: BSD-2-Clause
"""
Under which ports a fragment is counted: those of the last first fragment in front
of it of its datagram, whose protocol it has too (RFC 8200 4.5), or else ports 0.
Where tshark puts the datagram together, these must be the ports in the whole.
"""

LIFETIME_NS = 1024 << 22  # FRAGMENT_LIFETIME, before which identifications recur

PORTS = {"6": ("tcp.srcport", "tcp.dstport"), "17": ("udp.srcport", "udp.dstport"),
         "132": ("sctp.srcport", "sctp.dstport")}
REASSEMBLED_IN = ("ip.reassembled_in", "ipv6.reassembled.in")
REASSEMBLE = ("-2", "-o", "ip.defragment:TRUE", "-o", "ipv6.defragment:TRUE")


def nanoseconds(epoch):
    return int(epoch.replace(".", ""))


class Reassembly:
    """What tshark finds in the datagrams that it puts together."""

    def __init__(self, path, read_fields):
        names = ("frame.number", "frame.time_epoch", *REASSEMBLED_IN,
                 *(n for pair in PORTS.values() for n in pair))
        rows = read_fields(path, names, *REASSEMBLE)
        self.rows = {r["frame.number"][0]: {name: r[name][0] for name in names} for r in rows}

    def ports(self, number, protocol):
        """Ports of the whole datagram of a frame's outermost fragment, or None."""
        row = self.rows[number]
        whole = self.rows[row[REASSEMBLED_IN[0]] or row[REASSEMBLED_IN[1]] or number]
        apart = nanoseconds(whole["frame.time_epoch"]) - nanoseconds(row["frame.time_epoch"])
        ports = tuple(whole[name] for name in PORTS.get(protocol, ()))
        is_one = abs(apart) < LIFETIME_NS  # tshark joins what is years apart as well
        return ports if is_one and ports and all(ports) else None


class Fragments:
    """First fragments so far, by datagram."""

    def __init__(self, reassembly):
        self.reassembly = reassembly
        self.firsts = {}
        self.n_confirmed = 0

    def find(self, packet, header):
        """(protocol, ports) by the rule; None where its first fragment is not known."""
        protocol, (identification, _, offset) = header.protocol(), header.fragment()
        datagram = (*header.addresses(), identification, packet.vlan(),
                    None if header.is_ipv6 else protocol)
        if not offset:
            self.firsts[datagram] = packet.time_ns, (protocol, header.ports())
        time_ns, found = self.firsts.get(datagram, (None, None))
        is_near = found and abs(packet.time_ns - time_ns) < LIFETIME_NS
        return found if is_near else None

    def confirm(self, packet, protocol, ports):
        theirs = self.reassembly.ports(packet.number, protocol)
        if theirs:
            assert ports == theirs, f"frame {packet.number} has ports {theirs}, not {ports}"
            self.n_confirmed += 1

    def protocol_and_ports(self, packet, header):
        """The rest of the key of a packet whose Flow is the header's."""
        if not header.fragment():
            return (header.protocol(), *header.ports())
        found = self.find(packet, header)
        if not found:
            return header.protocol(), "0", "0"
        if header is packet.headers[0]:
            self.confirm(packet, *found)
        protocol, ports = found
        return (protocol, *ports)
