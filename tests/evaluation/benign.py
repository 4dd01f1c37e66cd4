# SPDX-License-Identifier: BSD-2-Clause
"""
What goes on in a site's network when nobody attacks it: a probe sees both directions of
all of it. Much of it looks like an attack to a careless detector, on purpose: hosts that
are down, retries, crawlers, monitoring, peer-to-peer, answers to what others forged.

Each behaviour is a function of the network, its first and last second, and of how busy
the site is (1 = an office of sixty at work).
"""
from packets import ACK, FIN, RST, SYN, icmp, tcp, udp, unreachable
from sessions import address

CLIENTS = [address("10.1.0.10") + i for i in range(60)]
NAT = address("10.3.0.1")  # a branch office behind one address
RESOLVER = address("10.2.1.53")
MAIL = address("10.2.1.25")
WEB = [address("10.2.1.80") + i for i in range(4)]
FILES = address("10.2.1.100")
MONITOR = address("10.2.1.9")
BALANCER = address("10.2.1.7")
PRINTERS = [address("10.1.1.200") + i for i in range(5)]
P2P = address("10.1.0.200")
CLIENTS6 = [address("2001:db8:1::10") + i for i in range(12)]


class Places:
    """Servers of the Internet that a site's hosts go to again and again."""

    def __init__(self, net):
        self.cdn = [net.internet() for _ in range(60)]
        self.site = [net.internet() for _ in range(600)]
        self.ntp = [net.internet() for _ in range(4)]
        self.site6 = [address("2a00:1450::") + (net.dice.getrandbits(16) << 64) + i
                      for i in range(40)]


def poisson(net, begin, end, every):
    t = begin + net.dice.expovariate(1 / every)
    while t < end:
        yield t
        t += net.dice.expovariate(1 / every)


def regular(net, begin, end, every, jitter=0.1):
    t = begin + net.dice.uniform(0, every)
    while t < end:
        yield t
        t += every * net.dice.uniform(1 - jitter, 1 + jitter)


def page(net, places, t, client):
    """A web page: its names, its server, and a few of the CDN; QUIC where it is offered."""
    dice = net.dice
    for _ in range(dice.randint(1, 3)):
        net.lookup(t, client, RESOLVER, dice.uniform(0.0005, 0.05))
    servers = [dice.choice(places.site)] + dice.sample(places.cdn, dice.randint(0, 3))
    for server in servers:
        t += dice.uniform(0.01, 0.3)
        if dice.random() < 0.02:  # a server that is not there any more, a blocked tracker
            if dice.random() < 0.5:
                net.refused(t, client, server, 443, 0.02)
            else:
                net.dead(t, client, server, 443, dice.randint(1, 4))
        elif dice.random() < 0.2:
            sport = net.port(client)
            for i in range(dice.randint(3, 8)):
                net.exchange(t + i * 0.03, client, server, 443, 1200, 1200, sport=sport)
        else:
            net.connection(t, client, server, dice.choice((443, 443, 443, 80)),
                           dice.randint(300, 1800), int(dice.paretovariate(1.2) * 2500) % 60000,
                           dice.uniform(0.005, 0.12), dice.choice(("fin", "fin", "rst", "open")),
                           dice.randint(1, 3), 0.2, syn_tries=1 + (dice.random() < 0.01))


def web(net, places, begin, end, busy):
    for client in CLIENTS[:40]:
        for t in poisson(net, begin, end, 420 / busy):
            page(net, places, t, client)


def branch_office(net, places, begin, end, busy):
    """Sixty people behind one address: many servers, and a few of them always fail."""
    for t in poisson(net, begin, end, 25 / busy):
        page(net, places, t, NAT)
    for t in poisson(net, begin, end, 120 / busy):
        net.dead(t, NAT, net.internet(), net.dice.choice((443, 8080, 993)), 3)


