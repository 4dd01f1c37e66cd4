#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# FIN of both sides, or RST, ends both Flows of a connection after two seconds of
# silence, FIN where only one side is seen after five, FIN of one side of two not.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

netns_pair client server
ns_mute client veth0
start_probe server -c "$(probe_config 'interfaces: [{name: veth0}]' \
	'flow_cache: {sweep_interval_s: 0.2, idle_timeout_s: 60, active_timeout_s: 60}')"
start_stamping
send_tcp()
{
	ns_exec client .output/tests/e2e/send_tcp veth0 "$@"
}
send_tcp 5001 c:S s:SA c:A c:FA s:FA c:A
send_tcp 5002 c:S s:SA c:A s:R
send_tcp 5003 c:A c:FA
send_tcp 5004 c:S s:SA c:A c:FA s:A
wait_for "live_ledger | jq -e '.in_cache_flows == 2'" 8
stop_bg PROBE || fail "the probe ended with status $?"
wait_bg STAMP

assert_balanced
assert_flows "of all records" "sort <<END
6 10.1.0.1 10.1.0.2 5001 80 0 4 160
6 10.1.0.2 10.1.0.1 80 5001 0 2 80
6 10.1.0.1 10.1.0.2 5002 80 0 2 80
6 10.1.0.2 10.1.0.1 80 5002 0 2 80
6 10.1.0.1 10.1.0.2 5003 80 0 2 80
6 10.1.0.1 10.1.0.2 5004 80 0 3 120
6 10.1.0.2 10.1.0.1 80 5004 0 2 80
END" "flows_in_json $TEST_DIR/probe.out"

# assert_ended PORT RECORDS REASON FLAGS SECONDS: the records of a connection, their
# tcpControlBits together, and how long after its last packet they came.
assert_ended()
{
	jq_stamped "map(select(.sourceTransportPort == $1 or .destinationTransportPort == $1)) |
		(map(.end) | max) as \$last | length == $2 and all(.flowEndReason == $3) and
		(map(.tcpControlBits) | sort) == $4 and
		all(.printed - \$last | . > $5 - 0.05 and . < $5 + 1.2)" ||
		fail "port $1 not as expected: $(grep ":$1," "$TEST_DIR/stamped")"
}
assert_ended 5001 2 3 '[19, 19]' 2
assert_ended 5002 2 3 '[18, 22]' 2
assert_ended 5003 1 3 '[17]' 5
jq_stamped 'map(select(.sourceTransportPort == 5004 or .destinationTransportPort == 5004)) |
	length == 2 and all(.flowEndReason == 4)' || fail "FIN of one side ended the connection"
