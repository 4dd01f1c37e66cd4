# SPDX-License-Identifier: BSD-2-Clause
"""
What tshark says of TCP in a capture file, and what the probe does, Flow by Flow.

tshark's conversation outlives our Flows, and knows no VLANs. So that both speak
of the same packets, those of each Flow are cut out of the file by the packet
counts of our records, and tshark gets the n-th Flow of every key as one file.
"""
import collections
import dataclasses
import json
import pathlib
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / "xflow-probe"

FIN, SYN, RST, PSH, ACK, URG = (1 << i for i in range(6))

# A Flow lasts as long as it can: until its connection ends, or the file.
CONFIG = """
flow_cache: {active_timeout_s: 86400, idle_timeout_s: 86400, sweep_interval_s: 60}
output_fields: [base, tcp, tcp_health, fragment]
"""
ANALYSIS = ("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order",
            "zero_window", "initial_rtt")
FIELDS = ("frame.number", "frame.time_epoch", "frame.protocols", "vlan.id",
          "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport",
          "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.window_size_value",
          "tcp.options.mss_val", "tcp.options.wscale.shift", "ip.len", "ip.hdr_len", "tcp.hdr_len",
          *("tcp.analysis." + name for name in ANALYSIS))
NO_REASSEMBLY = [o for name in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams")
                 for o in ("-o", name + ":FALSE")]


@dataclasses.dataclass
class Packet:
    """One TCP segment by tshark. Times in nanoseconds; analysis: names of ANALYSIS."""
    number: int
    time: int
    key: tuple
    sequence: int
    acknowledgement: int
    payload: int
    flags: int
    window: int
    mss: str
    scale: str
    analysis: set
    initial_rtt: int
    is_padded: bool  # by an IP length that has Ethernet's padding in it, which tshark knows

    @property
    def octets(self):
        """What it takes of the sequence numbers (RFC 9293 3.4)."""
        return self.payload + bool(self.flags & SYN) + bool(self.flags & FIN)


@dataclasses.dataclass
class Flow:
    """One Flow Record and its packets in order."""
    record: dict
    packets: list
    nth: int


def nanoseconds(text):
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1000000000 + int(fraction.ljust(9, "0")[:9]) if text else 0


def is_outermost(protocols):
    """TCP right behind the first IP header, as the probe meters it."""
    names = protocols.split(":")
    at = min((i for i, name in enumerate(names) if name in ("ip", "ipv6")), default=len(names))
    names = [n for n in names[at + 1:] if not n.startswith("ipv6.") and n != "ah"]
    return names[:1] == ["tcp"]


def packet_of(line):
    f = dict(zip(FIELDS, line.split("\t")))
    if not is_outermost(f["frame.protocols"]) or not f["tcp.window_size_value"]:
        return None
    return Packet(
        number=int(f["frame.number"]), time=nanoseconds(f["frame.time_epoch"]),
        key=(f["ip.src"] or f["ipv6.src"], f["ip.dst"] or f["ipv6.dst"], int(f["tcp.srcport"]),
             int(f["tcp.dstport"]), int(f["vlan.id"] or 0)),
        sequence=int(f["tcp.seq_raw"]), acknowledgement=int(f["tcp.ack_raw"]),
        payload=int(f["tcp.len"] or 0), flags=int(f["tcp.flags"] or "0", 16),
        window=int(f["tcp.window_size_value"]), mss=f["tcp.options.mss_val"],
        scale=f["tcp.options.wscale.shift"],
        analysis={name for name in ANALYSIS if f["tcp.analysis." + name]},
        initial_rtt=nanoseconds(f["tcp.analysis.initial_rtt"]),
        is_padded=bool(f["ip.len"]) and int(f["tcp.len"] or 0) != int(f["ip.len"]) -
        int(f["ip.hdr_len"]) - int(f["tcp.hdr_len"]))


