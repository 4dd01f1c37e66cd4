#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# TCP over a link that loses, delays and doubles segments, metered in its middle over
# IPv4 and IPv6: segments sent again and out of order, round trips and headers equal
# tshark's of what was captured there, and the probe's own of that capture.
# timeout: 90
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need tshark dumpcap python3 jq ethtool

PAYLOAD=200000
netns_pair client relay 0
netns_pair relay server 1
netns_pair relay observer 2
for end in client:veth0 server:veth1; do
	ns_no_offloads ${end%:*} ${end#*:}
done
# 10.77.9.x and fd77:9::x of both ends, as if the relay were a wire
ends=(client:veth0:1:02:77:00:00:01:02 server:veth1:2:02:77:00:00:00:01)
for end in "${ends[@]}"; do
	IFS=: read -r ns dev n mac <<<"$end"
	name=$(ns_name "$ns")
	ip -n "$name" addr add "10.77.9.$n/24" dev "$dev"
	ip -n "$name" addr add "fd77:9::$n/64" dev "$dev" nodad
	ip -n "$name" neigh replace 10.77.9.$((3 - n)) lladdr "$mac" nud permanent dev "$dev"
	ip -n "$name" neigh replace fd77:9::$((3 - n)) lladdr "$mac" nud permanent dev "$dev"
done
ns_mute relay veth0 veth1 veth2
ns_mute observer veth2

start_bg_in relay RELAY python3 tests/e2e/tcp_health_relay.py veth0 veth1 veth2
start_bg_in observer CAPTURE dumpcap -q -i veth2 -w "$TEST_DIR/pcap"
wait_for "[ -s $TEST_DIR/pcap ]" 10
start_probe observer -c "$(probe_config 'interfaces: [{name: veth2, ingress: tc}]' \
	'flow_cache: {idle_timeout_s: 3600, active_timeout_s: 3600}' \
	'output_fields: [base, tcp, tcp_health]')"
before=$(ns_counter observer veth2 rx_packets)
head -c $PAYLOAD /dev/urandom >"$TEST_DIR/data"

# transfer ADDRESS PORT: the client sends the data, and the server sends it back.
transfer()
{
	start_bg_in server ECHO python3 -c '
import socket, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
c = s.accept()[0]
data = b"".join(iter(lambda: c.recv(65536), b""))
c.sendall(data)
c.close()' "$2"
	wait_port server tcp "$2"
	ns_exec client python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
data = open(sys.argv[3], "rb").read()
s.sendall(data)
s.shutdown(socket.SHUT_WR)
assert b"".join(iter(lambda: s.recv(65536), b"")) == data' "$1" "$2" "$TEST_DIR/data"
	wait_bg ECHO || fail "the server ended with status $?"
}
transfer 10.77.9.2 5201
transfer fd77:9::2 5202
# the last acknowledgements are on their way
is_quiet()
{
	local before
	before=$(ns_counter relay veth2 tx_packets)
	sleep 0.3
	[ "$before" = "$(ns_counter relay veth2 tx_packets)" ]
}
wait_for is_quiet 5
wait_seen $(($(ns_counter observer veth2 rx_packets) - before))
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg CAPTURE INT || true
assert_balanced
python3 tests/e2e/tcp_health_compare.py "$TEST_DIR/pcap" "$TEST_DIR/probe.out" ||
	fail "the live run differs"