def resolver(net, places, begin, end, busy):
    """Asks name servers all over the world; one in thirty is silent or unreachable."""
    dice = net.dice
    for t in poisson(net, begin, end, 3 / busy):
        server = net.internet()
        net.lookup(t, RESOLVER, server, dice.uniform(0.005, 0.2), dice.random() > 0.03,
                   dice.choice((90, 180, 400, 1100)))
        if dice.random() < 0.005:
            net.connection(t + 0.2, RESOLVER, server, 53, 40, 2400, 0.03)


def signed_answers(net, places, begin, end, busy):
    """DNSSEC: large answers, all asked for, from many servers within seconds."""
    for t in poisson(net, begin, end, 4000 / busy):
        for i in range(150):
            net.lookup(t + i * 0.02, RESOLVER, net.internet(), 0.03, down=net.dice.randint(900, 1232))


def mail(net, places, begin, end, busy):
    """In, out, to servers that are gone, tried again; and clients that look for new mail."""
    dice = net.dice
    gone = [net.internet() for _ in range(6)]
    for t in poisson(net, begin, end, 60 / busy):
        net.connection(t, net.internet(), MAIL, 25, 3000, 400, 0.05, turns=3)
    for t in poisson(net, begin, end, 90 / busy):
        net.connection(t, MAIL, net.internet(), 25, 9000, 300, 0.05, turns=4, pause=0.1)
    for server in gone:
        for t in regular(net, begin, end, 900):
            if dice.random() < 0.5:
                net.dead(t, MAIL, server, 25, 5)
            else:
                net.refused(t, MAIL, server, 25, 0.05)
    for client in CLIENTS[:30]:
        for t in regular(net, begin, end, 600 / busy):
            net.connection(t, client, MAIL, 993, 200, 300, 0.001, turns=2)


def clocks_and_discovery(net, places, begin, end, busy):
    """NTP, one of whose servers is dead; mDNS, SSDP and broadcasts nobody answers."""
    for client in CLIENTS[:40:4] + [MAIL, FILES]:
        for server in places.ntp:
            for t in regular(net, begin, end, 1024 / busy):
                net.exchange(t, client, server, 123, 48, 48, sport=123,
                             answered=server != places.ntp[3])
        for t in regular(net, begin, end, 300 / busy):
            net.add(t, udp(client, address("239.255.255.250"), net.port(client), 1900, 130, ttl=2))
            net.add(t + 1, udp(client, address("224.0.0.251"), 5353, 5353, 60, ttl=255))
            net.add(t + 2, udp(client, address("10.1.255.255"), 137, 137, 50))


def peer_to_peer(net, places, begin, end, busy):
    """
    A host of ours shares files: of the peers it is told of, a third has gone. It asks
    the distributed table in bursts and is asked itself.
    """
    dice = net.dice
    for t in poisson(net, begin, end, 5400 / busy):
        for i in range(300):
            when = t + i * dice.uniform(0.2, 0.6)
            peer, dport = net.internet(), dice.randint(1024, 65000)
            fate = dice.random()
            if fate < 0.6:
                net.exchange(when, P2P, peer, dport, 104, 290, 0.08, sport=51413)
            elif fate < 0.65:
                frame = udp(P2P, peer, 51413, dport, 104)
                net.add(when, frame)
                net.add(when + 0.09, unreachable(peer, frame))
            else:
                net.exchange(when, P2P, peer, dport, 104, sport=51413, answered=False)
            if i % 2:
                net.exchange(when + 0.5, net.internet(), P2P, 51413, 104, 290, 0.08,
                             sport=dice.randint(1024, 65000))
        for i in range(70):
            when = t + 20 + i * dice.uniform(1, 4)
            peer, dport = net.internet(), dice.randint(1024, 65000)
            fate = dice.random()
            if fate < 0.55:
                net.connection(when, P2P, peer, dport, 2000, 30000, 0.09)
            elif fate < 0.7:
                net.refused(when, P2P, peer, dport, 0.09)
            else:
                net.dead(when, P2P, peer, dport, 2)


