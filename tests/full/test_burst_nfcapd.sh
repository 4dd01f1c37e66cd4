#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A million Flows that end together leave within two sweep intervals of a second, many Messages in
# a system call, and nfcapd with a receive buffer of 4 MiB stores each of them, every
# Message sound on the wire; the packets that come meanwhile are counted to the last one.
# timeout: 120
export TMPDIR=/dev/shm # nfcapd must not wait for a disk
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/exactness.sh
need nfcapd nfdump ethtool jq

PORT=9995 FLOWS=1000000 MORE=400000 BUFFER=4194304
[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
netns_pair generator observer
ns_mute generator veth0
ns_mute observer veth0
# Else the capture has Messages by the dozen in one packet.
ns_exec observer ethtool -K lo tx-udp-segmentation off
cat >"$TEST_DIR/probe.yaml" <<-END
	interfaces: [{name: veth0, ingress: xdp}]
	flow_cache: {max_flows: 1500000, idle_timeout_s: 4}
	exporters: [{name: nfcapd, address: '127.0.0.1:$PORT'}]
	control: {socket: $PROBE_SOCKET}
END
start_nfcapd "$TEST_DIR/flows" $PORT observer
.output/tests/e2e/grow_buffer "$NFCAPD" $PORT $BUFFER || fail "nfcapd keeps its small buffer"
# As on a machine of its own: whatever else runs here does not hold it up.
chrt --all-tasks --fifo -p 1 "$NFCAPD"
start_probe observer -c "$TEST_DIR/probe.yaml" -v

# generate FIRST N ARG...: N packets, each the only one of its Flow.
generate()
{
	ns_exec generator $GENERATOR -i veth0 -d 02:00:00:00:00:99 -u 100 -o "$1" -f "$2" -n "$2" \
		"${@:3}" >>"$TEST_DIR/sent" || fail "the generator failed"
}

# at_ms CONDITION: the time when it holds for the ledger first.
at_ms()
{
	wait_for "live_ledger | jq -e '$1'" 20
	date +%s%3N
}

# stall_ms: for how long, since the start of the machine, somebody had to wait for a CPU.
stall_ms()
{
	sed -n 's/^some .*total=\([0-9]*\)[0-9]\{3\}$/\1/p' /proc/pressure/cpu 2>/dev/null || true
}

generate 0 $FLOWS
generate $FLOWS $MORE -r 50000 & # eight seconds, which the burst is in
gone_ms=$(at_ms ".exported_flows >= $FLOWS")
stall_before=$(stall_ms)
sent_ms=$(at_ms ".sent_records >= $FLOWS")
stalled=$(($(stall_ms) - stall_before)) # that others held it up is no fault of the probe's
wait $!
[ $((sent_ms - gone_ms)) -le $((2000 + stalled)) ] || fail "the last record left $((sent_ms - gone_ms)) ms after its Flow had ended"
wait_for "live_ledger | jq -e '.in_cache_flows == 0 and .queued_records == 0'" 20
wait_for "ns_exec observer ss -Hlun sport = :$PORT | awk '{exit \$2 > 0}'" 20
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg NFCAPD

assert_eq "datagrams dropped at nfcapd's socket" 0 "$(exactness_udp_drops observer)"
grep -q "Flows: $((FLOWS + MORE)), .* Sequence Errors: 0, Bad Packets: 0" "$TEST_DIR/NFCAPD.log" ||
	fail "nfcapd lacks Flows: $(grep Flows: "$TEST_DIR/NFCAPD.log")"
assert_eq "packets sent" $((FLOWS + MORE)) "$(jq -s 'map(.packets) | add' "$TEST_DIR/sent")"
assert_ledger ".balanced and .seen_packets == $FLOWS + $MORE and .accounted_packets == .seen_packets"
assert_ledger ".overflow_packets == 0 and .sent_records == .seen_packets and .not_sent_records == 0"
