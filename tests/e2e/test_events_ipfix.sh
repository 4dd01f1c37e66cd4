#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A scan is an event at each Collector that wants events: over UDP, TCP and in a file
# the object that the JSON line is, element for element, at once, with the flowIds of
# its Flow Records; tshark and ipfixDump show each element. Those that do not want events
# are sent none. nfcapd stores the same with events as without, and complains of nothing.
# The same packets read from a capture give the same events in a file.
# timeout: 100
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nmap nfcapd nfdump tshark ipfixDump jq

netns_pair client server
SERVER=$(ns_addr4 server)
cat >"$TEST_DIR/probe.yaml" <<-END
	interfaces: [{name: veth0, egress: tc}]
	flow_cache: {idle_timeout_s: 1, active_timeout_s: 1}
	anomaly: {enabled: true, groups: {lab: {networks: [10.77.0.0/16, "fd77::/16"]}}}
	exporters:
	  - {name: udp, address: "127.0.0.1:9996", template_refresh_s: 2, options: all, events: true}
	  - {name: tcp, address: "127.0.0.1:9998", transport: tcp, events: true}
	  - {name: with, address: "127.0.0.1:9995", template_refresh_s: 2, events: true}
	  - {name: without, address: "127.0.0.1:9994", template_refresh_s: 2}
	  - {name: file, address: $TEST_DIR/file, transport: file, events: true}
	  - {name: plain, address: $TEST_DIR/plain, transport: file}
	control: {socket: $PROBE_SOCKET}
END
wire_options=(--refresh 2)
wire_files=("$TEST_DIR/file" "$TEST_DIR/plain")
start_bg_in server CAPTURE tshark -q -i veth0 -w "$TEST_DIR/pcap" -f "ip or ip6"
wait_for "[ -s $TEST_DIR/pcap ]" 10
start_nfcapd "$TEST_DIR/without" 9994 server
WITHOUT=$NFCAPD
start_nfcapd "$TEST_DIR/with" 9995 server
start_collector_test "$TEST_DIR/udp" udp 9996 server --elements conf/xflow-ie.xml
wire_record server 9998
bg_stdout=$TEST_DIR/tcp start_bg_in server OVER_TCP ./xflow-collector-test --tcp 9998 \
	--elements conf/xflow-ie.xml
wait_port server tcp 9998
start_probe server -c "$TEST_DIR/probe.yaml" -o json

ns_exec client nmap -n -Pn -sS --max-retries 0 -p 1000-1060 "$SERVER" >"$TEST_DIR/nmap.log"
ns_exec client nmap -6 -n -Pn -sS --max-retries 0 -p 1000-1030 "$(ns_addr6 server)" \
	>"$TEST_DIR/nmap6.log"
wait_for "[ \$(grep -c '\"class\":\"port-scan\"' $TEST_DIR/udp) -ge 2 ]" 5
ns_exec server ./xflowctl -s "$PROBE_SOCKET" --json templates >"$TEST_DIR/templates"
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg CAPTURE || true
assert_balanced
sleep 0.3 # of the Collectors
stop_bg COLLECTOR || fail "the test Collector found faults: $(tail -n 1 "$TEST_DIR/udp")"
stop_bg OVER_TCP || fail "the test Collector found faults over TCP: $(tail -n 1 "$TEST_DIR/tcp")"
stop_bg NFCAPD
cp "$TEST_DIR/NFCAPD.log" "$TEST_DIR/with.log"
NFCAPD=$WITHOUT
stop_bg NFCAPD

# The JSON lines, in the form of what a Collector decodes: evidence beside the rest, targets
# as text, zero where a line has no number.
# shellcheck disable=SC2016 # of jq
EVENTS='select(.type == "event") | . + .evidence | .targets //= [] | .topFeatures //= "" |
	.spoofedLikely //= false | .baselineLearning //= false |
	if .destinationIPv4Address then .destinationIPv4PrefixLength //= 32
	elif .destinationIPv6Address then .destinationIPv6PrefixLength //= 128 else . end |
	.targets |= (map((.destinationIPv4Address // .destinationIPv6Address) as $host |
		if (has("destinationTransportPort") | not) then $host
		elif .destinationIPv6Address then "[\($host)]:\(.destinationTransportPort)"
		else "\($host):\(.destinationTransportPort)" end) | join(" ")) |
	.observationTimeMilliseconds = .observationTime | del(.evidence, .type, .observationTime)'
# shellcheck disable=SC2016 # of jq
COLLECTED='select(.eventId?) | del(.type, .templateId, .observationDomainId, .exportTime, .sequence,
	."observationDomainId#2", .anomalyState, .anomalyType, .anomalySubtype, .anomalyVisibility) |
	with_entries(select(.value != 0))'
jq -cS "$EVENTS | with_entries(select(.value != 0))" "$TEST_DIR/probe.out" >"$TEST_DIR/events"
[ "$(grep -c '"state":"start"' "$TEST_DIR/events")" = 2 ] || fail "events: $(cat "$TEST_DIR/events")"
[ "$(grep -c '"class":"port-scan"' "$TEST_DIR/events")" = 4 ] || fail "events: $(cat "$TEST_DIR/events")"
./xflow-collector-test --read "$TEST_DIR/file" --elements conf/xflow-ie.xml >"$TEST_DIR/read"
for sink in udp tcp read; do
	jq -cS "$COLLECTED" "$TEST_DIR/$sink" >"$TEST_DIR/$sink.events"
	diff "$TEST_DIR/events" "$TEST_DIR/$sink.events" >"$TEST_DIR/diff.log" ||
		fail "$sink has other events than JSON"
	jq -es 'map(select(.eventId?)) | all(.anomalyType == 1 and .anomalySubtype == 1 and
		.anomalyState == (if .state == "start" then 1 else 3 end) and .anomalyVisibility == 1)' \
		"$TEST_DIR/$sink" >/dev/null || fail "$sink: numbers that are not those of the words"
