# SPDX-License-Identifier: BSD-2-Clause
"""
Attacks, each a function that puts one into a capture and returns the label of it: what
it is, who did it to whom, and when. `source` and `destination` are None where no single
host is (and an event must name none), absent where an event may name one or not.
"""
from packets import (ACK, CWR, ECE, FIN, MSS_OPTION, PSH, RST, SYN, SYN_OPTIONS, echo, ip4, tcp, udp,
                     unreachable)
from sessions import address, text_of

OPEN = (22, 25, 53, 80, 110, 135, 139, 143, 443, 445, 993, 3306, 3389, 5432, 8080)


class Scene:
    """The network, and victims and attackers of which each takes part once."""

    def __init__(self, net):
        self.net = net
        self.dice = net.dice
        self.victims = iter(net.dice.sample(range(address("10.2.16.1"), address("10.2.20.0")), 200))
        self.blocks = iter(net.dice.sample(range(32, 96), 64))

    def victim(self):
        return next(self.victims)

    def insider(self):
        return address("10.1.32.0") + next(self.victims) % 4096

    def block(self):
        """The first address of an empty /24 of ours."""
        return address("10.2.0.0") + (next(self.blocks) << 8)

    def attacker(self):
        return self.net.internet()

    def times(self, begin, n, rate):
        """n times, about rate a second, the first of them begin."""
        t = begin
        for _ in range(n):
            yield t
            t += self.dice.uniform(0.5, 1.5) / rate

    def ports(self, n):
        """As nmap does it: the common ones, in random order."""
        ports = list(OPEN) + self.dice.sample(range(1, 10000), n)
        ports = list(dict.fromkeys(ports))[:n]
        self.dice.shuffle(ports)
        return ports


def label(kind, detector, cls, subclass, begin, end, **sides):
    """sides: source and destination as far as they are fixed; rate in packets/s."""
    fixed = {k: text_of(v) if k in ("source", "destination") and v is not None else v
             for k, v in sides.items()}
    return {"kind": kind, "detector": detector, "class": cls, "subclass": subclass,
            "begin": begin, "end": end, **fixed}


def _flag_scan(scene, t, flags, answers, name, n=None, rate=None, options=b""):
    """Ports of one host by one kind of segment; answers: of "closed" ones, of "open" ones."""
    net, dice = scene.net, scene.dice
    source, victim, sport = scene.attacker(), scene.victim(), dice.randint(33000, 60000)
    rate = rate or dice.choice((60, 100, 300, 1000))
    last = t
    for last, dport in zip(scene.times(t, n or dice.randint(120, 1000), rate),
                           scene.ports(n or 1000)):
        net.add(last, tcp(source, victim, sport, dport, flags, seq=dice.getrandbits(31),
                          options=options, window=1024, ttl=50))
        answer = answers["open" if dport in OPEN[:6] else "closed"]
        if answer == SYN | ACK:
            net.add(last + 0.0004, tcp(victim, source, dport, sport, answer, ack=1))
            net.add(last + 0.03, tcp(source, victim, sport, dport, RST, seq=2))
        elif answer:
            net.add(last + 0.0004, tcp(victim, source, dport, sport, answer, window=0))
    return label(f"{name} scan of ports", "scan", ["port-scan"], [name], t, last, source=source,
                 destination=victim, rate=rate)


def syn_ports(scene, t):
    return _flag_scan(scene, t, SYN, {"closed": RST | ACK, "open": SYN | ACK}, "syn",
                      options=MSS_OPTION)


def syn_ports_filtered(scene, t):
    return _flag_scan(scene, t, SYN, {"closed": 0, "open": SYN | ACK}, "syn", options=MSS_OPTION)


def fin_ports(scene, t):
    return _flag_scan(scene, t, FIN, {"closed": RST | ACK, "open": 0}, "fin")


def null_ports(scene, t):
    return _flag_scan(scene, t, 0, {"closed": RST | ACK, "open": 0}, "null")


