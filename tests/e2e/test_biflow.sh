#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Both directions of a connection as one record (RFC 5103): the test Collector sees
# the reverse elements, nfcapd both counters and forward flags and times that
# survive them; an exporter that splits gets two records; the ledger balances. Where
# sent packets are metered too, they are the other direction.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nfcapd nfdump jq

netns_pair client server
ns_mute client veth0
start_nfcapd "$TEST_DIR/flows" 9995 server
start_collector_test "$TEST_DIR/collected" udp 9996 server
start_probe server -c "$(probe_config 'interfaces: [{name: veth0}]' \
	'flow_cache: {sweep_interval_s: 0.2}' 'exporters:' \
	'  - {name: nfcapd, address: "127.0.0.1:9995", biflow: rfc5103}' \
	'  - {name: test, address: "127.0.0.1:9996", biflow: rfc5103}' \
	"  - {name: split, transport: file, address: $TEST_DIR/split}")" -o json
send_tcp()
{
	ns_exec client .output/tests/e2e/send_tcp veth0 "$@"
}
# answered, met after the handshake with the server first, and never answered
send_tcp 5001 c:S s:SA c:A c:PA c:FA s:FA c:A
send_tcp 5002 s:A c:A c:A
send_tcp 5003 c:S c:S
wait_seen 12
stop_bg PROBE || fail "the probe ended with status $?"
wait_for "[ \$(grep -c '\"type\":\"flow\"' $TEST_DIR/collected) -ge 3 ]" 10
stop_bg COLLECTOR || fail "the test Collector found faults: $(tail -n 1 "$TEST_DIR/collected")"
stop_bg NFCAPD
./xflow-collector-test --read "$TEST_DIR/split" >"$TEST_DIR/split.json"

assert_balanced
assert_ledger '.exported_flows == 5 and .exported_packets == 12'
assert_ledger '[.exporters[] | .sent_records] == [5, 5, 5]'

# of JSON lines: template, ports, forward and reverse packets, flags, direction
biflows()
{
	jq -r 'select(.type == "flow") | [.templateId, .sourceTransportPort,
		.destinationTransportPort, .packetDeltaCount, .reversePacketDeltaCount // 0,
		.tcpControlBits, .reverseTcpControlBits // 0, .biflowDirection // "-"] |
		join(" ")' "$1" | sort
}
assert_eq "records of the test Collector" "256 5003 80 2 0 2 0 -
272 5001 80 5 2 27 19 1
272 5002 80 2 1 16 16 1" "$(biflows "$TEST_DIR/collected")"
assert_eq "records of the exporter that splits" "256 5001 80 5 0 27 0 -
256 5002 80 2 0 16 0 -
256 5003 80 2 0 2 0 -
256 80 5001 2 0 19 0 -
256 80 5002 1 0 16 0 -" "$(biflows "$TEST_DIR/split.json")"
assert_flows "printed, split" "flows_in_json $TEST_DIR/split.json" \
	"flows_in_json $TEST_DIR/probe.out"

nfdump_json "$TEST_DIR/flows" >"$TEST_DIR/nfdump.json"
nfdump_rows()
{
	jq -r '.[] | [.src_port, .dst_port, .in_packets, .out_packets // 0, .tcp_flags, .first,
		.last] | join(" ")' "$TEST_DIR/nfdump.json" | sort
}
times()
{
	jq -r "select(.type == \"flow\" and .sourceTransportPort == $1) |
		[.flowStartMilliseconds, .flowEndMilliseconds] | map(rtrimstr(\"Z\")) | join(\" \")" \
		"$TEST_DIR/collected"
}
assert_eq "records of nfcapd" "5001 80 5 2 ...AP.SF $(times 5001)
5002 80 2 1 ...A.... $(times 5002)
5003 80 2 0 ......S. $(times 5003)" "$(nfdump_rows)"
grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/NFCAPD.log" || fail "nfcapd found faults"

start_probe server -i veth0:egress --biflow rfc5103
ns_exec client bash -c 'echo >/dev/tcp/10.77.0.2/81' 2>/dev/null && fail "somebody listens"
wait_seen 2
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_eq "record of a refused connection" "1 1 2 20 1 0 1" "$(jq -r 'select(.type == "flow" and
	.destinationTransportPort == 81) | [.packetDeltaCount, .reversePacketDeltaCount,
	.tcpControlBits, .reverseTcpControlBits, .biflowDirection, .flowDirection,
	.reverseFlowDirection] | join(" ")' "$TEST_DIR/probe.out")"
