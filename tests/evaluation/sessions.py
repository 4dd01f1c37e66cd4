# SPDX-License-Identifier: BSD-2-Clause
"""
Conversations of which traffic is made: connections with and without an answer,
requests and replies, pings.
"""
import ipaddress
import struct

from packets import (ACK, FIN, PSH, RST, SYN, SYN_OPTIONS, Capture, echo, icmp, tcp, udp,
                     unreachable)


def address(text):
    return int(ipaddress.ip_address(text))


def text_of(number):
    return str(ipaddress.ip_address(number))


class Network:
    """A capture, the dice, and what may be said on a network."""

    def __init__(self, dice):
        self.dice = dice
        self.capture = Capture()
        self.add = self.capture.add
        self._ports = {}

    def internet(self):
        """A unicast address of the Internet, none of ours."""
        while True:
            number = self.dice.randrange(0x01000000, 0xdf000000)
            first, second = number >> 24, number >> 16 & 0xff
            if first not in (10, 127) and (first, second) != (169, 254) and \
                    (first, second) != (192, 168) and not (first == 172 and 16 <= second < 32) and \
                    not (first == 100 and 64 <= second < 128):
                return number

    def port(self, host):
        """The next port of its own that a host's system takes."""
        port = self._ports.get(host)
        port = self.dice.randrange(32768, 60999) if port is None else port + 1
        self._ports[host] = port if port < 60999 else 32768
        return self._ports[host]

    def syn(self, when, client, server, sport, dport, tries=1):
        """SYN and its retransmissions after 1, 3, 7 ... s."""
        for i in range(tries):
            self.add(when + 2 ** i - 1, tcp(client, server, sport, dport, SYN, options=SYN_OPTIONS))

    def refused(self, when, client, server, dport, rtt=0.001):
        sport = self.port(client)
        self.syn(when, client, server, sport, dport)
        self.add(when + rtt, tcp(server, client, dport, sport, RST | ACK, ack=2, window=0))

    def dead(self, when, client, server, dport, tries=4):
        self.syn(when, client, server, self.port(client), dport, tries)

    def connection(self, when, client, server, dport, up=400, down=4000, rtt=0.02, close="fin",
                   turns=1, pause=0.0, segment=1448, rate=1e7, syn_tries=1, sport=None):
        """
        A connection that works: in each of turns, up octets are answered by down octets,
        in frames of segment octets at rate octets/s. Returns its end.
        """
        add = self.add
        sport = sport or self.port(client)
        isn, ack = self.dice.getrandbits(31), self.dice.getrandbits(31)
        self.syn(when, client, server, sport, dport, syn_tries)
        t = when + 2 ** (syn_tries - 1) - 1 + rtt
        add(t, tcp(server, client, dport, sport, SYN | ACK, seq=ack, ack=isn + 1,
                   options=SYN_OPTIONS))
        t += 0.0002
        add(t, tcp(client, server, sport, dport, ACK, seq=isn + 1, ack=ack + 1))
        isn, ack = isn + 1, ack + 1
        for _ in range(turns):
            t, isn = self.burst(t + 0.0003, client, server, sport, dport, up, isn, ack, segment, rate)
            t, ack = self.burst(t + rtt, server, client, dport, sport, down, ack, isn, segment, rate)
            t += pause * self.dice.uniform(0.7, 1.3)
        t += 0.001
        if close == "rst":
            add(t, tcp(client, server, sport, dport, RST | ACK, seq=isn, ack=ack))
        elif close == "fin":
            add(t, tcp(client, server, sport, dport, FIN | ACK, seq=isn, ack=ack))
            add(t + rtt, tcp(server, client, dport, sport, FIN | ACK, seq=ack, ack=isn + 1))
            add(t + rtt + 0.0002, tcp(client, server, sport, dport, ACK, seq=isn + 1, ack=ack + 1))
        return t

    def burst(self, t, source, destination, sport, dport, octets, seq, ack, segment, rate):
        """Data one way, acknowledged every other frame; returns time and sequence number."""
        n = 0
        while octets > 0:
            size = min(segment, octets)
            octets -= size
            self.add(t, tcp(source, destination, sport, dport, ACK | (0 if octets else PSH), size,
                            seq, ack))
            seq = (seq + size) & 0xffffffff
            n += 1
            if n % 2 == 0 or not octets:
                self.add(t + 0.0001, tcp(destination, source, dport, sport, ACK, 0, ack, seq))
            t += max(size / rate, 1e-6)
        return t, seq

    def exchange(self, when, client, server, dport, up=48, down=200, rtt=0.02, sport=None,
                 data=b"", answered=True):
        """A datagram and its answer."""
        sport = sport or self.port(client)
        self.add(when, udp(client, server, sport, dport, up, data))
        if answered:
            self.add(when + rtt, udp(server, client, dport, sport, down, data))

    def lookup(self, when, client, resolver, rtt=0.015, answered=True, down=120):
        query = struct.pack("!HHHHHH", self.dice.getrandbits(16), 0x100, 1, 0, 0, 0)
        self.exchange(when, client, resolver, 53, 36, down, rtt, data=query, answered=answered)

    def ping(self, when, client, server, count=1, rtt=0.01, answered=True, every=1.0):
        for i in range(count):
            self.add(when + i * every, echo(client, server, i))
            if answered:
                self.add(when + i * every + rtt, echo(server, client, i, True))

    def traceroute(self, when, client, server, hops, silent):
        """Three datagrams a hop, as traceroute sends them; some routers do not answer."""
        port = 33434
        for ttl in range(1, hops + 1):
            router = server if ttl == hops else self.internet()
            for _ in range(3):
                frame = udp(client, server, self.port(client), port, 32, ttl=ttl)
                self.add(when, frame)
                if ttl == hops:
                    self.add(when + 0.02, unreachable(server, frame))
                elif ttl not in silent:
                    self.add(when + 0.01, icmp(router, client, 11, data=frame[0][14:42]))
                port += 1
                when += 0.05
        return when