def xmas_ports(scene, t):
    return _flag_scan(scene, t, FIN | PSH | 0x20, {"closed": RST | ACK, "open": 0}, "xmas")


def maimon_ports(scene, t):
    return _flag_scan(scene, t, FIN | ACK, {"closed": RST, "open": 0}, "maimon")


def ack_ports(scene, t):
    return _flag_scan(scene, t, ACK, {"closed": RST, "open": RST}, "ack")


def connect_ports(scene, t):
    """By connect(): what is open is connected to and closed at once."""
    net, dice = scene.net, scene.dice
    source, victim = scene.attacker(), scene.victim()
    rate, last = dice.choice((60, 150, 400)), t
    for last, dport in zip(scene.times(t, dice.randint(200, 800), rate), scene.ports(800)):
        if dport in OPEN:
            net.connection(last, source, victim, dport, 0, 0, 0.03, "rst")
        else:
            net.refused(last, source, victim, dport, 0.0005)
    return label("connect scan of ports", "scan", ["port-scan"], ["connect"], t, last,
                 source=source, destination=victim, rate=rate)


def syn_ports_ipv6(scene, t):
    net, dice = scene.net, scene.dice
    source = address("2a02:2e0::") + (dice.getrandbits(16) << 64) + dice.getrandbits(30)
    victim = address("2001:db8:2::") + dice.getrandbits(30)
    rate, last = 200, t
    for last, dport in zip(scene.times(t, 300, rate), scene.ports(300)):
        net.add(last, tcp(source, victim, 40123, dport, SYN, options=MSS_OPTION))
        net.add(last + 0.0004, tcp(victim, source, dport, 40123, RST | ACK, window=0))
    return label("syn scan of ports, IPv6", "scan", ["port-scan"], ["syn"], t, last,
                 source=source, destination=victim, rate=rate)


def udp_ports(scene, t):
    """What is closed is answered by ICMP, as fast as the victim's limit lets it."""
    net, dice = scene.net, scene.dice
    source, victim = scene.attacker(), scene.victim()
    rate, limit, last, told = 100, dice.choice((6, 50, 1000)), t, t - 1
    for last, dport in zip(scene.times(t, dice.randint(200, 500), rate), scene.ports(500)):
        frame = udp(source, victim, 50123, dport, 0)
        net.add(last, frame)
        if last - told >= 1 / limit:
            told = last
            net.add(last + 0.0003, unreachable(victim, frame))
    return label("udp scan of ports", "scan", ["port-scan"], ["udp"], t, last, source=source,
                 destination=victim, rate=rate)


def udp_hosts(scene, t):
    """Who answers SNMP, SIP or memcached? Nobody."""
    net, dice = scene.net, scene.dice
    source, first, dport = scene.attacker(), scene.block(), dice.choice((161, 5060, 11211, 1900))
    rate, last = 120, t
    for last, i in zip(scene.times(t, 254, rate), dice.sample(range(1, 255), 254)):
        net.add(last, udp(source, first + i, 50999, dport, 40))
    return label("udp scan of addresses", "scan", ["address-scan"], ["udp"], t, last,
                 source=source, destination=None, rate=rate)


def _syn_hosts(scene, t, source, n, rate, dport, refuse):
    net, dice = scene.net, scene.dice
    first, last = scene.block(), t
    for last, i in zip(scene.times(t, n, rate), dice.sample(range(1, 255), min(n, 254))):
        sport = net.port(source)
        net.add(last, tcp(source, first + i, sport, dport, SYN, seq=dice.getrandbits(31)))
        if dice.random() < refuse:
            net.add(last + 0.001, tcp(first + i, source, dport, sport, RST | ACK, window=0))
    return label("syn scan of addresses", "scan", ["address-scan"], ["syn"], t, last,
                 source=source, destination=None, rate=rate)


def syn_hosts(scene, t):
    return _syn_hosts(scene, t, scene.attacker(), scene.dice.randint(60, 254),
                      scene.dice.choice((60, 200, 800)), scene.dice.choice((23, 445, 3389)), 0.2)


