#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# In a router every packet passes two Observation Points: two Flows by key, or with
# `deduplicate` one, of the interface it came in at, and as many duplicates.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

N=10
netns_pair client router 0
netns_pair server router 1
for end in client.0 server.1; do
	ns=${end%.*} n=${end#*.}
	ip -n "$(ns_name "$ns")" route add default via "$(ns_addr4 router "$n")"
	ip -n "$(ns_name "$ns")" route add default via "$(ns_addr6 router "$n")"
done
ip netns exec "$(ns_name router)" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

# ping_through: N requests and answers each way of IPv4 and IPv6.
ping_through()
{
	ns_exec client ping -q -c $N -i 0.01 "$(ns_addr4 server 1)" >/dev/null
	ns_exec client ping -q -c $N -i 0.01 "$(ns_addr6 server 1)" >/dev/null
}

# meter DEDUPLICATE: a probe at all four hooks of the router, while packets pass.
meter()
{
	start_probe router -c "$(probe_config 'interfaces:' \
		'  - {name: veth0, egress: tc}' '  - {name: veth1, egress: tc}' \
		"flow_cache: {deduplicate: $1}")"
	ping_through
	stop_bg PROBE || fail "the probe ended with status $?"
	assert_balanced
	# what IPv6 has to say about neighbours goes no further
	jq -c 'select(.type == "flow") | select((.icmpTypeCodeIPv4 // .icmpTypeCodeIPv6) as $t |
		[2048, 0, 32768, 33024] | index($t))' "$TEST_DIR/probe.out" >"$TEST_DIR/echo"
}

# index DEVICE: of the router.
index()
{
	ip -n "$(ns_name router)" -j link show "$1" | jq '.[0].ifindex'
}

meter false
jq -se --argjson n $N 'length == 8 and all(.packetDeltaCount == $n)' "$TEST_DIR/echo" >/dev/null ||
	fail "not two Flows for each: $(cat "$TEST_DIR/echo")"
assert_ledger '.reasons.duplicate == 0'

meter true
jq -se --argjson n $N 'length == 4 and all(.packetDeltaCount == $n)' "$TEST_DIR/echo" >/dev/null ||
	fail "not one Flow for each: $(cat "$TEST_DIR/echo")"
assert_ledger ".reasons.duplicate == 4 * $N"
jq -se --argjson v0 "$(index veth0)" --argjson v1 "$(index veth1)" 'all(.flowDirection == 0 and
	.ingressInterface == if (.icmpTypeCodeIPv4 // .icmpTypeCodeIPv6) as $t |
		[2048, 32768] | index($t) then $v0 else $v1 end)' "$TEST_DIR/echo" >/dev/null ||
	fail "not the interface it came in at: $(cat "$TEST_DIR/echo")"
