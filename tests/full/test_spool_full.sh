#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What a spool has no room for, because of its bound or because its disk is full, is
# counted to the record, the oldest; the probe goes on, and all others arrive.
# timeout: 150
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
need jq

mkdir "$TEST_DIR/small" "$TEST_DIR/large"
test_mount -t tmpfs -o size=1500k none "$TEST_DIR/small"
away_setup

# check_spool FOLDER MIB: absent for 60000 records, which are 5 MB.
check_spool()
{
	local i lost sent=$flows_sent have

	away_probe "exporters: [{name: far, address: '10.77.1.2:9995',
	  spool: {path: $TEST_DIR/$1, max_mib: $2, max_records_per_s: 50000}}]"
	for i in {1..12}; do
		away_send 5000
	done
	lost=$(of_exporter not_sent_spool_full_records)
	[ "$lost" -gt 30000 ] || fail "only $lost records found no room"
	assert_eq "records kept" $((60000 - lost)) \
		$(($(of_exporter spooled_records) + $(of_exporter queued_records)))
	have=$(du -sb "$TEST_DIR/$1" | cut -f 1)
	[ "$have" -le 1600000 ] || fail "the spool takes $have octets"
	have=$(collected)
	collector_come udp 9995
	wait_exporter '.spooled_records == 0 and .queued_records == 0' 30
	stop_bg PROBE || fail "the probe ended with status $?"
	collector_go
	assert_eq "records that arrived" $((flows_sent - sent - lost)) $(($(collected) - have))
	assert_ledger ".exporters[0].not_sent_spool_full_records == $lost and .not_sent_records == $lost"
	assert_ledger '.balanced and .exporters[0].not_sent_spool_full_packets == .exporters[0].not_sent_spool_full_records'
}

check_spool large 1
check_spool small 256