done
# The Flows involved are there, in the Observation Domain that is the scope.
jq -es '(map(select(.type == "flow") | "\(.observationDomainId) \(.flowId)") | unique) as $flows |
	map(select(.eventId?) | ."observationDomainId#2" as $domain | .flowIds[] | "\($domain) \(.)") |
	length >= 4 and all(IN($flows[]))' "$TEST_DIR/udp" >/dev/null || fail "flowIds of no Flow Records"
# Sent in the second in which it was found.
jq -es 'map(select(.eventId? and .state == "start")) | all((.exportTime | fromdate) -
	(.observationTimeMilliseconds[0:19] + "Z" | fromdate) <= 1)' "$TEST_DIR/udp" >/dev/null ||
	fail "events came late: $(grep eventId "$TEST_DIR/udp")"

# Who wants none has none, and the ledger knows.
n=$(wc -l <"$TEST_DIR/events")
for one in udp:$n tcp:$n with:$n file:$n without:0 plain:0; do
	assert_ledger "[.exporters[] | select(.name == \"${one%:*}\") | .sent_events, .accepted_events] ==
		[${one#*:}, ${one#*:}]"
done
! ./xflow-collector-test --read "$TEST_DIR/plain" --elements conf/xflow-ie.xml | grep -q eventId ||
	fail "events in spite of none"
jq -es 'map({(.exporter): (.template_ids | map(select(. >= 312 and . <= 319)) | length)}) | add |
	.udp == 7 and .file == 7 and .plain == 0 and .without == 0' "$TEST_DIR/templates" >/dev/null ||
	fail "templates: $(cat "$TEST_DIR/templates")"

# nfcapd: events are no Flows, and no lost ones.
for one in "$TEST_DIR/with" "$TEST_DIR/without"; do
	nfdump -C none -I -R "$one" | grep -E '^(Flows|Packets|Bytes|Sequence)' >"$one.totals"
	flows_in_nfdump "$one" >"$one.flows"
done
diff "$TEST_DIR/without.totals" "$TEST_DIR/with.totals" >"$TEST_DIR/diff.log" || fail "other totals with events"
assert_flows "in nfdump with events" "cat $TEST_DIR/without.flows" "cat $TEST_DIR/with.flows"
assert_eq "Flows in nfdump" "$(json_sum packetDeltaCount <"$TEST_DIR/probe.out")" \
	"$(sed -n 's/^Packets: //p' "$TEST_DIR/with.totals")"
grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/with.log" || fail "nfcapd found faults"
! grep -i 'error\|extra bytes\|warn' "$TEST_DIR/with.log" | grep -v 'Sequence Errors: 0' || fail "nfcapd complains"

# Each element by name in ipfixDump, by PEN and id in tshark.
ipfixDump -e conf/xflow-ie.xml --in "$TEST_DIR/file" >"$TEST_DIR/dumped" 2>&1 || fail "ipfixDump failed"
sleep 0.3 # of the capture's last packets
tshark -r "$TEST_DIR/wire.server.9996.pcap" -d "udp.port==9996,cflow" -V \
	>"$TEST_DIR/tshark" 2>"$TEST_DIR/TSHARK.log"
! grep -qi malformed "$TEST_DIR/tshark" || fail "tshark: malformed"
n_elements=0
while read -r name id; do
	n_elements=$((n_elements + 1))
	grep -q "(32473/$id) *$name : " "$TEST_DIR/dumped" || fail "ipfixDump shows no $name"
	# topFeatures has no octets in the events of scans, and tshark leaves such out
	[ "$name" = topFeatures ] ||
		grep -q "Enterprise Private entry: (Example.*) Type $id: Value" "$TEST_DIR/tshark" ||
		fail "tshark shows no 32473:$id"
done < <(sed -n 's/^EVENT_IE(\([a-zA-Z]*\), *OWN, \([0-9]*\),.*/\1 \2/p' probe/event_ie.def)
[ "$n_elements" -ge 30 ] || fail "$n_elements elements"
for name in observationTimeMilliseconds sourceIPv4Address destinationIPv6Address protocolIdentifier; do
	grep -q " $name : " "$TEST_DIR/dumped" || fail "ipfixDump shows no $name"
done
grep -A 1 'basicList' "$TEST_DIR/dumped" | grep -q 'ie: (148) flowId' || fail "ipfixDump shows no flowIds"

# The same from the capture.
cat >"$TEST_DIR/offline.yaml" <<-END
	anomaly: {enabled: true, groups: {lab: {networks: [10.77.0.0/16, "fd77::/16"]}}}
	exporters: [{address: $TEST_DIR/offline, transport: file, events: true}]
END
wire_files+=("$TEST_DIR/offline")
./xflow-probe -c "$TEST_DIR/offline.yaml" -r "$TEST_DIR/pcap" -o none >"$TEST_DIR/offline.out" 2>&1
! grep -q '"event"' "$TEST_DIR/offline.out" || fail "events on standard output, though a file has them"
starts()
{
	jq -r 'select(.eventId? and .state == "start") | [.class, .subclass,
		.sourceIPv4Address // .sourceIPv6Address, .destinationIPv4Address // .destinationIPv6Address,
		.rule, .mitreTechnique] | join(" ")' | sort
}
./xflow-collector-test --read "$TEST_DIR/offline" --elements conf/xflow-ie.xml | starts >"$TEST_DIR/offline.starts"
diff <(starts <"$TEST_DIR/events") "$TEST_DIR/offline.starts" >"$TEST_DIR/diff.log" ||
	fail "other events from the capture"