def backups(net, places, begin, end, busy):
    """A server fills the store at night: one connection, 1.5 Gbit/s, in frames of 60 kB (GRO)."""
    for i, t in enumerate(regular(net, begin + 300, end - 300, 12000 / busy, 0.3)):
        net.connection(t, FILES, WEB[i % 4] + 50, 22, 1 << 28, 2000, 0.0003, segment=60816,
                       rate=190e6)


def speed_test(net, places, begin, end, busy):
    """Eight connections at once, 900 Mbit/s together, down and then up."""
    for t in poisson(net, begin, end, 9000 / busy):
        client, server = net.dice.choice(CLIENTS), net.dice.choice(places.cdn)
        for i in range(8):
            net.connection(t + i * 0.01, client, server, 443, 300, 40_000_000, 0.008,
                           segment=30000, rate=14e6)
            net.connection(t + 5 + i * 0.01, client, server, 443, 15_000_000, 300, 0.008,
                           segment=30000, rate=14e6)


def video_calls(net, places, begin, end, busy):
    """First it looks for a way (most of which lead nowhere), then sound and pictures both ways."""
    dice = net.dice
    for t in poisson(net, begin, end, 3000 / busy):
        client, server = dice.choice(CLIENTS), dice.choice(places.cdn)
        sport = net.port(client)
        for i in range(14):
            net.add(t + i * 0.05, udp(client, address("192.168.1.2") + dice.randint(0, 9), sport,
                                      dice.randint(50000, 50040), 100))
        for i in range(600):
            net.add(t + 1 + i * 0.033, udp(client, server, sport, 3478, dice.randint(100, 1100)))
            net.add(t + 1.01 + i * 0.033, udp(server, client, 3478, sport, dice.randint(100, 1100)))


def crawlers(net, places, begin, end, busy):
    """Search engines visit our sites; our own link checker finds that some links are dead."""
    dice = net.dice
    for t in poisson(net, begin, end, 1800 / busy):
        bot = net.internet()
        for i in range(40):
            net.connection(t + i * dice.uniform(0.3, 2), bot, dice.choice(WEB), 443, 400, 9000, 0.08)
    for t in poisson(net, begin, end, 10000 / busy):
        for i in range(250):
            when, site = t + i * dice.uniform(0.4, 1.2), net.internet()
            fate = dice.random()
            if fate < 0.93:
                net.connection(when, WEB[0], site, 443, 300, 6000, 0.06)
            elif fate < 0.96:
                net.refused(when, WEB[0], site, 443, 0.06)
            else:
                net.dead(when, WEB[0], site, 443, 2)


def monitoring(net, places, begin, end, busy):
    """Pings, connects to and asks all that is ours, each few minutes; some are down for good."""
    dice = net.dice
    hosts = [address("10.2.2.1") + i for i in range(120)]
    down = set(dice.sample(hosts, 6))
    for t in regular(net, begin, end, 300 / busy, 0.01):
        for i, host in enumerate(hosts):
            when = t + i * 0.1
            net.ping(when, MONITOR, host, 1, 0.001, host not in down)
            net.exchange(when + 0.02, MONITOR, host, 161, 90, 110, 0.002, answered=host not in down)
            if i % 3 == 0:
                if host in down:
                    net.dead(when, MONITOR, host, 22, 2)
                elif i % 27 == 0:
                    net.refused(when, MONITOR, host, 5666)
                else:
                    net.connection(when, MONITOR, host, 22, 40, 60, 0.001)


def health_checks(net, places, begin, end, busy):
    """A load balancer tries its twelve servers, on two ports; two are out of service."""
    backends = [address("10.2.3.1") + i for i in range(12)]
    for t in regular(net, begin, end, 30 / busy, 0.01):
        for i, host in enumerate(backends):
            for dport in (8080, 8443):
                if i < 10:
                    net.connection(t + i * 0.01, BALANCER, host, dport, 80, 120, 0.0005)
                else:
                    net.refused(t + i * 0.01, BALANCER, host, dport)


