#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes what Collectors have to be told of the probe's elements, from probe/ie.def and
probe/event_ie.def.

make_definitions.py           writes the files beside itself
make_definitions.py --check   writes nothing; fails if a file is not as it would be
"""

import re
import sys
import textwrap
from collections import namedtuple
from pathlib import Path

CONF = Path(__file__).resolve().parent
PROBE = CONF.parent / "probe"
REVERSE_PEN = 29305
REVERSE_BIT = 0x4000  # the reverse of an element of ours has its id and this bit

Element = namedtuple("Element", "name owner id octets kind once group")
EventElement = namedtuple("EventElement", "name id kind")

# What each reads by itself, by element id; goflow2 2.2.6 and pmacct 1.7.7.
NATIVE = {
    "goflow2": {1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 14, 27, 28, 31, 32, 52, 54, 56, 58, 80, 88,
                139, 152, 153, 197},
    "pmacct": {1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 14, 27, 28, 32, 56, 58, 61, 80, 139, 152, 153,
               243, 245, 256},
    "SiLK": {1, 2, 4, 6, 7, 8, 10, 11, 12, 14, 27, 28, 32, 58, 136, 139, 152, 153, 176, 177, 178,
             179},
}
# Elements of events are fields of options records, most of them of variable length. goflow2
# makes nothing of such records but sampling rates, and nfacctd (nfacctd_account_options)
# cannot tell where one of variable length ends: neither is told of them.
VARIABLE = 65535
# What BinData, which the codec of Logstash reads with, takes for no field's name.
BINDATA_RESERVED = {"class", "value", "element", "index", "array"}
PMACCT_MAX_PRIMITIVES = 64
GOFLOW2_FIELDS = """type time_received_ns sequence_num sampling_rate sampler_address
    time_flow_start_ns time_flow_end_ns bytes packets src_addr dst_addr etype proto src_port
    dst_port in_if out_if src_mac dst_mac src_vlan ip_tos ip_ttl tcp_flags icmp_type icmp_code
    ipv6_flow_label fragment_id fragment_offset ip_flags observation_domain_id"""


def read_elements():
    row = re.compile(r"^IE\((\w+),\s*(\w+),\s*(\d+),\s*(\d+),\s*[\w.]+,\s*(\w+),\s*([\w |]+),"
                     r"\s*(\w+)\)", re.M)
    elements = [Element(name, owner, int(number), int(octets), kind, "ONCE" in templates, group)
                for name, owner, number, octets, kind, templates, group
                in row.findall((PROBE / "ie.def").read_text())]
    assert len(elements) == (PROBE / "ie.def").read_text().count("\nIE("), "a row is not read"
    return elements


def read_event_elements():
    """Our own ones; those of IANA every Collector of events knows."""
    text = (PROBE / "event_ie.def").read_text()
    rows = re.findall(r"^EVENT_IE\((\w+),\s*(\w+),\s*(\d+),\s*(\w+),", text, re.M)
    assert len(rows) == text.count("\nEVENT_IE("), "a row is not read"
    return [EventElement(name, int(number), kind) for name, owner, number, kind in rows
            if owner == "OWN"]


def read_pen():
    schema = (PROBE / "config_schema.c").read_text()
    return int(re.search(r'"enterprise_number", CONFIG_U32, \S+ "(\d+)"', schema).group(1))


ELEMENTS = read_elements()
PEN = read_pen()
OWN = [e for e in ELEMENTS if e.owner == "OWN"]
EVENTS = read_event_elements()


def reverse_name(element):
    return "reverse" + element.name[0].upper() + element.name[1:]


def own_both_ways():
    """(name, id, element) of our own elements, then of their reverse ones."""
    return ([(e.name, e.id, e) for e in OWN] +
            [(reverse_name(e), e.id | REVERSE_BIT, e) for e in OWN if not e.once])


def header(mark, *lines):
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in (
        "SPDX-License-Identifier: BSD-2-Clause",
        "Made by conf/make_definitions.py from probe/ie.def and probe/event_ie.def; do not edit.",
        *lines)) + "\n"


def pmacct_primitives():
    semantics = {"U": "u_int", "A4": "ip", "A6": "ip", "M": "mac", "O": "raw"}
    rows = [e for e in ELEMENTS if e.owner == "OWN" or e.id not in NATIVE["pmacct"]]
    assert len(rows) <= PMACCT_MAX_PRIMITIVES, "more primitives than pmacct takes"
    return header("!", "aggregate_primitives of nfacctd, see nfacctd.conf: what the probe sends",
                  "that pmacct has no name for. Of an exporter with `precision: plain`.") + "".join(
        f"name={e.name}\tfield_type={f'{PEN}:' if e.owner == 'OWN' else ''}{e.id}\t"
        f"len={e.octets}\tsemantics={semantics[e.kind]}\n" for e in rows)


def nfacctd_conf():
    base = [e.name for e in ELEMENTS if e.group == "BASE" and e.owner == "IANA"
            and e.id not in NATIVE["pmacct"] | {148}]
    return header("!", "An example for nfacctd of pmacct: a row for each Flow Record, with the",
                  "elements of `base`; add names of pmacct-primitives.lst for other groups.",
                  "The exporter: {address: 'HOST:9995', profile: pmacct}") + f"""\
