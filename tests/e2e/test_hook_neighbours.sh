#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs of others on the interface stay and go on counting while the probe runs
# and after it: a clsact filter, another tcx program, an XDP program (beside which
# tc works, and which makes `ingress: xdp` an error that says so).
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq bpftool tc

OTHERS=.output/tests/e2e/passers_by.bpf.o
ROUNDS=10
N_PACKETS=$((ROUNDS * 16))
netns_pair client server
ns_mute client veth0

# others_counted PROGRAM: packets that somebody else's program has counted.
others_counted()
{
	local map

	map=$(bpftool -j prog show name "$1" | jq 'if type == "array" then .[0] else . end | .map_ids[0]')
	bpftool -j map dump id "$map" | jq '.[0].formatted.value'
}

# attached: all that is on the interface, without what changes with traffic.
attached()
{
	ns_exec server bpftool net
	ns_exec server tc qdisc show dev veth0
	ns_exec server tc filter show dev veth0 ingress
}

# assert_beside PROGRAM CONFIG: the probe meters everything and PROGRAM sees everything.
assert_beside()
{
	local before counted

	before=$(attached) counted=$(others_counted "$1")
	start_probe server -c "$(probe_config "$2")"
	ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
	wait_seen $N_PACKETS
	stop_bg PROBE || fail "$1: the probe ended with status $?"
	assert_flows "beside $1" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
	assert_eq "packets that $1 saw" $((counted + N_PACKETS)) "$(others_counted "$1")"
	assert_eq "what is attached after the probe beside $1" "$before" "$(attached)"
}

ns_exec server tc qdisc add dev veth0 clsact
ns_exec server tc filter add dev veth0 ingress bpf direct-action object-file $OTHERS section tc
assert_beside passer_tc 'interfaces: [{name: veth0}]'
assert_beside passer_tc 'interfaces: [{name: veth0, ingress: xdp}]'
ns_exec server tc qdisc delete dev veth0 clsact

ns_exec server ip link set veth0 xdpdrv object $OTHERS section xdp
assert_beside passer_xdp 'interfaces: [{name: veth0}]'
status=0
ns_exec server ./xflow-probe -c "$(probe_config 'interfaces: [{name: veth0, ingress: xdp}]')" \
	>"$TEST_DIR/busy.log" 2>&1 || status=$?
assert_eq "exit status where an XDP program is" 2 $status
grep -q 'attach the XDP program to veth0 (another program is there; see .bpftool net.)' \
	"$TEST_DIR/busy.log" || fail "no word of the other program: $(cat "$TEST_DIR/busy.log")"
assert_beside passer_xdp 'interfaces: [{name: veth0, ingress: tc}]'
ns_exec server ip link set veth0 xdpdrv off

# Two probes at once; the one that stays meters on when the other ends.
bg_stdout=$TEST_DIR/other.out start_bg_in server OTHER ./xflow-probe -c <(printf '%s\n' \
	'interfaces: [{name: veth0}]' "control: {socket: $TEST_DIR/other.sock}")
wait_for "./xflowctl -s $TEST_DIR/other.sock status" 10
start_probe server -i veth0
ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/sent"
wait_seen $N_PACKETS
stop_bg PROBE || fail "beside another probe: exit status $?"
assert_flows "beside another probe" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
ns_exec client $SEND_FLOWS veth0 $ROUNDS >>"$TEST_DIR/sent"
wait_for "[ \"\$(./xflowctl -s $TEST_DIR/other.sock --json ledger | jq .seen_packets)\" = $((2 * N_PACKETS)) ]" 5
stop_bg OTHER || fail "the other probe: exit status $?"
assert_flows "of the other probe" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/other.out"
