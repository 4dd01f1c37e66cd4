#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A capture file with more Flows than an interface has room for: by default none of
# them ends early for want of room; with room for fewer asked for, they do.
# timeout: 90
# root: no
. "$(dirname "$0")/../lib/netns.sh"

FLOWS=1100000 # a packet each, in eleven seconds; interfaces have room for 1048576

# read_file OPTION...: sets $records, and of them $early that ended for lack of resources.
read_file()
{
	./xflow-probe -r "$TEST_DIR/many.pcap" -o json "$@" >"$TEST_DIR/out" 2>"$TEST_DIR/log" ||
		fail "the probe ended with status $?: $(cat "$TEST_DIR/log")"
	records=$(grep -c '"flowEndReason":' "$TEST_DIR/out") || true
	early=$(grep -c '"flowEndReason":5' "$TEST_DIR/out") || true
}

.output/tests/bench/pcap_make "$TEST_DIR/many.pcap" $FLOWS $FLOWS
read_file
[ "$records" -eq $FLOWS ] || fail "$records records of $FLOWS Flows"
[ "$early" -eq 0 ] || fail "$early Flows ended early though nothing limits the room"
read_file --max-flows 1048576
[ "$early" -gt 1000 ] || fail "$early Flows ended early though there is room for 1048576 only"