daemonize: false
nfacctd_port: 9995
! the times in the records, not that of arrival
nfacctd_time_new: false
aggregate_primitives: /usr/share/xflow-probe/pmacct-primitives.lst
plugins: print[flows]
aggregate[flows]: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, in_iface, out_iface, vlan, timestamp_start, timestamp_end, {", ".join(base)}
print_output[flows]: json
print_refresh_time[flows]: 60
"""


def goflow2_mapping():
    plain = [(e.name, 3000 + e.id, None, e.id, e) for e in ELEMENTS
             if e.owner == "IANA" and e.id not in NATIVE["goflow2"]]
    reverse = [(reverse_name(e), 4000 + e.id, REVERSE_PEN, e.id, e) for e in ELEMENTS
               if e.owner == "IANA" and not e.once and e.kind != "T"]
    rows = plain + [(name, number, PEN, number, e) for name, number, e in own_both_ways()] + reverse
    names = GOFLOW2_FIELDS.split() + [row[0] for row in rows]
    text = header("#", "goflow2 -mapping goflow2-mapping.yaml -format json -produce sample")
    text += "formatter:\n  fields:\n" + "".join(f"    - {name}\n" for name in names)
    text += "  protobuf:\n"
    for name, index, _, _, e in rows:
        text += (f"    - {{name: {name}, index: {index}, "
                 f"type: {'varint' if e.kind in 'UM' else 'string'}}}\n")
    text += "  render:\n"
    for name, _, _, _, e in rows:
        if e.kind in ("A4", "A6", "M"):
            text += f"    {name}: {'mac' if e.kind == 'M' else 'ip'}\n"
    text += "ipfix:\n  mapping:\n"
    for name, _, pen, number, _ in rows:
        enterprise = f"penprovided: true, pen: {pen}, " if pen else ""
        text += f"    - {{{enterprise}field: {number}, destination: {name}}}\n"
    return text


def logstash_definitions():
    kinds = {"A4": "ip4_addr", "A6": "ip6_addr", "M": "mac_addr", "O": "octetarray"}
    text = header("#", "codec => netflow { versions => [10] ipfix_definitions => "
                  "\"/etc/logstash/logstash-xflow.yml\" }",
                  "Without it the codec drops all records of a Template with one of these.")
    text += f"{PEN}:\n"
    for name, number, e in own_both_ways():
        text += f"  {number}:\n  - :{kinds.get(e.kind, f'uint{8 * e.octets}')}\n  - :{name}\n"
    # no list is read: its place is passed over
    kinds = {"U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "F32": "float",
             "BOOL": "uint8", "TEXT": "string", "LIST": "skip"}
    text += "  # of events, with `events: true`; each becomes an event among the Flows\n"
    for e in EVENTS:
        name = f"event{e.name.capitalize()}" if e.name in BINDATA_RESERVED else e.name
        text += f"  {e.id}:\n  - :{kinds[e.kind]}\n  - :{name}\n"
    return text


def nprobe_fields():
    forms = {"U": "dump_as_uint", "A4": "dump_as_ipv4_address", "A6": "dump_as_ipv6_address",
             "M": "dump_as_mac_address", "O": "dump_as_hex"}
    text = header("#", "nprobe --collector-port 9995 --load-custom-fields nprobe-fields.txt ...", "",
                  "Name\tSTANDARD_ALIAS\tPEN\tFieldId\tLen\tFormat")
    text += "".join(f"{name}\tNONE\t{PEN}\t{number}\t{e.octets}\t{forms[e.kind]}\n"
                    for name, number, e in own_both_ways())
    forms = {"U8": (1, "dump_as_uint"), "U16": (2, "dump_as_uint"), "U32": (4, "dump_as_uint"),
             "U64": (8, "dump_as_uint"), "F32": (4, "dump_as_hex"), "BOOL": (1, "dump_as_bool"),
             "TEXT": (VARIABLE, "dump_as_ascii"), "LIST": (VARIABLE, "dump_as_hex")}
    text += "# of events, with `events: true`\n"
    for e in EVENTS:
        octets, form = forms[e.kind]
        text += f"{e.name}\tNONE\t{PEN}\t{e.id}\t{octets}\t{form}\n"
    return text


def silk_sensor():
    stored = ", ".join(e.name for e in ELEMENTS if e.owner == "IANA" and e.id in NATIVE["SiLK"])
    lines = textwrap.wrap(f"SiLK stores {stored}; it skips our own elements and events, so that "
                          "it has to be told of none.", 90)
    return header("#", "rwflowpack --sensor-configuration=silk-sensor.conf ...",
                  "The exporter: {address: 'HOST:4739', profile: silk}", *lines) + """\
probe xflow ipfix
    listen-on-port 4739
    protocol udp
    # vlanId instead of interfaces: interface-values vlan
end probe

sensor xflow
    ipfix-probes xflow
    # your own networks
    internal-ipblocks 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
    external-ipblocks remainder
end sensor
"""


FILES = {
    "pmacct-primitives.lst": pmacct_primitives,
    "nfacctd.conf": nfacctd_conf,
    "goflow2-mapping.yaml": goflow2_mapping,
    "logstash-xflow.yml": logstash_definitions,
    "nprobe-fields.txt": nprobe_fields,
    "silk-sensor.conf": silk_sensor,
}


def main():
    status = 0
    for name, make in FILES.items():
        path, text = CONF / name, make()
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"conf/{name} is not what the tables of elements say: run `make definitions`")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
