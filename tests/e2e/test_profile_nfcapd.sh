#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# profile nfcapd: each IPFIX record that nfcapd stored equals the one the probe prints,
# field by field, of IPv4, IPv6, ICMP, SCTP and VLANs, metered live and from captures,
# MAC addresses too where `l2` is asked for; of a record of both directions, forward
# fields and both counters; and no Sequence Error.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/nfdump.sh
need nfcapd nfdump jq

port=9995 port_l2=9996 port_biflow=9997
netns_pair client server
ns_mute client veth0
for name in plain l2 biflow; do
	at=port_$name
	start_nfcapd "$TEST_DIR/$name" "${!at:-$port}" server
	declare "NFCAPD_$name=$NFCAPD"
	mv "$TEST_DIR/NFCAPD.log" "$TEST_DIR/NFCAPD_$name.log"
done
exporters=('exporters:'
	"  - {name: plain, address: '127.0.0.1:$port', profile: nfcapd}"
	"  - {name: l2, address: '127.0.0.1:$port_l2', profile: nfcapd, fields: [base, l2]}")

# Live: what the sending host's namespace sends, some Flows in several records.
start_probe server -c "$(probe_config "${exporters[@]}" "control: {socket: $PROBE_SOCKET}" \
	'output_fields: [base, l2]' 'interfaces: [{name: veth0}]')" -o json --active-timeout 1 --idle-timeout 1
./xflowctl -s "$PROBE_SOCKET" --json templates | jq -es 'map(.profile) == ["nfcapd", "nfcapd"] and
	map(.fields) == [["base"], ["base", "l2"]] and .[0].templates[0].id == 256 and
	.[0].templates[0].elements[0] == "flowStartMilliseconds" and
	(.[1].templates | all(.elements | index("sourceMacAddress")))' >/dev/null ||
	fail "xflowctl templates: $(./xflowctl -s "$PROBE_SOCKET" templates)"
ns_exec client $SEND_FLOWS veth0 50 >"$TEST_DIR/sent"
wait_for "live_ledger | jq -e '.exported_flows > 0 and .in_cache_flows == 0'" 10
ns_exec client $SEND_FLOWS veth0 50 >>"$TEST_DIR/sent"
wait_seen "$(awk '/^total/ {n += $2} END {print n}' "$TEST_DIR/sent")"
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '[.exporters[].sent_records] == [.exported_flows, .exported_flows]'
cp "$TEST_DIR/probe.out" "$TEST_DIR/printed"

wire_options=(--clock-stepped) # that of the packets
# Captures: times of years ago. Each run counts from 0, so each is a domain of its own.
.output/tests/e2e/write_captures "$TEST_DIR"
domain=1
for capture in ethernet.pcap raw.pcap fragments.pcap conversations.pcap; do
	domain=$((domain + 1))
	config=$(probe_config "${exporters[@]}" "observation_domain_id: $domain" \
		'output_fields: [base, l2]')
	ns_exec server ./xflow-probe -c "$config" -r "$TEST_DIR/$capture" -o json \
		>>"$TEST_DIR/printed" 2>>"$TEST_DIR/OFFLINE.log" || fail "$capture: status $?"
	config=$(probe_config "observation_domain_id: $domain")
	ns_exec server ./xflow-probe -c "$config" -r "$TEST_DIR/$capture" -o json --biflow rfc5103 \
		--profile nfcapd --collector 127.0.0.1:$port_biflow \
		>>"$TEST_DIR/biflows" 2>>"$TEST_DIR/OFFLINE.log" || fail "$capture: status $?"
done
[ "$(jq -s 'map(select(.type == "ledger") | .balanced) | all' "$TEST_DIR/printed")" = true ] ||
	fail "a ledger does not balance"
for name in plain l2 biflow; do
	stop_bg "NFCAPD_$name"
	! grep 'Sequence Errors: [1-9]\|Bad Packets: [1-9]' "$TEST_DIR/NFCAPD_$name.log" ||
		fail "nfcapd found faults ($name)"
	grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/NFCAPD_$name.log" ||
		fail "nfcapd says nothing ($name)"
	! grep -i 'error\|skip\|unknown' "$TEST_DIR/NFCAPD_$name.log" | grep -v 'Sequence Errors: 0' ||
		fail "nfcapd complains ($name)"
done

nfdump_expected "$TEST_DIR/printed" true "$NFDUMP_BEYOND_V5" >"$TEST_DIR/expected"
for pattern in '"proto":132' '"icmp_type":[1-9]' '"src6_addr"' '"src_vlan":[1-9]' '"proto":58'; do
	grep -q "$pattern" "$TEST_DIR/expected" || fail "no record with $pattern was sent"
done
assert_flows "in nfdump" "cat $TEST_DIR/expected" "nfdump_records $TEST_DIR/plain direction src_vlan"
nfdump_expected "$TEST_DIR/printed" true "$NFDUMP_BEYOND_V5 + {in_src_mac: .sourceMacAddress,
	in_dst_mac: .destinationMacAddress}" >"$TEST_DIR/expected_l2"
assert_flows "in nfdump, with MAC addresses" "cat $TEST_DIR/expected_l2" \
	"nfdump_records $TEST_DIR/l2 direction src_vlan in_src_mac in_dst_mac"

# The reverse direction: its counters, and nothing of it in the forward fields.
nfdump_expected "$TEST_DIR/biflows" true "$NFDUMP_BEYOND_V5 + if .reversePacketDeltaCount
	then {out_packets: .reversePacketDeltaCount, out_bytes: .reverseOctetDeltaCount}
	else {} end" >"$TEST_DIR/expected_biflow"
[ "$(grep -c out_packets "$TEST_DIR/expected_biflow")" -ge 3 ] || fail "no biflows were sent"
assert_flows "biflows in nfdump" "cat $TEST_DIR/expected_biflow" \
	"nfdump_records $TEST_DIR/biflow direction src_vlan out_packets out_bytes"
