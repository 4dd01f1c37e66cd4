#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# With Collectors that refuse, have no route or no address, the probe starts, meters
# and counts what was not sent; records flow once a Collector is there.
# timeout: 90
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

ROUNDS=5
netns_pair client server
ns_mute client veth0
start_probe server -i veth0 -o json --idle-timeout 1 --collector 127.0.0.1:9 \
	--collector 192.0.2.1:9995 --collector collector.invalid:9995 --collector 127.0.0.1:9995

# send_and_expire N: N times all Flows, each time until they are exported.
send_and_expire()
{
	local i exported

	for ((i = 0; i < $1; i++)); do
		exported=$(live_ledger | jq .exported_flows)
		ns_exec client $SEND_FLOWS veth0 $ROUNDS >>"$TEST_DIR/sent"
		wait_for "live_ledger | jq -e '.exported_flows >= $exported + 16 and .in_cache_flows == 0'" 10
	done
}
exporter_sum()
{
	jq --arg name "udp:$1" --arg key "$2" '.exporters[] | select(.name == $name) | .[$key + "_records"]'
}

send_and_expire 2
assert_ledger .balanced "$(live_ledger)"
wait_for "[ \"\$(live_ledger | exporter_sum 127.0.0.1:9 not_sent_refused)\" -gt 0 ]" 5

wire_options=(--late --may-lose) # it comes when much has been lost
start_collector_test "$TEST_DIR/collected" udp 9995 server --lenient
came()
{
	grep -q '"type":"flow"' "$TEST_DIR/collected"
}
for _ in {1..10}; do
	send_and_expire 1
	! came || break
done
came || { stop_bg COLLECTOR; fail "no record reached the Collector that came back: $(cat "$TEST_DIR/collected")"; }
start_ms=$(date +%s%3N)
stop_bg PROBE || fail "the probe ended with status $?"
# Five seconds for each of the two that may yet get a session.
[ $(($(date +%s%3N) - start_ms)) -lt 13000 ] || fail "the end took more than thirteen seconds"
stop_bg COLLECTOR

assert_flows "on standard output" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
assert_balanced
for why in '127.0.0.1:9 not_sent_refused' '192.0.2.1:9995 not_sent_unroutable' \
	'collector.invalid:9995 not_sent_unresolved'; do
	# shellcheck disable=SC2086 # two words
	[ "$(probe_ledger | exporter_sum $why)" -gt 0 ] || fail "$why is 0: $(probe_ledger)"
done
for name in 127.0.0.1:9 192.0.2.1:9995 collector.invalid:9995; do
	grep -q "exporter udp:$name: " "$TEST_DIR/PROBE.log" || fail "no word about $name"
done
# A refusal is known only after the datagram has counted as sent.
[ "$(tail -n 1 "$TEST_DIR/collected" | jq .records)" -le "$(probe_ledger | exporter_sum 127.0.0.1:9995 sent)" ] ||
	fail "the Collector took more than was sent"
tail -n 1 "$TEST_DIR/collected" | jq -e '.data_before_template == 0 and .malformed == 0' >/dev/null ||
	fail "what came back is not decodable: $(tail -n 1 "$TEST_DIR/collected")"