def worm(scene, t):
    """A host of ours looks for others to infect, in two of our networks."""
    source, dport = scene.insider(), scene.dice.choice((445, 22, 3389))
    first = _syn_hosts(scene, t, source, 254, 100, dport, 0.3)
    second = _syn_hosts(scene, first["end"] + 0.01, source, 254, 100, dport, 0.3)
    return first | {"kind": "syn scan of addresses from inside", "end": second["end"]}


def connect_hosts(scene, t):
    """Who has SSH? Whoever has is connected to and left."""
    net, dice = scene.net, scene.dice
    source, first, rate, last = scene.attacker(), scene.block(), 60, t
    for last, i in zip(scene.times(t, 200, rate), dice.sample(range(1, 255), 200)):
        if dice.random() < 0.1:
            net.connection(last, source, first + i, 22, 0, 0, 0.04, "rst")
        elif dice.random() < 0.5:
            net.refused(last, source, first + i, 22, 0.0004)
        else:
            net.dead(last, source, first + i, 22, 2)
    return label("connect scan of addresses", "scan", ["address-scan"], ["connect"], t, last,
                 source=source, destination=None, rate=rate)


def _pings(scene, t, source, blocks, rate):
    net, dice, last, begin = scene.net, scene.dice, t, t
    for _ in range(blocks):
        first = scene.block()
        for last, i in zip(scene.times(begin, 254, rate), dice.sample(range(1, 255), 254)):
            net.add(last, echo(source, first + i, i))
            if dice.random() < 0.05:
                net.add(last + 0.001, echo(first + i, source, i, True))
        begin = last + 1 / rate
    return label("icmp sweep", "scan", ["address-scan"], ["icmp"], t, last, source=source,
                 destination=None, rate=rate)


def ping_hosts(scene, t):
    return _pings(scene, t, scene.attacker(), 1, scene.dice.choice((60, 250)))


def ping_hosts_inside(scene, t):
    return _pings(scene, t, scene.insider(), 2, 120) | {"kind": "icmp sweep from inside"}


def protocols(scene, t):
    """nmap -sO: all IP protocols, without a header of theirs for most."""
    net, dice = scene.net, scene.dice
    source, victim, rate, last = scene.attacker(), scene.victim(), 60, t
    numbers = [p for p in range(256) if p not in (1, 6, 17)]
    dice.shuffle(numbers)
    told = t - 1
    for last, number in zip(scene.times(t, len(numbers), rate), numbers):
        frame = ip4(source, victim, number)
        net.add(last, frame)
        if last - told > 0.15:
            told = last
            net.add(last + 0.0004, unreachable(victim, frame, 2))
    return label("ip-protocol scan", "scan", ["port-scan"], ["ip-protocol"], t, last,
                 source=source, destination=victim, rate=rate)


def block(scene, t):
    """Thirty ports of thirty hosts."""
    net, dice = scene.net, scene.dice
    source, first, rate, last = scene.attacker(), scene.block(), dice.choice((100, 500)), t
    targets = [(first + i, dport) for i in range(1, 31) for dport in scene.ports(30)]
    dice.shuffle(targets)
    for last, (host, dport) in zip(scene.times(t, len(targets), rate), targets):
        net.add(last, tcp(source, host, 44123, dport, SYN, options=MSS_OPTION))
        if dice.random() < 0.7:
            net.add(last + 0.0004, tcp(host, source, dport, 44123, RST | ACK, window=0))
    return label("syn scan of a block", "scan", ["block-scan"], ["syn"], t, last, source=source,
                 destination=None, rate=rate)


def slow_ports(scene, t):
    """A port every one or two minutes."""
    net, dice = scene.net, scene.dice
    source, victim, every, last = scene.attacker(), scene.victim(), dice.choice((60, 90, 120)), t
    for last, dport in zip(scene.times(t, 100, 1 / every), scene.ports(100)):
        net.refused(last, source, victim, dport, 0.0005)
    return label("slow scan of ports", "scan", ["port-scan"], ["slow"], t, last, source=source,
                 destination=victim, rate=1 / every)