def dead_hosts(net, places, begin, end, busy):
    """Clients that go on trying a printer, shares and a server that have been switched off."""
    dice = net.dice
    for client in CLIENTS[::6]:
        for t in poisson(net, begin, end, 1500 / busy):
            for printer in PRINTERS[:dice.randint(1, 4)]:
                net.dead(t, client, printer, 9100, 4)
                net.dead(t + 0.1, client, printer, 631, 3)
        for t in poisson(net, begin, end, 2500 / busy):
            net.dead(t, client, address("10.1.9.9"), 445, 3)
            net.dead(t + 0.2, client, address("10.1.9.9"), 139, 3)


def mobile_clients(net, places, begin, end, busy):
    """Come by a bad radio link: SYN again and again, from new ports; connections that just stop."""
    dice = net.dice
    for t in poisson(net, begin, end, 90 / busy):
        client, server = net.internet(), dice.choice(WEB)
        for i in range(dice.randint(1, 4)):
            net.syn(t + i * 5, client, server, net.port(client), 443, dice.randint(1, 3))
        net.connection(t + 25, client, server, 443, 500, 5000, 0.3, dice.choice(("open", "rst")),
                       syn_tries=dice.randint(1, 3))


def content_servers(net, places, begin, end, busy):
    """Ours deliver to many: connections from anywhere, all the time."""
    dice = net.dice
    for t in poisson(net, begin, end, 8 / busy):
        net.connection(t, net.internet(), dice.choice(WEB), 443, 500, dice.randint(2000, 30000),
                       dice.uniform(0.01, 0.2), dice.choice(("fin", "rst")))


def flash_crowd(net, places, begin, end, busy):
    """All the world at once, 1200 new connections a second for eight; nine in ten get through."""
    dice = net.dice
    t0 = dice.uniform(begin + 600, end - 600)
    for i in range(9600):
        client, t = net.internet(), t0 + i / 1200
        if dice.random() < 0.1:
            net.connection(t, client, WEB[1], 443, 300, 2500, 0.05, syn_tries=2)
        else:
            net.connection(t, client, WEB[1], 443, 300, 2500, 0.05)


def updates(net, places, begin, end, busy):
    """Thirty clients fetch the same update from one server."""
    dice = net.dice
    for t in poisson(net, begin, end, 12000 / busy):
        server = dice.choice(places.cdn)
        for client in CLIENTS[:30]:
            net.connection(t + dice.uniform(0, 60), client, server, 443, 400, 3_000_000, 0.01,
                           segment=20000, rate=5e6)


def background_radiation(net, places, begin, end, busy):
    """What every network gets: somebody tries a door or seven, and goes on elsewhere."""
    dice = net.dice
    for t in poisson(net, begin, end, 45 / busy):
        source = net.internet()
        dport = dice.choice((22, 23, 80, 443, 445, 2323, 3389, 5555, 6379, 8080, 8443))
        for i in range(min(7, 1 + int(dice.expovariate(0.6)))):
            host = address("10.2.4.1") + dice.randrange(1000)
            if dice.random() < 0.5:
                net.add(t + i * dice.uniform(0.1, 20), tcp(source, host, net.port(source), dport, SYN))
            else:
                net.refused(t + i * dice.uniform(0.1, 20), source, host, dport, 0.0005)


def backscatter(net, places, begin, end, busy):
    """Victims of floods forged in our name answer: SYN-ACK, RST, ICMP to hosts that never asked."""
    dice = net.dice
    for t in poisson(net, begin, end, 5000 / busy):
        victim = net.internet()
        for i in range(200):
            host = address("10.2.4.1") + dice.randrange(1000)
            flags = dice.choice((SYN | ACK, SYN | ACK, RST | ACK, RST))
            when, dport = t + i * dice.uniform(0.2, 1.5), dice.randint(1024, 65000)
            if dice.random() < 0.1:
                net.add(when, unreachable(victim, tcp(host, victim, dport, 80, SYN)))
            else:
                net.add(when, tcp(victim, host, 80, dport, flags, ack=dice.getrandbits(31)))


