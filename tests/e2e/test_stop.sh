#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# SIGTERM, SIGINT and the end of --duration each export every Flow in the cache,
# as ended by force, and end the probe with status 0 and nothing left attached.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq bpftool nfcapd nfdump

ROUNDS=20
netns_pair client server
ns_mute client veth0
# assert_all_out WHAT: after the probe's end.
assert_all_out()
{
	assert_flows "after $1" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
	jq -se 'map(select(.type == "flow")) | length == 16 and all(.flowEndReason == 4)' \
		"$TEST_DIR/probe.out" >/dev/null || fail "$1: a record's reason is not 4"
	assert_balanced
	assert_ledger '.sent_records == .exported_flows and .not_sent_records == 0'
	ns_exec server bpftool -j net | jq -e '.[0] | .xdp == [] and .tc == []' >/dev/null ||
		fail "$1 left a program attached: $(ns_exec server bpftool net)"
	[ ! -e "$PROBE_SOCKET" ] || fail "$1 left the control socket behind"
}

for signal in TERM INT; do
	start_nfcapd "$TEST_DIR/$signal" 9995 server
	start_probe server -i veth0 --collector 127.0.0.1:9995 -o json
	ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
	wait_seen $((ROUNDS * 16))
	stop_bg PROBE $signal || fail "SIG$signal: exit status $?"
	assert_all_out "SIG$signal"
	stop_bg NFCAPD
	grep -q 'Flows: 16, .*Sequence Errors: 0' "$TEST_DIR/NFCAPD.log" || fail "SIG$signal: not all in nfcapd"
	assert_flows "in nfcapd" "flows_sent $TEST_DIR/sent" "flows_in_nfdump $TEST_DIR/$signal"
done

start_nfcapd "$TEST_DIR/duration" 9995 server
start_ms=$(date +%s%3N)
start_probe server -i veth0 --duration 2.5 --collector 127.0.0.1:9995 -o json
ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
wait_bg PROBE || fail "--duration: exit status $?"
took_ms=$(($(date +%s%3N) - start_ms))
((took_ms >= 2500 && took_ms < 6000)) || fail "--duration 2.5 took $took_ms ms"
assert_all_out "--duration"
