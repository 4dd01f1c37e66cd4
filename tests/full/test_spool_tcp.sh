#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A Collector over TCP that comes late, is stopped, or does not read for a while gets
# every record once; what the end of the probe leaves on disk is sent by the next.
# timeout: 150
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
wire_options+=(--tcp-patience 30) # a reader that stands still
wire_options+=(--reconnect 0) # the next probe knows nothing of the tries of the one before
need jq

config="exporters: [{name: far, address: '10.77.1.2:9995', transport: tcp, reconnect_s: 1,
  spool: {path: $TEST_DIR/spool, max_records_per_s: 1000000}}]"
away_setup
away_probe "$config"
away_send 1000
wait_exporter '.spooled_records == 1000' 8
collector_come tcp 9995
wait_exporter '.sent_records == 1000' 5
away_send 1000
wait_exporter '.sent_records == 2000' 5
collector_go

away_send 3000
wait_exporter '.spooled_records == 3000' 5
collector_come tcp 9995
wait_exporter '.sent_records == 5000' 5

# More than the kernel takes for a reader that stands still.
kill -STOP "$COLLECTOR"
away_send 60000
away_send 60000
wait_exporter '.spooled_records > 0' 30
away_send 1000
kill -CONT "$COLLECTOR"
wait_exporter '.sent_records == 126000 and .spooled_records == 0' 30
collector_go

collector_come tcp 9995
away_send 1000
wait_exporter '.sent_records == 127000' 10
sessions=$(grep -c 'session with .* is up' "$TEST_DIR/PROBE.log")
ns_exec store ss -K state established sport = :9995 >/dev/null # RST
away_send 1000
wait_exporter '.sent_records == 128000' 10
[ "$(grep -c 'session with .* is up' "$TEST_DIR/PROBE.log")" -gt "$sessions" ] || fail "nothing was reset"
collector_go

away_send 2000
stop_bg PROBE || fail "the probe ended with status $?"
assert_ledger '.spooled_records == 2000 and .not_sent_records == 0 and .balanced'
collector_come tcp 9995
away_probe "$config"
wait_exporter '.recovered_records == 2000 and .sent_records == 2000' 10
collector_go
stop_bg PROBE || fail "the probe ended with status $?"
assert_eq "records in all" "$flows_sent" "$(collected)"
