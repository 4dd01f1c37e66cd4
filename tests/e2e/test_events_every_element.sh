#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every element of every Template of events, by the table they are made from: the test
# Collector and ipfixDump show each by name, over UDP and of a file, tshark each of
# ours by Enterprise Number and id, the others by theirs; and nfcapd's Flows are the same
# with events of every kind between them as without.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nfcapd nfdump tshark ipfixDump jq python3

SEND_EVENTS=.output/tests/e2e/send_events
netns_add host
start_nfcapd "$TEST_DIR/without" 9994 host
WITHOUT=$NFCAPD
start_nfcapd "$TEST_DIR/with" 9995 host
start_collector_test "$TEST_DIR/udp" udp 9996 host --elements conf/xflow-ie.xml
wire_files+=("$TEST_DIR/file")

assert_eq "sent without events" "800 0" "$(ns_exec host $SEND_EVENTS udp 127.0.0.1:9994 no)"
assert_eq "sent with events" "800 7" "$(ns_exec host $SEND_EVENTS udp 127.0.0.1:9995 yes)"
assert_eq "sent over UDP" "800 7" "$(ns_exec host $SEND_EVENTS udp 127.0.0.1:9996 yes)"
assert_eq "written" "800 7" "$($SEND_EVENTS file "$TEST_DIR/file" yes)"
sleep 0.4 # of the Collectors, and the capture's last packets
stop_bg COLLECTOR || fail "the test Collector found faults: $(tail -n 1 "$TEST_DIR/udp")"
stop_bg NFCAPD
cp "$TEST_DIR/NFCAPD.log" "$TEST_DIR/with.log"
NFCAPD=$WITHOUT
stop_bg NFCAPD

./xflow-collector-test --read "$TEST_DIR/file" --elements conf/xflow-ie.xml >"$TEST_DIR/read"
ipfixDump -e conf/xflow-ie.xml --in "$TEST_DIR/file" >"$TEST_DIR/ipfixdump" 2>&1 || fail "ipfixDump failed"
tshark -r "$TEST_DIR/wire.host.9996.pcap" -d udp.port==9996,cflow -o cflow.max_template_fields:0 -V \
	>"$TEST_DIR/tshark" 2>"$TEST_DIR/TSHARK.log"
! grep -qi malformed "$TEST_DIR/tshark" || fail "tshark: malformed"
python3 - "$TEST_DIR" >"$TEST_DIR/compare.log" 2>&1 <<'END' ||
import json
import re
import sys

KINDS = {"ALL": range(8), "SOURCE4": (1, 3), "SOURCE6": (5, 7), "DESTINATION4": (2, 3),
         "DESTINATION6": (6, 7)}
source = open("probe/event_ie.def").read()
rows = re.findall(r"^EVENT_IE\((\w+),\s*(\w+),\s*(\d+),\s*\w+,\s*(\w+),", source, re.M)
assert len(rows) == source.count("\nEVENT_IE("), "a row is not read"
first_id = int(re.search(r"define EVENT_TEMPLATE_ID (\d+)", open("probe/event_ie.h").read())[1])
templates = {first_id + kind: [(name, owner == "OWN", int(number)) for name, owner, number, of in
                               rows if kind in KINDS[of]]
             for kind in range(8) if kind != 4}


def read(name):
    return open(f"{sys.argv[1]}/{name}").read()


def the_same(what, found, expected):
    assert found == expected, (what, [x for x in expected if x not in found],
                               [x for x in found if x not in expected])


# JSON of the test Collector: each name, and no place for what is not known
for sink in "udp", "read":
    events = [r for r in map(json.loads, read(sink).splitlines()) if "eventId" in r]
    assert sorted(r["templateId"] for r in events) == sorted(templates), sink
    for r in events:
        names = {k.split("#")[0] for k in r} - {"type", "templateId", "exportTime", "sequence"}
        the_same(sink, sorted(names), sorted({e[0] for e in templates[r["templateId"]]}))

# ipfixDump: Templates and records, in their order
dumped = re.split(r"^--- ", read("ipfixdump"), flags=re.M)
for number, elements in templates.items():
    data = [part for part in dumped if re.match(rf"data record .*\n.*\n.*tid:\s+{number}\b", part)]
    assert len(data) == 1, (number, len(data))
    the_same(number, re.findall(r"^\s+\([\d/]+\)(?: \(S\))?\s+(\S+) :", data[0], re.M),
             [name for name, _, _ in elements])

# tshark: the fields of each Template, and the values of ours
frames = re.split(r"^Frame \d+: ", read("tshark"), flags=re.M)
for number, elements in templates.items():
    fields = re.search(rf"Template \(Id = {number}\b.*?(?=^    Set|\Z)",
                       next(f for f in frames if f"(Id = {number})" in f), re.S | re.M)[0]
    the_same(number, [int(n) for n in re.findall(r"^ +\.?[01.]* ?[.0-9 ]*= Type: .*?\(?(\d+)\)?(?: .*)?$",
                                                 fields, re.M)], [n for _, _, n in elements])
    data = next(f for f in frames if re.search(rf"\(Data\) \({number}\)", f))
    values = [int(n) for n in re.findall(r"Enterprise Private entry: .* Type (\d+): Value", data)]
    the_same(number, values, [n for _, own, n in elements if own])
END
	fail "elements: $(tail -n 1 "$TEST_DIR/compare.log")"

# nfcapd: events of no kind are Flows, or lost ones.
for one in "$TEST_DIR/with" "$TEST_DIR/without"; do
	# of each sender its own second
	nfdump_json "$one" | jq -cS '.[] | del(.received, .first, .last, .export_sysid)' | sort >"$one.flows"
done
[ "$(wc -l <"$TEST_DIR/without.flows")" = 800 ] || fail "nfcapd lacks Flows"
diff "$TEST_DIR/without.flows" "$TEST_DIR/with.flows" >"$TEST_DIR/diff.log" || fail "other Flows with events"
grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/with.log" || fail "nfcapd found faults"
! grep -i 'error\|extra bytes\|warn\|skip' "$TEST_DIR/with.log" | grep -v 'Sequence Errors: 0' || fail "nfcapd complains"
