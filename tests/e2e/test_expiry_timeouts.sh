#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A silent Flow is reported within idle timeout, one sweep and slack, as ended by
# it; a lasting one in parts that add up, by the active timeout, under one flowId
# and each from where the one before ended.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

N_FLOWS=16 # that send_flows sends
netns_pair client server
ns_mute client veth0
start_probe server -c "$(probe_config 'interfaces: [{name: veth0}]' 'flow_cache:' \
	'  active_timeout_s: 2' '  idle_timeout_s: 1' '  sweep_interval_s: 0.2')"
start_stamping
bg_stdout=$TEST_DIR/sent start_bg_in client SENDER $SEND_FLOWS veth0 0 100
wait_for "[ \$(grep -c '\"flowEndReason\":2' $TEST_DIR/probe.out) -ge $((2 * N_FLOWS)) ]" 8
# One more round at least, so that every Flow has a rest to tell.
seen=$(live_ledger | jq .seen_packets)
wait_seen $((seen + 4 * N_FLOWS))
stop_bg SENDER
wait_for "live_ledger | jq -e '.in_cache_flows == 0'" 8
stop_bg PROBE || fail "the probe ended with status $?"
wait_bg STAMP

assert_balanced
assert_flows "of all records" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
# assert_parts WHAT CONDITION: of the records of each Flow, in their order.
assert_parts()
{
	jq_stamped "group_by(.flowId) | length == $N_FLOWS and all($2)" ||
		fail "$1: $(cut -c 1-400 "$TEST_DIR/stamped")"
}
assert_parts "not two parts and a rest" 'length == 3'
assert_parts "the active timeout ended no part" 'all(.[:-1][]; .flowEndReason == 2)'
assert_parts "the idle timeout did not end the Flow" '.[-1].flowEndReason == 1'
assert_parts "a part does not start where the one before ended" \
	'[.[:-1], .[1:]] | transpose | all(.[0].end - .[1].start | fabs < 0.0015)'
assert_parts "the first part is not of two seconds" '.[0] | .printed - .start | . > 1.95 and . < 3.2'
assert_parts "not reported a second after the last packet" \
	'.[-1] | .printed - .end | . > 0.95 and . < 2.2'
