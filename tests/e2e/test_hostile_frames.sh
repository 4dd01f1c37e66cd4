#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Malformed and foreign frames are counted, each under its reason, and pass the
# probe unchanged, at tc and at XDP.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq dumpcap tshark

# client -> server, a bridge -> sink: past the probe, nobody there judges a frame.
netns_pair client server
netns_pair server sink 1
ns_mute client veth0
ns_mute server veth0 veth1
ns_mute sink veth1
ns_exec server ip link add br0 type bridge mcast_snooping 0
ns_mute server br0
for dev in veth0 veth1; do
	ns_exec server ip link set $dev master br0
done
ns_exec server ip link set br0 up
# Where the kernel has it, netfilter would judge.
ip netns exec "$(ns_name server)" sysctl -e -q -w net.bridge.bridge-nf-call-iptables=0 \
	net.bridge.bridge-nf-call-ip6tables=0

# assert_pass INGRESS
assert_pass()
{
	local n reason

	start_probe server -c "$(probe_config "interfaces: [{name: veth0, ingress: $1}]")"
	start_bg_in sink DUMPCAP dumpcap -q -i veth1 -f 'ether dst 02:00:00:00:00:02' \
		-w "$TEST_DIR/$1.pcapng"
	wait_for "grep -q '^File:' $TEST_DIR/DUMPCAP.log" 10
	ns_exec client .output/tests/e2e/send_hostile veth0 >"$TEST_DIR/sent"
	n=$(wc -l <"$TEST_DIR/sent")
	wait_seen "$n"
	wait_for "[ \$(capinfos -TMrc $TEST_DIR/$1.pcapng | cut -f 2) -ge $n ]" 10
	stop_bg DUMPCAP INT
	stop_bg PROBE || fail "$1: the probe ended with status $?"

	assert_balanced
	assert_ledger ".seen_packets == $n"
	while read -r n reason; do
		if [ "$reason" = ok ]; then
			assert_ledger ".accounted_packets == $n"
		else
			assert_ledger ".reasons.$reason == $n"
		fi
	done < <(cut -d ' ' -f 1 "$TEST_DIR/sent" | sort | uniq -c)
	assert_ledger '.reasons | del(.protocol_off, .duplicate) | all(. > 0)'
	tshark -r "$TEST_DIR/$1.pcapng" -T jsonraw 2>"$TEST_DIR/TSHARK.log" |
		jq -r '.[]._source.layers.frame_raw[0]' >"$TEST_DIR/arrived"
	cut -d ' ' -f 3 "$TEST_DIR/sent" | diff - "$TEST_DIR/arrived" ||
		fail "$1: frames arrived changed (> arrived, < sent)"
}
assert_pass tc
assert_pass xdp