def dissect(path):
    """TCP segments of a file, of which tshark reads what it can."""
    names = [o for name in FIELDS for o in ("-e", name)]
    out = subprocess.run(["tshark", "-n", "-r", path, *NO_REASSEMBLY, "-Y", "tcp", "-T", "fields",
                          "-E", "occurrence=f", *names], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, check=False)
    return [p for p in map(packet_of, out.stdout.splitlines()) if p]


def meter(path, scratch):
    """The probe's Flow Records of TCP in a file; None for what it refuses."""
    config = scratch / "health.yaml"
    config.write_text(CONFIG)
    done = subprocess.run([PROBE, "-c", config, "-r", path, "-o", "json"], capture_output=True,
                          text=True, check=False)
    return records_of(done.stdout) if done.returncode == 0 else None


def records_of(text):
    flows = (json.loads(line) for line in text.splitlines() if line.startswith('{"type":"flow"'))
    return [f for f in flows if f["protocolIdentifier"] == 6]


def record_key(r):
    return (r.get("sourceIPv4Address") or r.get("sourceIPv6Address"),
            r.get("destinationIPv4Address") or r.get("destinationIPv6Address"),
            r.get("sourceTransportPort", 0), r.get("destinationTransportPort", 0), r["vlanId"])


def flows_cut(packets, records):
    """
    Every record's packets. Returns Flows by key, and what does not fit. Left out are
    Flows with fragments, of which tshark finds TCP in the first only, and those of
    which it takes octets for padding that the IP length counts; with their reverse.
    """
    left_out = {record_key(r) for r in records if r.get("fragmentDeltaCount")}
    left_out |= {p.key for p in packets if p.is_padded}
    left_out |= {(dst, src, dport, sport, vlan) for src, dst, sport, dport, vlan in left_out}
    of_key, flows, faults = collections.defaultdict(list), {}, []
    for p in packets:
        if p.key not in left_out:
            of_key[p.key].append(p)
    for r in records:
        key = record_key(r)
        rest = of_key.get(key)
        n = r["packetDeltaCount"]
        if key in left_out:
            continue
        if rest is None or len(rest) < n:
            faults.append(f"{key}: {n} packets, tshark has {len(rest or [])} more")
            continue
        of_key[key] = rest[n:]
        flows.setdefault(key, []).append(Flow(r, rest[:n], len(flows.get(key, ()))))
    faults += [f"{key}: tshark has {len(rest)} packets more"
               for key, rest in of_key.items() if rest and key in flows]
    return flows, faults


def write_frames(path, numbers, to):
    """Some frames of a file in nanosecond pcap format."""
    data, at, n = path.read_bytes(), 24, 0
    with to.open("wb") as out:
        out.write(data[:24])
        while at + 16 <= len(data):
            end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
            n += 1
            if n in numbers:
                out.write(data[at:end])
            at = end


def analyse_again(path, flows, scratch):
    """Replace tshark's word on Flows that it took for one conversation."""
    rounds, seen = collections.defaultdict(list), collections.Counter()
    for of_key in flows.values():
        for flow in of_key:
            rounds[flow.nth, flow.packets[0].key[4]].append(flow)
            seen[flow.packets[0].key[:4]] += 1
    if max(seen.values(), default=1) == 1:
        return
    whole, part = scratch / "whole.pcap", scratch / "part.pcap"
    subprocess.run(["editcap", "-F", "nsecpcap", path, whole], stderr=subprocess.DEVNULL,
                   check=False)
    for some in rounds.values():
        by_number = {p.number: p for flow in some for p in flow.packets}
        write_frames(whole, by_number, part)
        for old, new in zip(sorted(by_number), dissect(part), strict=True):
            by_number[old].analysis = new.analysis
            by_number[old].initial_rtt = new.initial_rtt


def read_both(path, scratch, records=None):
    """
    Flows by key and faults of a capture file, whose Flow Records may be given; None, [] if
    the probe refuses it or there is no TCP.
    """
    records = records or meter(path, scratch)
    packets = dissect(path) if records else []
    if not packets:
        return None, []
    flows, faults = flows_cut(packets, records)
    analyse_again(path, flows, scratch)
    return flows, faults