def long_connections(net, places, begin, end, busy):
    """Older than the capture, silent for minutes, kept alive by bare ACK, closed late or by RST."""
    dice = net.dice
    pairs = [(dice.choice(CLIENTS), places.cdn[i % 60], net.port(1)) for i in range(50)]
    pairs += [(net.internet(), WEB[2], net.port(2)) for _ in range(50)]
    pairs += [(CLIENTS[3], address("10.2.5.1") + i, net.port(3)) for i in range(25)]
    for client, server, sport in pairs:
        t = begin + dice.uniform(0, 60)
        last = t + dice.expovariate(1 / 4000)
        while t < min(end, last):
            net.add(t, tcp(server, client, 443, sport, ACK, ack=9))
            net.add(t + 0.05, tcp(client, server, sport, 443, ACK, seq=9))
            t += dice.choice((45, 75, 240, 600)) * dice.uniform(0.9, 1.1)
        if last < end:
            flags = dice.choice((RST, RST | ACK, FIN | ACK))
            net.add(last + 1, tcp(server, client, 443, sport, flags, seq=2, ack=9))
            if flags == FIN | ACK:
                net.add(last + 1.05, tcp(client, server, sport, 443, RST, seq=9))


def old_habits(net, places, begin, end, busy):
    """Passive FTP (a new port each file), knocking at ports, traceroute, SSH sessions."""
    dice = net.dice
    for t in poisson(net, begin, end, 4000 / busy):
        client, server = dice.choice(CLIENTS), dice.choice(places.site)
        net.connection(t, client, server, 21, 30, 60, 0.03, turns=20, pause=1)
        for i in range(30):
            net.connection(t + 2 + i, client, server, dice.randint(40000, 60000), 0, 20000, 0.03)
    for t in poisson(net, begin, end, 6000 / busy):
        admin = net.internet()
        for i, dport in enumerate((7000, 8000, 9000)):
            net.syn(t + i, admin, FILES, net.port(admin), dport)
        net.connection(t + 5, admin, FILES, 22, 100, 100, 0.05, turns=60, pause=2)
    for t in poisson(net, begin, end, 4500 / busy):
        hops = dice.randint(8, 20)
        net.traceroute(t, dice.choice(CLIENTS), net.internet(), hops,
                       set(dice.sample(range(1, hops), hops // 4)))


def broken_ipv6(net, places, begin, end, busy):
    """IPv6 works for most; one client has lost its way out and falls back each time."""
    dice = net.dice
    for t in poisson(net, begin, end, 30 / busy):
        client = dice.choice(CLIENTS6)
        net.connection(t, client, dice.choice(places.site6), 443, 500, 6000, 0.02)
    for t in poisson(net, begin, end, 5000 / busy):
        for i in range(25):
            net.dead(t + i * 8, CLIENTS6[0], dice.choice(places.site6), 443, 2)
            net.connection(t + i * 8 + 0.3, CLIENTS[12], dice.choice(places.site), 443, 500, 6000)


def errors(net, places, begin, end, busy):
    """Routers say that hosts are unreachable or packets too big; pings to what is down."""
    dice = net.dice
    for t in poisson(net, begin, end, 600 / busy):
        client, server = dice.choice(CLIENTS), net.internet()
        frame = tcp(client, server, net.port(client), 443, SYN)
        net.add(t, frame)
        net.add(t + 0.03, unreachable(net.internet(), frame, 1))
        net.add(t + 5, icmp(net.internet(), client, 3, 4, data=frame[0][14:42]))
        net.ping(t + 9, client, address("10.1.8.8"), 5, answered=False)


BEHAVIOURS = (web, branch_office, resolver, signed_answers, mail, clocks_and_discovery,
              peer_to_peer, backups, speed_test, video_calls, crawlers, monitoring, health_checks,
              dead_hosts, mobile_clients, content_servers, flash_crowd, updates,
              background_radiation, backscatter, long_connections, old_habits, broken_ipv6, errors)


def benign(net, begin, end, busy, but=()):
    places = Places(net)
    for behaviour in BEHAVIOURS:
        if behaviour.__name__ not in but:
            behaviour(net, places, begin, end, busy)

