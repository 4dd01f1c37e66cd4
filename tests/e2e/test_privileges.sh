#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Without privileges, or with too few, the probe ends with status 2 and names what
# is missing; an interface that is not there likewise; with just the three named
# capabilities it works, and none of them is left once it is attached.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq setpriv

netns_pair client server
ns_mute client veth0

ENOUGH=-all,+bpf,+perfmon,+net_admin
# refused CAPABILITIES MESSAGE ARGUMENT...: ends with 2 and says MESSAGE.
refused()
{
	local status=0

	ns_exec server timeout 10 setpriv --inh-caps="$1" --bounding-set="$1" ./xflow-probe "${@:3}" \
		>"$TEST_DIR/refused.out" 2>"$TEST_DIR/refused.log" || status=$?
	assert_eq "exit status with $1" 2 $status
	grep -q "$2" "$TEST_DIR/refused.log" || fail "with $1: no word of $2: $(cat "$TEST_DIR/refused.log")"
	[ ! -s "$TEST_DIR/refused.out" ] || fail "with $1: standard output is not empty"
}
refused -all CAP_BPF -i veth0
refused -all,+bpf CAP_PERFMON -i veth0
refused -all,+bpf,+perfmon CAP_NET_ADMIN -i veth0
refused $ENOUGH 'observe interface eth9 .*No such device' -i eth9

rm -f "$PROBE_SOCKET"
bg_stdout=$TEST_DIR/probe.out start_bg_in server PROBE setpriv --inh-caps=$ENOUGH \
	--bounding-set=$ENOUGH ./xflow-probe -i veth0
wait_for "./xflowctl status" 10
left=$(awk '/^Cap(Eff|Prm|Amb):/ {print $2}' "/proc/$PROBE/status" | sort -u)
assert_eq "capabilities left" 0000000000000000 "$left"
ns_exec client $SEND_FLOWS veth0 3 >"$TEST_DIR/sent"
wait_seen 48
stop_bg PROBE || fail "with three capabilities: exit status $?"
assert_flows "with three capabilities" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
assert_balanced