def slow_hosts(scene, t):
    """An address every four minutes."""
    net = scene.net
    source, first, last = scene.attacker(), scene.block(), t
    for last, i in zip(scene.times(t, 80, 1 / 240), range(1, 81)):
        net.dead(last, source, first + i, 3389, 1)
    return label("slow scan of addresses", "scan", ["address-scan"], ["slow"], t, last,
                 source=source, destination=None, rate=1 / 240)


def distributed(scene, t):
    """A botnet shares the ports of one host: a few each."""
    net, dice = scene.net, scene.dice
    victim, last = scene.victim(), t
    bots = [net.internet() for _ in range(dice.randint(80, 160))]
    ports, rate = scene.ports(dice.randint(300, 500)), 30
    for last, dport in zip(scene.times(t, len(ports), rate), ports):
        net.refused(last, bots[dport % len(bots)], victim, dport, 0.0005)
    return label("distributed scan", "distributed", ["port-scan"], ["distributed"], t, last,
                 source=None, destination=victim, rate=rate)


def distributed_hosts(scene, t):
    """A botnet shares the addresses of a block: some each."""
    net, dice = scene.net, scene.dice
    first, dport, last = scene.block(), dice.choice((22, 23, 445, 3389)), t
    bots = [net.internet() for _ in range(dice.randint(40, 80))]
    hosts, rate = dice.sample(range(1, 255), 254), 30
    for n, (last, i) in enumerate(zip(scene.times(t, 254, rate), hosts)):
        if dice.random() < 0.3:
            net.refused(last, bots[n % len(bots)], first + i, dport, 0.0005)
        else:
            net.dead(last, bots[n % len(bots)], first + i, dport, 1)
    return label("distributed scan of addresses", "distributed", ["address-scan"], ["distributed"],
                 t, last, source=None, destination=first, port=dport, rate=rate)


def _syn_flood(scene, t, name, rate, flags, sources, answered):
    net, dice = scene.net, scene.dice
    victim, dport, last = scene.victim(), dice.choice((80, 443, 25565, 30120)), t
    for last in scene.times(t, int(rate * dice.uniform(6, 10)), rate):
        source = sources[dice.randrange(len(sources))] if sources else net.internet()
        sport, seq = dice.randint(1024, 65535), dice.getrandbits(31)
        net.add(last, tcp(source, victim, sport, dport, flags, seq=seq, ttl=dice.randint(40, 60)))
        if dice.random() < answered:
            net.add(last + 0.0002, tcp(victim, source, dport, sport, SYN | ACK, ack=seq + 1))
            if dice.random() < 0.1:  # hosts that are there and know of nothing
                net.add(last + 0.05, tcp(source, victim, sport, dport, RST, seq=seq + 1))
    return label(name, "syn_flood", ["syn-flood"], ["syn"], t, last, source=None,
                 destination=victim, port=dport, rate=rate, spoofed=not sources)


def syn_flood_spoofed(scene, t):
    return _syn_flood(scene, t, "SYN flood, forged", scene.dice.randint(2500, 6000), SYN, None,
                      scene.dice.choice((0, 0.1, 1)))


def syn_flood_botnet(scene, t):
    bots = [scene.net.internet() for _ in range(scene.dice.randint(40, 120))]
    return _syn_flood(scene, t, "SYN flood, botnet", scene.dice.randint(2000, 4000), SYN, bots, 0.3)


def syn_flood_ecn(scene, t):
    return _syn_flood(scene, t, "SYN|ECE|CWR flood, forged", 4000, SYN | ECE | CWR, None, 0.05)


