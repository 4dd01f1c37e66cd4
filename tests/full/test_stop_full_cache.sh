#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Stopped with 300,000 Flows in its cache, the probe sends them within seconds, and
# nfcapd, with the receive buffer that it has by default, stores each of them.
# timeout: 90
export TMPDIR=/dev/shm # nfcapd must not wait for a disk
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/exactness.sh
need nfcapd nfdump ethtool jq

FLOWS=300000
netns_pair generator observer
ns_mute generator veth0
ns_mute observer veth0
start_nfcapd "$TEST_DIR/flows" 9995 observer
# As on a machine of its own: whatever else runs here does not hold it up.
chrt --all-tasks --fifo -p 1 "$NFCAPD"
start_probe observer -v -c "$(probe_config 'interfaces: [{name: veth0, ingress: xdp}]' \
	'flow_cache: {max_flows: 1500000, idle_timeout_s: 600}' \
	'exporters: [{name: nfcapd, address: "127.0.0.1:9995"}]')"
ns_exec generator $GENERATOR -i veth0 -d 02:00:00:00:00:99 -u 100 -f $FLOWS -n $FLOWS \
	>"$TEST_DIR/sent" || fail "the generator failed"
wait_seen $FLOWS
start_ms=$(date +%s%3N)
stop_bg PROBE || fail "the probe ended with status $?"
took_ms=$(($(date +%s%3N) - start_ms))
# two, unless the machine is busy
[ $took_ms -lt 10000 ] || fail "the end took $took_ms ms"
wait_for "ns_exec observer ss -Hlun sport = :9995 | awk '{exit \$2 > 0}'" 20
stop_bg NFCAPD

assert_eq "datagrams dropped at nfcapd's socket" 0 "$(exactness_udp_drops observer)"
grep -q "Flows: $FLOWS, .* Sequence Errors: 0, Bad Packets: 0" "$TEST_DIR/NFCAPD.log" ||
	fail "nfcapd lacks Flows: $(grep Flows: "$TEST_DIR/NFCAPD.log")"
assert_ledger ".balanced and .overflow_packets == 0 and .sent_records == $FLOWS and .not_sent_records == 0"
