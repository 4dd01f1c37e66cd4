#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A VLAN tag that a device has taken out of the frame is in the Flow all the same,
# at tc and at XDP.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq tc

N_PACKETS=20
netns_pair client server
ns_mute client veth0
ns_mute server veth0
ns_exec client tc qdisc add dev veth0 clsact
ns_exec client tc filter add dev veth0 egress bpf direct-action \
	object-file .output/tests/e2e/push_tag.bpf.o section tc
# Nobody in `server` has the VLAN, so nobody answers a question for the address.
ns_exec client ip neighbour replace "$(ns_addr4 server)" dev veth0 nud permanent \
	lladdr "$(ns_exec server ip -j link show veth0 | jq -r ".[].address")"

# assert_tagged INGRESS
assert_tagged()
{
	start_probe server -c "$(probe_config "interfaces: [{name: veth0, ingress: $1}]
output_fields: [l2]")"
	ns_exec client bash -c "for i in {1..$N_PACKETS}; do
		echo >/dev/udp/$(ns_addr4 server)/7777 || exit 1
	done"
	wait_seen $N_PACKETS
	stop_bg PROBE || fail "$1: the probe ended with status $?"
	assert_eq "tags and packets at $1" "77 3 $N_PACKETS" "$(jq -sr '
		map(select(.type == "flow" and .destinationTransportPort == 7777)) |
		"\(map(.vlanId) | unique | join(",")) \(map(.dot1qPriority) | unique | join(",")) " +
		"\(map(.packetDeltaCount) | add)"' "$TEST_DIR/probe.out")"
	assert_ledger '.notices.unknown_tag == 0'
}
assert_tagged tc
assert_tagged xdp
