#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# With segmentation offload, tc counts the segments of a TCP transfer as TCP itself
# does, and their octets to the last header; what is transferred arrives as it was
# sent.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq ethtool

PAYLOAD=8000000 ATTEMPTS=6
HANDSHAKE=8 # octets of options that SYN and SYN-ACK have more than other segments
head -c $PAYLOAD /dev/urandom >"$TEST_DIR/data"
netns_pair client server
# A selective acknowledgement would make some headers longer than the others.
for ns in client server; do
	ns_exec "$ns" sysctl -q -w net.ipv4.tcp_sack=0
done
for ns in client server; do
	ns_exec $ns ethtool -K veth0 tso on gso on gro on >/dev/null
done

# transfer ADDRESS: past a new probe; fails when TCP had to send a segment again, as it
# may on a busy machine.
transfer()
{
	local status=0

	frames=$(ns_counter server veth0 rx_packets)
	start_probe server -i veth0:egress
	bg_stdout=$TEST_DIR/received start_bg_in server RECEIVER \
		.output/tests/e2e/tcp_transfer receive 5201
	wait_port server tcp 5201
	ns_exec client .output/tests/e2e/tcp_transfer send "$1" 5201 <"$TEST_DIR/data" \
		>"$TEST_DIR/segments" || status=$?
	wait_bg RECEIVER || fail "the receiver ended with status $?"
	frames=$(($(ns_counter server veth0 rx_packets) - frames))
	[ $status -ne 3 ] || stop_bg PROBE
	[ $status -eq 0 ] || [ $status -eq 3 ] || fail "the sender ended with status $status"
	return $status
}

# assert_transfer ADDRESS HEADERS: HEADERS is the length of IP and TCP with timestamps.
assert_transfer()
{
	local address=$1 headers=$2 in out attempt=1

	until transfer "$address"; do
		[ $((attempt++)) -lt $ATTEMPTS ] || fail "TCP sent segments again $ATTEMPTS times"
	done
	read -r in out <"$TEST_DIR/segments"
	wait_for "live_ledger | jq -e '.seen_packets >= $in + $out'" 5
	stop_bg PROBE || fail "the probe ended with status $?"

	assert_balanced
	cmp "$TEST_DIR/data" "$TEST_DIR/received" || fail "the data arrived changed"
	[ "$frames" -lt $((in / 2)) ] || fail "$frames frames for $in segments: no offload was at work"

	assert_eq "packets and octets to the server over $address" \
		"$in $((PAYLOAD + in * headers + HANDSHAKE))" \
		"$(flows_in_json "$TEST_DIR/probe.out" '.destinationTransportPort == 5201 and .flowDirection == 0' | cut -d ' ' -f 7-)"
	assert_eq "packets and octets from the server over $address" \
		"$out $((out * headers + HANDSHAKE))" \
		"$(flows_in_json "$TEST_DIR/probe.out" '.sourceTransportPort == 5201 and .flowDirection == 1' | cut -d ' ' -f 7-)"
}
assert_transfer "$(ns_addr4 server)" 52
assert_transfer "$(ns_addr6 server)" 72

# Super-packets of which no length field can tell the length (BIG TCP).
for ns in client server; do
	ns_exec $ns ip link set veth0 gso_max_size 180000 gro_max_size 180000
done
assert_transfer "$(ns_addr6 server)" 72
[ $((PAYLOAD / frames)) -gt 65535 ] || fail "no super-packet above 64 KiB: $frames frames"
