#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# An interface that goes down, or away, does not end the probe or cost a record; one
# that comes up again is metered on.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

ROUNDS=5
N_PACKETS=$((ROUNDS * 16))
sweeps()
{
	./xflowctl --json status | jq .sweep.sweeps
}

# assert_outlives INGRESS
assert_outlives()
{
	local sweeps

	netns_pair client server
	netns_pair client server 1
	ns_mute client veth0 veth1
	start_probe server -c "$(probe_config 'interfaces:' "- {name: veth0, ingress: $1, egress: tc}" \
		"- {name: veth1, ingress: $1}" 'flow_cache: {sweep_interval_s: 0.2}')"
	ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
	wait_seen $N_PACKETS
	ns_exec server ip link set veth0 down
	ns_exec server ip link set veth0 up
	wait_for "ns_exec client ip -j link show veth0 | jq -e '.[0].operstate == \"UP\"'" 5
	ns_exec client $SEND_FLOWS veth0 $ROUNDS >>"$TEST_DIR/sent"
	wait_seen $((2 * N_PACKETS))
	ns_exec server ip link delete veth0
	sweeps=$(sweeps)
	wait_for "[ \"\$(sweeps)\" -ge $((sweeps + 3)) ]" 5
	ns_exec client $SEND_FLOWS veth1 $ROUNDS >>"$TEST_DIR/sent"
	wait_seen $((3 * N_PACKETS))
	./xflowctl --json status | jq -e '.interfaces | length == 2' >/dev/null || fail "$1: no status"
	stop_bg PROBE || fail "$1: exit status $?"
	assert_balanced
	assert_flows "at $1" "flows_sent $TEST_DIR/sent" \
		"flows_in_json $TEST_DIR/probe.out '.protocolIdentifier != 58 or .icmpTypeCodeIPv6 == 32768'"
	ns_exec server ip link delete veth1
}
assert_outlives tc
assert_outlives xdp
