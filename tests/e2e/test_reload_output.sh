#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A probe without exporters prints JSON, and goes on doing so when a reload gives it one;
# a group of elements that the reload names is in the lines, in `xflowctl flows` and at the
# Collector from then on.
# timeout: 30
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
. tests/lib/reload.sh
need jq

wire_options=()
away_setup
collector_at udp 9991
away_probe 'exporters: []'
# flow CODE: an ICMP message of that code, one Flow
flow()
{
	ns_exec client python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("veth0", 0))
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 1, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
icmp = struct.pack("!BBHI", 11, int(sys.argv[1]), 0, 0)
s.send(bytes.fromhex("027700000002" "027700000001" "0800") + ip + icmp)' "$1"
}
# types CODE: of the Flows of that code that were printed, the element of the group icmp
types()
{
	jq -c "select(.icmpTypeCodeIPv4 == 11 * 256 + $1) | .icmpTypeIPv4" "$TEST_DIR/probe.out"
}
flow 1
wait_for "[ \"\$(types 1)\" = null ]" 5
reload 'output_fields: [icmp]' 'exporters: [{name: comes, address: "10.77.1.2:9991", fields: [icmp]}]'
assert_reloaded '.added == ["comes"] and .keys == ["output_fields"]'
flow 2
wait_for "./xflowctl --json flows | jq -es 'any(.icmpTypeIPv4 == 11)'" 2
wait_for "[ \"\$(types 2)\" = 11 ]" 5
wait_for "[ \"\$(exporter comes sent_records)\" = 1 ]" 5
reload 'exporters: [{name: comes, address: "10.77.1.2:9991", fields: [icmp]}]'
flow 3
wait_for "[ \"\$(types 3)\" = null ]" 5
wait_for "[ \"\$(exporter comes sent_records)\" = 2 ]" 5
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '.not_sent_records == 0'
assert_records_at 9991 2