def _volume(scene, t, name, subclass, rate, make, answer=None):
    """make(source, victim): a frame. One source or many, forged or not."""
    net, dice = scene.net, scene.dice
    victim, last, told = scene.victim(), t, t
    bots = None if dice.random() < 0.5 else [net.internet() for _ in range(dice.choice((1, 50, 300)))]
    for last in scene.times(t, int(rate * dice.uniform(3.5, 4.5)), rate):
        source = bots[dice.randrange(len(bots))] if bots else net.internet()
        frame = make(source, victim)
        net.add(last, frame)
        if answer and last - told > 0.001:
            told = last
            net.add(last + 0.0002, answer(source, victim, frame))
    fixed = {} if bots and len(bots) == 1 else {"source": None}
    return label(name, "volume", ["ddos"], [subclass], t, last, destination=victim, rate=rate,
                 **fixed)


def udp_flood(scene, t):
    dice = scene.dice
    size = dice.choice((18, 512, 1400))
    return _volume(scene, t, "UDP flood", "udp", dice.randint(26000, 36000),
                   lambda s, v: udp(s, v, dice.randint(1024, 65535), dice.randint(1, 65535), size),
                   lambda s, v, f: unreachable(v, f))


def icmp_flood(scene, t):
    return _volume(scene, t, "ICMP flood", "icmp", scene.dice.randint(26000, 32000),
                   lambda s, v: echo(s, v, scene.dice.getrandbits(16)),
                   lambda s, v, f: echo(v, s, 1, True))


def ack_flood(scene, t):
    dice = scene.dice
    return _volume(scene, t, "ACK flood", "ack", dice.randint(26000, 32000),
                   lambda s, v: tcp(s, v, dice.randint(1024, 65535), 443, ACK,
                                    seq=dice.getrandbits(31), ack=dice.getrandbits(31)),
                   lambda s, v, f: tcp(v, s, 443, 1024, RST))


def fragment_flood(scene, t):
    """Second fragments of nothing."""
    dice = scene.dice
    return _volume(scene, t, "fragment flood", "fragment", dice.randint(26000, 30000),
                   lambda s, v: ip4(s, v, 17, size=1480, ident=dice.getrandbits(16),
                                    fragment=0x2000 | 185))


REFLECTORS = {"dns": (53, 3000), "ntp": (123, 440), "ssdp": (1900, 310), "memcached": (11211, 1400),
              "cldap": (389, 2900), "snmp": (161, 1400), "chargen": (19, 1020),
              "portmap": (111, 480), "netbios": (137, 220), "ws-discovery": (3702, 900)}


