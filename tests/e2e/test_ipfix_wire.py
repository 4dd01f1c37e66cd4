#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The wire checker complains of a Message that violates a requirement, of each that it
has, and of no other; sound Messages, over whatever transport and however cut into
segments, pass; what it decodes is what xflow-collector-test decodes.
"""
# root: no
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/lib"))
import ipfix_wire  # noqa: E402

T = 1_800_000_000
START, END = (T - 20) * 1000, (T - 10) * 1000
V4 = [(152, 8), (153, 8), (8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 8), (2, 8), (136, 1)]
REVERSED = [(1, 8, 29305), (2, 8, 29305)] + V4 + [(239, 1)]
TYPE_SCOPE = [(346, 4), (303, 2)]


def field(number, length, pen=0):
    return struct.pack(">HH", number | (0x8000 if pen else 0), length) + \
        (struct.pack(">I", pen) if pen else b"")


def a_set(number, content):
    return struct.pack(">HH", number, 4 + len(content)) + content


def template(number, fields):
    return struct.pack(">HH", number, len(fields)) + b"".join(field(*f) for f in fields)


def options(number, n_scopes, fields):
    return struct.pack(">HHH", number, len(fields), n_scopes) + b"".join(field(*f) for f in fields)


def templates(*fields_of, first=256):
    return a_set(2, b"".join(template(first + i, f) for i, f in enumerate(fields_of)))


def flow(start=START, end=END, reason=1):
    return struct.pack(">QQ4s4sHHBQQB", start, end, b"\xc0\0\2\1", b"\xc0\0\2\2", 1, 2, 6, 100, 3,
                       reason)


def message(*sets, sequence=0, time=T, domain=1):
    content = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(content), time, sequence, domain) + content


def one(fields, record, first=256):
    """A Template and a record of it."""
    return message(templates(fields, first=first), a_set(first, record))


def one_options(n_scopes, fields, record=None, domain=0):
    sets = [a_set(3, options(300, n_scopes, fields))]
    return message(*sets, *([a_set(300, record)] if record else []), domain=domain)


def complaints(messages, transport=ipfix_wire.FILE, times=None, **settings):
    settings = ipfix_wire.arguments().parse_args(
        [f"--{k.replace('_', '-')}" + ("" if v is True else f"={v}") for k, v in settings.items()])
    checker = ipfix_wire.Checker(settings)
    stream = checker.stream(transport, "test")
    for i, data in enumerate(messages):
        stream.message(data, times[i] if times else None)
    return set(checker.finish()["complaints"]), checker


SOUND = [message(templates(V4, REVERSED)), message(a_set(256, flow() + flow())),
         message(a_set(257, bytes(16) + flow() + b"\1"), sequence=2, time=T + 1)]
DESCRIPTION = TYPE_SCOPE + [(339, 1), (344, 1), (341, 65535)]
DESCRIBED = struct.pack(">IHBB", 32473, 1001, 2, 5) + b"\5first"

# Streams in a File that violate the requirement.
VIOLATIONS = {
    "H1": [[b"\0\x09" + SOUND[0][2:]], [SOUND[0] + b"\0"], [SOUND[0][:10]]],
    "H3": [SOUND[:2] + [message(a_set(256, flow()), sequence=0)],
           SOUND[:2] + [message(a_set(256, flow()), sequence=3)],
           [message(templates(V4), sequence=1)]],
    "H5": [[message(a_set(4, b"0123"))], [message(a_set(255, b"0123"))],
           [message(struct.pack(">HH", 2, 3))], [message(struct.pack(">HH", 2, 90) + b"0123")],
           [message(templates(V4), b"\0")], [message(a_set(2, template(256, V4)[:-2]))]],
    "H6": [[message()], SOUND[:1] + [message(a_set(256, b""))],
           SOUND[:1] + [message(a_set(256, bytes(3)))]],
    "H7": [SOUND[:1] + [message(a_set(256, flow() + b"\0\1"))],
           [message(a_set(2, template(256, V4) + b"\0\1"))],
           [message(a_set(2, template(256, V4) + bytes(4)))]],
    "H8": [[one([(0, 4)] + V4, bytes(4) + flow())],
           [message(a_set(2, struct.pack(">HHHHI", 256, 1, 0x800a, 4, 0)))]],
    "H9": [[message(templates(V4, first=255))], [SOUND[0], message(templates(REVERSED))]],
    "H10": [[one_options(0, [(149, 4), (41, 8)])], [one_options(1, [(149, 4)])]],
    "H11": [[message(a_set(256, flow()))], [SOUND[0], message(a_set(258, flow()))],
            [SOUND[0], message(a_set(256, flow()), time=T - 1)],
            [SOUND[0], message(a_set(256, flow()), domain=2)]],
    "H12": [[one(V4 + [(4, 1)], flow() + b"\6")]],
    "E1": [[one(V4 + [(56, 8)], flow() + bytes(8))], [one(V4 + [(10, 65535)], flow() + b"\0")]],
    "E2": [[one(V4 + [(276, 1)], flow() + b"\0")]],
    "E3": [[one(V4 + [(82, 65535)], flow() + b"\2\xc3\x28")],
           [one(V4 + [(82, 65535)], flow() + b"\2a\0")],
           [one(V4 + [(82, 4)], flow() + b"\xff\0\0\0")]],
    "E4": [[one(V4, flow(end=(T + 1) * 1000))],
           [one([(154, 8), (155, 8)] + V4[2:], struct.pack(
               ">QQ", (T - 9 + ipfix_wire.ipfix_template.NTP_EPOCH << 32) + 1,
               T - 8 + ipfix_wire.ipfix_template.NTP_EPOCH << 32) + flow()[16:])]],
    "E5": [[one(V4 + [(27, 8)], flow() + bytes(8))], [one([(152, 4)] + V4[1:], flow()[4:])],
           [one(V4 + [(10, 0)], flow())], [one(V4 + [(32000, 4)], flow() + bytes(4))]],
    "E6": [[one(V4 + [(82, 65535)], flow() + b"\5abc")],
           [one(V4 + [(82, 65535)], flow() + b"\xff\1\0abc")]],
    "E7": [[one(V4[:7] + [(1, 4)] + V4[8:], flow()[:29] + flow()[33:])]],
    "M5": [[SOUND[0], message(a_set(2, template(299, [])))],
           [SOUND[0], message(a_set(3, template(256, [])))]],
    "B1": [[message(templates([(210, 1, 29305)] + REVERSED))]],
    "B2": [[message(templates(REVERSED[:-1]))]],
    "B3": [[one(REVERSED, bytes(16) + flow() + b"\4")]],
    "O1": [[one_options(1, [(143, 4), (41, 8)])]],
    "O2": [[one_options(1, [(149, 4), (164, 8), (165, 8), (323, 8)])]],
    "O3": [[one_options(1, [(149, 4), (166, 8), (323, 8), (324, 8)])],
           [one_options(1, [(144, 4), (166, 8), (323, 8)])]],
    "O4": [[one_options(1, [(145, 2), (173, 8)], struct.pack(">HQ", 256, 1))],
           [message(templates(V4), a_set(3, options(300, 1, [(145, 2), (173, 8)])),
                    a_set(300, struct.pack(">HQ", 256, 1 << len(V4))))],
           [one_options(1, [(149, 4), (173, 8)])]],
    "O5": [[one_options(1, DESCRIPTION)], [one_options(2, DESCRIPTION[:-1])],
           [one_options(2, DESCRIPTION, DESCRIBED[:6] + b"\xee" + DESCRIBED[7:])],
           [one_options(2, DESCRIPTION, DESCRIBED[:8] + b"\0")],
           [one_options(2, DESCRIPTION, DESCRIBED),
            message(templates(V4 + [(1002, 4, 32473)]), a_set(256, flow() + bytes(4)))]],
    "L1": [[one(V4 + [(291, 65535)], flow() + struct.pack("B", len(a_list)) + a_list)]
           for a_list in (b"", b"\3\0\4\0", b"\3\0\4\0\0", b"\3\0\4\0\2\1\1", b"\3\0\7\0\2\1",
                          b"\3\0\x52\xff\xff\2a", b"\3\x83\xe9\0\2\0\0")],
    "R1": [[one(V4, flow(reason=6))], [one(V4, flow(reason=0))]],
    "R2": [[one(V4, flow(start=END + 1))]],
    "D4": [[message(a_set(3, options(300, 1, [(149, 4), (41, 8)]) +
                          options(301, 1, [(149, 4), (42, 8)])), domain=0)]],
    "D7": [[message(templates(V4 + REVERSED[:2] + REVERSED[-1:]))]],
    "D10": [[one_options(1, [(149, 4), (34, 4)])], [message(templates(V4 + [(34, 4)]))]],
    "D11": [[message(templates(V4 + [(32, 2)]))]],
    "D12": [[message(templates(V4 + [(1001, 2, 65536)]))],
            [message(templates(V4 + [(1, 2, 32473)]))]],
    "D14": [[one_options(1, [(149, 4), (41, 8)], domain=1)]],
    "D15": [[one_options(1, [(149, 4), (1101, 8, 32473)], domain=1)],
            [one_options(1, [(323, 8), (1101, 8, 32473)])],
            [message(templates([(149, 4), (1101, 8, 32473)]), domain=0)]],
    "I11": [[message(templates(V4 + [(154, 8)]))]],
    "I14": [[message(templates(V4 + [(85, 8)]))]],
    "I26": [[message(templates(V4[:7] + V4[9:]))]],
    "I27": [[message(templates(V4 + [(23, 8)]))]],
}
# Violated besides, as no Message does the one without the other.
COMPANIONS = {"H8": {"E5"}, "D12": {"E5"}}
# These show over UDP or in captures only.
ELSEWHERE = {"H2", "M1", "M2", "M3", "M4", "T3", "T4", "T7", "I10"}


class Violations(unittest.TestCase):
    def test_each_requirement_has_a_violation(self):
        self.assertEqual(set(VIOLATIONS) | ELSEWHERE, set(ipfix_wire.REQUIREMENTS))

    def test_a_violation_is_told_and_nothing_else(self):
        for requirement, streams in VIOLATIONS.items():
            for i, stream in enumerate(streams):
                with self.subTest(requirement=requirement, stream=i):
                    found, checker = complaints(stream, elements=ROOT / "conf/xflow-ie.xml")
                    self.assertIn(requirement, found, checker.texts)
                    self.assertLessEqual(found, {requirement} | COMPANIONS.get(requirement, set()),
                                         checker.texts)

    def test_sound_messages_pass(self):
        self.assertEqual(complaints(SOUND)[0], set())
        self.assertEqual(complaints(SOUND, ipfix_wire.UDP)[0], set())

    def test_the_sequence_number_wraps(self):
        last = (1 << 32) - 1
        stream = [message(templates(V4), sequence=last),
                  message(a_set(256, flow() + flow()), sequence=last),
                  message(a_set(256, flow()), sequence=1)]
        self.assertEqual(complaints(stream, first_sequence=last)[0], set())
        stream[2] = message(a_set(256, flow()), sequence=2)
        self.assertEqual(complaints(stream, first_sequence=last)[0], {"H3"})

    def test_a_gap_is_counted_where_losses_are_expected(self):
        stream = SOUND[:2] + [message(a_set(256, flow()), sequence=12)]
        found, checker = complaints(stream, may_lose=True)
        self.assertEqual((found, checker.n_lost), (set(), 10))

    def test_options_data_are_counted_in_the_sequence(self):
        statistics = [(149, 4), (41, 8)]
        stream = [message(a_set(3, options(300, 1, statistics)), domain=0),
                  message(a_set(300, struct.pack(">IQ", 1, 5)), domain=0),
                  message(a_set(300, struct.pack(">IQ", 1, 6)), sequence=1, domain=0)]
        self.assertEqual(complaints(stream)[0], set())
        stream[2] = stream[1]
        self.assertEqual(complaints(stream)[0], {"H3"})

    def test_a_withdrawn_template_is_unknown(self):
        withdrawn = [SOUND[0], message(a_set(2, template(256, [])))]
        self.assertEqual(complaints(withdrawn)[0], set())
        self.assertEqual(complaints(withdrawn + [message(a_set(256, flow()))])[0], {"H11"})
        everything = [SOUND[0], message(a_set(2, template(2, []))), message(a_set(256, flow()))]
        self.assertEqual(complaints(everything)[0], {"H11"})

    def test_lists_are_read_to_their_end(self):
        lists = {b"\3\0\4\0\1": [], b"\3\0\4\0\1\6\x11": [6, 17],
                 b"\3\0\x52\xff\xff\2lo\0": ["lo", ""],
                 b"\3\x83\xea\0\4\0\0\x7e\xd9\0\0\0\5": [5]}
        fields = V4 + [(291, 65535)]
        records = b"".join(flow() + bytes([len(a_list)]) + a_list for a_list in lists)
        stream = [message(templates(fields), a_set(256, records))]
        found, checker = complaints(stream, elements=ROOT / "conf/xflow-ie.xml")
        self.assertEqual((found, checker.n_records), (set(), len(lists)))
        decoded = next(iter(checker.templates.values())).decode(records)
        self.assertEqual([record["basicList"] for record in decoded], list(lists.values()))

    def test_long_strings_are_read_to_their_end(self):
        fields = V4 + [(82, 65535)]
        texts = [b"\0", b"\xfe" + b"a" * 254, b"\xff\0\xff" + b"b" * 255, b"\xff\1\x2c" + b"c" * 300]
        data = a_set(256, b"".join(flow() + text for text in texts))
        found, checker = complaints([message(templates(fields), data)])
        self.assertEqual((found, checker.n_records), (set(), len(texts)))


class OverUdp(unittest.TestCase):
    def check(self, messages, times=None, **settings):
        return complaints(messages, ipfix_wire.UDP, times, **settings)[0]

    def test_export_time_is_when_it_left(self):
        self.assertEqual(self.check(SOUND[:1], [T + 0.9]), set())
        self.assertEqual(self.check(SOUND[:1], [T + 3.0]), {"H2"})
        self.assertEqual(self.check(SOUND[:1], [T - 2.0]), {"H2"})
        self.assertEqual(self.check(SOUND[:1], [T + 3.0], clock_stepped=True), set())

    def test_templates_come_again_in_time(self):
        def at(after, *sets):
            return message(*sets, time=T + after)
        start = [SOUND[0], at(4, templates(V4, REVERSED))]
        self.assertEqual(self.check(start + [at(60, templates(V4, REVERSED))]), set())
        self.assertEqual(self.check(start + [at(70, a_set(256, flow()))]), {"M1"})
        self.assertEqual(self.check(start + [at(70, a_set(256, flow()))], refresh=90), set())

    def test_templates_go_first_and_more_than_once(self):
        self.assertEqual(self.check([one(V4, flow())]), {"M2"})
        late = message(a_set(256, flow()), time=T + 20)
        self.assertEqual(self.check([SOUND[0], late]), {"M2"})

    def test_no_template_is_withdrawn_or_becomes_another(self):
        self.assertEqual(self.check([SOUND[0], message(a_set(2, template(256, [])))]), {"M3"})
        self.assertEqual(self.check([SOUND[0], message(templates(REVERSED))]), {"M4"})

    def test_times_are_of_these_days(self):
        old = [SOUND[0], message(a_set(256, flow(start=5, end=6)))]
        self.assertEqual(self.check(old), set())
        self.assertEqual(self.check(old, live=True), {"I10"})


def capture(frames):
    """A pcap file of (time, IP packet)."""
    data = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, 1)
    for time, packet in frames:
        frame = bytes(12) + (b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet
        data += struct.pack("<IIII", int(time), int(time % 1 * 1e6), len(frame), len(frame)) + frame
    return data


def ipv4(protocol, content, flags=0):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(content), 0, flags, 64, protocol, 0,
                       b"\x7f\0\0\1", b"\x7f\0\0\1") + content


def ipv6(protocol, content):
    return struct.pack(">IHBB", 6 << 28, len(content), protocol, 64) + bytes(32) + content


def udp(content, port=4739, checksum=0xffff):
    return struct.pack(">HHHH", 40000, port, 8 + len(content), checksum) + content


def tcp(content, sequence, flags=0x10, source=40000):
    return struct.pack(">HHIIBBHHH", source, 4739, sequence & 0xffffffff, 0, 0x50, flags, 0, 0,
                       0) + content


class Captures(unittest.TestCase):
    def check(self, frames, **settings):
        checker = complaints([], **settings)[1]
        checker.streams.clear()
        checker.read_capture(memoryview(capture(frames)))
        return set(checker.finish()["complaints"]), checker

    def test_datagrams_of_both_families_are_read(self):
        for ip in (ipv4, ipv6):
            found, checker = self.check([(T + i / 2, ip(17, udp(m))) for i, m in enumerate(SOUND)])
            self.assertEqual((found, checker.n_messages, checker.n_records), (set(), 3, 3))

    def test_other_ports_are_left_alone(self):
        found, checker = self.check([(T, ipv4(17, udp(b"no message", port=53)))], port=4739)
        self.assertEqual((found, checker.n_messages), (set(), 0))

    def test_packets_fit_the_path_and_have_a_checksum(self):
        big = message(templates(V4), a_set(256, flow() * 40))
        found, _ = self.check([(T, ipv4(17, udp(big)))], late=True)
        self.assertEqual(found, {"T3"})
        self.assertEqual(self.check([(T, ipv4(17, udp(SOUND[0])))], mtu=100)[0], {"T3"})
        self.assertEqual(self.check([(T, ipv4(17, udp(SOUND[0]), flags=0x2000))])[0], {"T3"})
        self.assertEqual(self.check([(T, ipv4(17, udp(SOUND[0], checksum=0)))])[0], {"T4"})

    def test_a_connection_is_put_together_from_any_segments(self):
        data, start = b"".join(SOUND), (1 << 32) - 30  # wraps
        parts = [(i, data[i:i + 50]) for i in range(0, len(data), 50)]
        parts[1], parts[2] = parts[2], parts[1]
        parts.insert(3, parts[0])
        frames = [(T, ipv4(6, tcp(b"", start, flags=2)))]
        frames += [(T, ipv4(6, tcp(part, start + 1 + i))) for i, part in parts]
        found, checker = self.check(frames)
        self.assertEqual((found, checker.n_messages, checker.n_records), (set(), 3, 3))
        self.assertEqual(self.check(frames[:-1])[0], {"H1"})
        self.assertEqual(self.check(frames[:-1], cut=True)[0], set())

    def test_a_connection_is_not_tried_again_at_once(self):
        frames = [(T + 10 * i, ipv4(6, tcp(b"", 7, flags=2, source=40000 + i))) for i in range(2)]
        self.assertEqual(self.check(frames)[0], {"T7"})
        self.assertEqual(self.check(frames, reconnect=5)[0], set())

    def test_what_is_no_ipfix_in_a_connection_is_told(self):
        frames = [(T, ipv4(6, tcp(b"", 7, flags=2))), (T, ipv4(6, tcp(b"GET / HTTP/1.1\r\n", 8)))]
        self.assertEqual(self.check(frames)[0], {"H1"})


class Program(unittest.TestCase):
    def run_checker(self, *arguments):
        return subprocess.run([ROOT / "tests/lib/ipfix_wire.py", *arguments],
                              capture_output=True, text=True, check=False)

    def test_its_status_and_summary_tell(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "file")
            path.write_bytes(b"".join(SOUND))
            done = self.run_checker(path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["records"], 3)
            path.write_bytes(b"".join(SOUND[1:]))
            done = self.run_checker(path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("H11: ", done.stderr)
            path.write_bytes(capture([(T, ipv4(17, udp(m))) for m in SOUND]))
            self.assertEqual(self.run_checker(path).returncode, 0)

    def test_what_the_probe_sends_around_the_wrap_is_sound(self):
        first = (1 << 32) - 400
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "wrapped")
            # a Message of Templates, which counts no record, is before the number is set
            subprocess.run([ROOT / ".output/tests/e2e/send_events", "file", path, "no", str(first)],
                           check=True, stdout=subprocess.DEVNULL)
            octets = bytearray(path.read_bytes())
            self.assertEqual(octets[8:12], bytes(4))
            octets[8:12] = struct.pack(">I", first)
            path.write_bytes(octets)
            done = self.run_checker("--first-sequence", str(first), path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["records"], 800)
            self.assertEqual(self.run_checker("--first-sequence", str(first + 1), path).returncode, 1)

    def test_it_decodes_as_the_test_collector_does(self):
        elements = ROOT / "conf/xflow-ie.xml"
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([ROOT / ".output/tests/e2e/write_captures", folder], check=True,
                           stdout=subprocess.DEVNULL)
            path, config = pathlib.Path(folder, "all"), pathlib.Path(folder, "config")
            config.write_text(f"{{exporters: [{{address: {path}, transport: file, events: true, fields: "
                              "[base, l2, ip, icmp, tcp, tcp_health, size, timing]}], anomaly: "
                              "{enabled: true, scan: {udp: 2, unreachable: 2}}}", encoding="utf-8")
            subprocess.run([ROOT / "xflow-probe", "-r", f"{folder}/ethernet.pcap", "-c",
                            config, "-o", "none"], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            done = self.run_checker("--json", "--elements", elements, path)
            self.assertEqual(done.returncode, 0, done.stderr)
            other = subprocess.run([ROOT / "xflow-collector-test", "--read", path, "--elements",
                                    elements], capture_output=True, text=True, check=True)
        ours = [json.loads(line) for line in done.stdout.splitlines()]
        theirs = [json.loads(line) for line in other.stdout.splitlines()][:-1]
        self.assertEqual(ours, theirs)
        self.assertGreaterEqual(len(ours), 5)
        self.assertTrue(any("flowIds" in record for record in ours))


if __name__ == "__main__":
    unittest.main()
