#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# More Flows than the cache has room for: what finds no place is counted as overflow
# by protocol, Flows are ended early for lack of resources, and the ledger balances.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

netns_pair client server
ns_mute client veth0
start_probe server -c "$(probe_config 'interfaces: [{name: veth0}]' 'flow_cache:' \
	'  max_flows: 1024' '  max_flows_ipv6: 1024' '  idle_timeout_s: 10' '  sweep_interval_s: 0.2')"

# Far more at once than there are places.
ns_exec client .output/tests/e2e/send_ports veth0 20000
wait_seen 20000
assert_ledger '.balanced and .overflow_packets > 10000' "$(live_ledger)"
# Above the high-water mark, yet with room: all have a place, and go before their time.
wait_for "live_ledger | jq -e '.in_cache_flows < 100'" 9
overflow=$(live_ledger | jq .overflow_packets)
ns_exec client .output/tests/e2e/send_ports veth0 900
wait_seen 20900
wait_for "live_ledger | jq -e '.in_cache_flows < 800'" 9
stop_bg PROBE || fail "the probe ended with status $?"

assert_balanced
assert_ledger '.seen_packets == 20900 and .accounted_packets == 20900'
assert_ledger ".overflow_packets == $overflow and .overflow_class_packets.udp == $overflow"
assert_ledger ".exported_packets == 20900 - $overflow and .exported_flows == .exported_packets"
jq -se 'map(select(.flowEndReason == 5)) | length > 1000' "$TEST_DIR/probe.out" >/dev/null ||
	fail "hardly a Flow ended for lack of resources"