def _reflection(scene, t, service):
    """Servers answer what was asked in the victim's name; above 1472 octets in fragments."""
    net, dice = scene.net, scene.dice
    victim, last, (sport, size) = scene.victim(), t, REFLECTORS[service]
    servers = [net.internet() for _ in range(dice.randint(100, 800))]
    rate, dport = dice.randint(2000, 5000), dice.randint(1024, 65535)
    for last in scene.times(t, int(rate * dice.uniform(6, 12)), rate):
        server = dice.choice(servers)
        if size <= 1472:
            net.add(last, udp(server, victim, sport, dport, size))
            continue
        ident, whole = dice.getrandbits(16), udp(server, victim, sport, dport, size)[0][34:42]
        net.add(last, ip4(server, victim, 17, whole, 1480, ident=ident, fragment=0x2000))
        for offset in range(1480, size + 8, 1480):
            more = 0x2000 if offset + 1480 < size + 8 else 0
            net.add(last + offset * 1e-9, ip4(server, victim, 17, size=min(1480, size + 8 - offset),
                                              ident=ident, fragment=more | offset // 8))
    return label(f"{service} reflection", "reflection", ["reflection"], [service], t, last,
                 source=None, destination=victim, rate=rate)


def dns_reflection(scene, t):
    return _reflection(scene, t, "dns")


def ntp_reflection(scene, t):
    return _reflection(scene, t, "ntp")


def other_reflection(scene, t):
    return _reflection(scene, t, scene.dice.choice([s for s in REFLECTORS if s not in ("dns", "ntp")]))


def syn_ack_reflection(scene, t):
    net, dice = scene.net, scene.dice
    victim, last, rate = scene.victim(), t, dice.randint(3000, 6000)
    servers = [net.internet() for _ in range(dice.randint(300, 2000))]
    for last in scene.times(t, int(rate * dice.uniform(6, 10)), rate):
        server, dport = dice.choice(servers), dice.randint(1024, 65535)
        net.add(last, tcp(server, victim, dice.choice((80, 443)), dport, SYN | ACK,
                          seq=dice.getrandbits(31), ack=dice.getrandbits(31), options=SYN_OPTIONS))
        if dice.random() < 0.3:
            net.add(last + 0.0003, tcp(victim, server, 443, dport, RST))
    return label("SYN-ACK reflection", "reflection", ["reflection"], ["syn-ack"], t, last,
                 source=None, destination=victim, rate=rate)


def _violation(scene, t, subclass, n, make, source=None, rate=4):
    dice = scene.dice
    source, victim, last = source or scene.attacker(), scene.victim(), t
    for last in scene.times(t, n, rate):
        scene.net.add(last, make(source, victim, dice.randint(1024, 65535)))
    # of land, the source is the victim's own, and not its fault
    fixed = {} if subclass == "land" else {"source": source}
    return label(subclass, "violation", ["protocol-violation"], [subclass], t, last,
                 destination=victim, rate=rate, **fixed)


def land(scene, t):
    return _violation(scene, t, "land", 5, lambda s, v, p: tcp(v, v, 139, 139, SYN))


def syn_fin(scene, t):
    return _violation(scene, t, "syn-fin", 6, lambda s, v, p: tcp(s, v, p, 80, SYN | FIN))


def syn_rst(scene, t):
    return _violation(scene, t, "syn-rst", 20, lambda s, v, p: tcp(s, v, p, 80, SYN | RST))


def group_source(scene, t):
    group = address("224.0.0.0") + scene.dice.getrandbits(24)
    return _violation(scene, t, "group-source", 20, lambda s, v, p: udp(s, v, p, 514, 100), group)


def port_zero(scene, t):
    return _violation(scene, t, "port-zero", 60, lambda s, v, p: udp(s, v, p, 0, 30))


def beacon(scene, t):
    """A bot asks its master each minute or so what to do."""
    net, dice = scene.net, scene.dice
    source, master, last = scene.insider(), scene.attacker(), t
    every, jitter = dice.choice((30, 60, 120)), dice.choice((0.02, 0.1, 0.2))
    for _ in range(int(9000 / every)):
        net.connection(last, source, master, 443, 310, 220, 0.04)
        last += every * dice.uniform(1 - jitter, 1 + jitter)
    return label("beacon", "beacon", ["beacon"], None, t, last, source=source, destination=master,
                 rate=1 / every)


def exfiltration(scene, t):
    """Half a gigabyte leaves within minutes, to where nobody here has gone before."""
    net, dice = scene.net, scene.dice
    source, drop, last = scene.insider(), scene.attacker(), t
    for _ in range(10):
        last = net.connection(last, source, drop, 443, 50_000_000, 4000, 0.03, segment=60816,
                              rate=2.5e6) + dice.uniform(1, 5)
    return label("exfiltration", "exfiltration", ["exfiltration"], None, t, last, source=source,
                 destination=drop, rate=40)


KINDS = (syn_ports, syn_ports_filtered, fin_ports, null_ports, xmas_ports, maimon_ports, ack_ports,
         connect_ports, syn_ports_ipv6, udp_ports, udp_hosts, syn_hosts, worm, connect_hosts,
         ping_hosts, ping_hosts_inside, protocols, block, slow_ports, slow_hosts, distributed,
         syn_flood_spoofed, syn_flood_botnet, syn_flood_ecn, udp_flood, icmp_flood, ack_flood,
         fragment_flood, dns_reflection, ntp_reflection, other_reflection, syn_ack_reflection, land,
         syn_fin, syn_rst, group_source, port_zero, beacon, exfiltration)
LONG = (slow_ports, slow_hosts, beacon)  # hours
