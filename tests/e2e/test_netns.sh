#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The namespaces the other tests stand on: both address families work at once,
# the link is silent but for the test's traffic, and nothing leads outside.
. "$(dirname "$0")/../lib/netns.sh"
need ping jq ethtool ss

netns_pair client server
ns_no_offloads client
ns_exec client ping -q -c 3 -i 0.01 -W 1 "$(ns_addr4 server)" || fail "no IPv4"
ns_exec client ping -q -c 3 -i 0.01 -W 1 "$(ns_addr6 server)" || fail "no IPv6"
if ns_exec client ping -q -c 1 -W 1 192.0.2.1; then
	fail "a route leads out of the namespaces"
fi
sent=$(ns_counter client veth0 tx_packets)
# Multicast listener reports of the two addresses may come on top.
if [ "$sent" -lt 6 ] || [ "$sent" -gt 10 ]; then
	fail "$sent packets sent, 6 were asked for"
fi

bg_stdout=$TEST_DIR/out start_bg_in server SINK sh -c 'echo up; exec sleep 60'
wait_for "grep -q up $TEST_DIR/out" 2
status=0
stop_bg SINK || status=$?
assert_eq "exit status of a stopped process" 143 $status
