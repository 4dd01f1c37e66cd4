#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The same frames give the same Flows at every hook: tc, native XDP, generic XDP
# (which is warned about), tc egress of the sender; a veth's own choice is tc.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq bpftool

ROUNDS=50
N_PACKETS=$((ROUNDS * 16))
netns_pair client server
ns_mute client veth0

# assert_hook NS INGRESS EGRESS HOOK DIRECTION: run the probe there, send, compare.
assert_hook()
{
	local what="ingress $2, egress $3 as $4"

	start_probe "$1" -c "$(probe_config "interfaces: [{name: veth0, ingress: $2, egress: $3}]")"
	./xflowctl --json status | jq -e --arg hook "$4" '.interfaces |
		length == 1 and (.[0] | [.ingress, .egress] - ["off"] == [$hook])' >/dev/null ||
		fail "$what: $(./xflowctl --json status)"
	ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
	wait_seen $N_PACKETS
	stop_bg PROBE || fail "$what: the probe ended with status $?"
	assert_flows "$what" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
	assert_balanced
	assert_ledger ".seen_packets == $N_PACKETS"
	jq -se --argjson direction "$5" 'map(select(.type == "flow")) | all(.flowDirection == $direction and
		[.ingressInterface > 0, .egressInterface > 0] == [$direction == 0, $direction == 1])' \
		"$TEST_DIR/probe.out" >/dev/null || fail "$what: direction or interface is wrong"
	ns_exec "$1" bpftool -j net | jq -e '.[0] | .xdp == [] and .tc == []' >/dev/null ||
		fail "$what: left attached: $(ns_exec "$1" bpftool net)"
}
assert_hook server auto off tcx 0
assert_hook server tc off tcx 0
assert_hook server xdp off xdp 0
assert_hook server xdp-generic off xdp-generic 0
grep -q 'warning: veth0: generic XDP counts GSO super-packets' "$TEST_DIR/PROBE.log" ||
	fail "generic XDP without a warning"
assert_hook client off tc tcx 1
