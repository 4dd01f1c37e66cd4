#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# An exporter with a spool loses no record while there is no route to its Collector,
# before the name of it resolves, or when the path takes only smaller packets from now on.
# timeout: 150
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
wire_device=veth2
need jq tshark dumpcap

cp /etc/hosts "$TEST_DIR/hosts"
test_mount --bind "$TEST_DIR/hosts" /etc/hosts
netns_pair client server
netns_pair server router 1
netns_pair router store 2
ns_mute client veth0
ns_mute server veth0
ip -n "$(ns_name server)" route add 10.77.2.0/24 via 10.77.1.2
ip -n "$(ns_name store)" route add 10.77.1.0/24 via 10.77.2.1
ip netns exec "$(ns_name router)" sysctl -q -w net.ipv4.ip_forward=1
start_bg_in store DUMPCAP dumpcap -q -i veth2 -f 'udp and src net 10.77.1' -w "$TEST_DIR/store.pcapng"
collector_come udp 9995
away_probe "exporters: [{name: far, address: 'collector.test:9995',
  spool: {path: $TEST_DIR/spool, max_records_per_s: 1000000}}]"

away_send 1000
wait_exporter '.spooled_records == 1000' 10
echo "10.77.2.2 collector.test" >>"$TEST_DIR/hosts"
wait_exporter '.sent_records == 1000' 15

# The route is gone, then is back.
ip -n "$(ns_name server)" route del 10.77.2.0/24
away_send 1000
wait_exporter '.spooled_records == 1000' 5
ip -n "$(ns_name server)" route add 10.77.2.0/24 via 10.77.1.2
wait_exporter '.sent_records == 2000' 20

# The path narrows: the router drops what is larger and says so.
ip -n "$(ns_name router)" route change 10.77.2.0/24 dev veth2 mtu 700
away_send 2000
wait_exporter '.sent_records == 4000 and .queued_records == 0' 20
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg COLLECTOR || true # what was dropped is a gap before it is sent again
stop_bg DUMPCAP INT

assert_ledger '.not_sent_records == 0 and .balanced and .sent_records == 4000'
assert_eq "records that arrived" "$flows_sent" "$(collected)"
assert_eq "fragments" 0 "$(tshark -r "$TEST_DIR/store.pcapng" -Y 'ip.flags.mf == 1 || ip.frag_offset > 0' | wc -l)"
tshark -r "$TEST_DIR/store.pcapng" -Y 'frame.number > 1 && ip.len > 700' -T fields -e ip.len | grep -q . ||
	fail "the path was never wider"
