#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# At the pace nfcapd can take beside the probe on one CPU: the same mix of a
# million Flows, and what nfcapd stored adds up to what was exported, to the
# packet and octet, with no datagram dropped and no Sequence Error.
# timeout: 120
export TMPDIR=/dev/shm # nfcapd must not wait for a disk
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/exactness.sh
need nfcapd nfdump ethtool jq

PORT=9995
# The cap holds as well when the probe has to catch up: nfcapd gets its turn.
exactness_setup "{name: nfcapd, address: '127.0.0.1:$PORT', max_records_per_s: 300000}" \
	"start_nfcapd $TEST_DIR/flows $PORT observer"
.output/tests/e2e/grow_buffer "$NFCAPD" $PORT 8000000 || fail "nfcapd keeps its small buffer"
exactness_send -n 2400000 -r 200000
exactness_assert_seen
# The Flows end by themselves and leave at their pace; stopping would send all at once.
wait_for "live_ledger | jq -e '.in_cache_flows == 0 and .queued_records == 0'" 30
exactness_stop_probe
exactness_assert_accounted

# All has been sent; nfcapd may still have datagrams to read.
wait_for "ns_exec observer ss -Hlun sport = :$PORT | awk '{exit \$2 > 0}'" 20
stop_bg NFCAPD
assert_eq "datagrams dropped at nfcapd's socket" 0 "$(exactness_udp_drops observer)"
grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/NFCAPD.log" || fail "nfcapd found faults"
exported=$(probe_ledger | jq -r '"\(.exported_flows) \(.exported_packets) \(.exported_octets)"')
assert_eq "records, packets and octets in nfcapd's files" "$exported" \
	"$(nfdump -C none -R "$TEST_DIR/flows" -I |
		awk '/^Flows:/ {f = $2} /^Packets:/ {p = $2} /^Bytes:/ {b = $2} END {print f, p, b}')"
