#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Flat out: 12 million packets, TCP and UDP, IPv4 and IPv6, of a million Flows,
# as fast as one CPU can make them, through native XDP, while sweeps expire with
# timeouts of a second. To the packet and octet: what was sent and not dropped by
# the veth ring was seen and accounted for, and the records in an IPFIX file add
# up to it.
# timeout: 240
export TMPDIR=/dev/shm # the file grows to 900 MB
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/exactness.sh
need ethtool jq

records=$TEST_DIR/records.ipfix
wire_files+=("$records")
exactness_setup "{name: file, address: $records, transport: file}"
exactness_send -n 12000000
exactness_assert_seen
exactness_stop_probe
exactness_assert_accounted

./xflow-collector-test --read "$records" --summary-only >"$TEST_DIR/summary" ||
	fail "faults in the IPFIX file: $(cat "$TEST_DIR/summary")"
exported=$(probe_ledger | jq -c '[.exported_flows, .exported_packets, .exported_octets]')
assert_eq "records, packets and octets in the file" "$exported" \
	"$(jq -c '[.records, .packets_sum, .octets_sum]' "$TEST_DIR/summary")"
# Sweeps did work under load: a Flow that was told once would be one record.
assert_ledger '.exported_flows > 2000000 and .inserts >= 1000000'
