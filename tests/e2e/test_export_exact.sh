#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Packets and octets of each Flow in nfcapd and in the test Collector equal what
# was sent, whatever the protocol and the tags; no Message is missing, malformed,
# fragmented or before its Template; the probe's ledger tells the same story.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nfcapd nfdump tshark dumpcap capinfos jq

ROUNDS=100
port_a=9995 port_b=9996
netns_pair client server
ns_mute client veth0
start_bg_in server DUMPCAP dumpcap -q -i lo -f 'ip or ip6' -w "$TEST_DIR/export.pcapng"
wait_for "grep -q '^File:' $TEST_DIR/DUMPCAP.log" 10
start_nfcapd "$TEST_DIR/flows" $port_a server
start_collector_test "$TEST_DIR/collected" udp $port_b server
start_probe server -i veth0 --collector 127.0.0.1:$port_a --collector "[::1]:$port_b" -o json \
	--active-timeout 1 --idle-timeout 1

ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
wait_for "live_ledger | jq -e '.exported_flows > 0 and .in_cache_flows == 0'" 10
ns_exec client $SEND_FLOWS veth0 $ROUNDS >>"$TEST_DIR/sent"
wait_seen "$(awk '/^total/ {n += $2} END {print n}' "$TEST_DIR/sent")"
stop_bg PROBE || fail "the probe ended with status $?"
records=$(probe_ledger | jq .exported_flows)
wait_for "[ \$(grep -c '\"type\":\"flow\"' $TEST_DIR/collected) -ge $records ]" 10
stop_bg COLLECTOR || fail "the test Collector found faults: $(tail -n 1 "$TEST_DIR/collected")"
stop_bg NFCAPD
messages=$(probe_ledger | jq '[.exporters[].messages] | add')
wait_for "[ \$(capinfos -TMrc $TEST_DIR/export.pcapng | cut -f 2) -ge $messages ]" 10
stop_bg DUMPCAP INT

assert_flows "in nfdump" "flows_sent $TEST_DIR/sent" "flows_in_nfdump $TEST_DIR/flows"
assert_flows "in the test Collector" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/collected"
assert_flows "in the probe's output" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/NFCAPD.log" || fail "nfcapd found faults"

packets=$(awk '!/^total/ {n += $7} END {print n}' "$TEST_DIR/sent")
octets=$(awk '!/^total/ {n += $8} END {print n}' "$TEST_DIR/sent")
assert_balanced
assert_ledger ".seen_packets == $packets and .exported_packets == $packets"
assert_ledger ".exported_octets == $octets and .overflow_packets == 0"
assert_ledger '[.reasons[]] | add == 0'
assert_ledger '[.exporters[] | .sent_records] == [.exported_flows, .exported_flows]'
assert_ledger '.not_sent_records == 0 and .queued_records == 0'

tshark_export()
{
	tshark -r "$TEST_DIR/export.pcapng" -d udp.port==$port_a,cflow -d udp.port==$port_b,cflow "$@" \
		2>>"$TEST_DIR/TSHARK.log"
}
assert_eq "IPFIX Messages captured" "$messages" "$(tshark_export -Y cflow.version==10 | wc -l)"
faults=$(tshark_export -Y 'cflow.no_template_found || cflow.flowset_length.invalid ||
	cflow.unexpected_sequence_number || _ws.malformed')
[ -z "$faults" ] || fail "tshark: $faults"
fragments=$(tshark_export -Y 'ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr')
[ -z "$fragments" ] || fail "an export datagram was fragmented: $fragments"
