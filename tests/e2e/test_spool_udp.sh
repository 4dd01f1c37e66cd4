#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A Collector over UDP that is stopped and started again gets every record once, though
# the probe is killed with SIGKILL while it spools; Templates are there before data, and
# again when xflowctl asks for them.
# timeout: 120
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
need jq

config="exporters: [{name: far, address: '10.77.1.2:9995', spool: {path: $TEST_DIR/spool, max_mib: 4}}]"
away_setup
collector_come udp 9995
away_probe "$config"
away_send 500
wait_exporter '.sent_records == 500' 5
copies=$(of_exporter templates_sent)
./xflowctl -s $PROBE_SOCKET --json templates --send | jq -e '.sent_again and .template_ids[0] == 256' >/dev/null ||
	fail "templates --send was not understood"
wait_for "[ \"\$(of_exporter templates_sent)\" -gt $copies ]" 2
collector_go
assert_eq "records before" 500 "$(collected)"

away_send 2000
away_send 3000
wait_exporter '.spooled_records == 5000 and .queued_records == 0' 5
assert_eq "records sent to nobody" 500 "$(of_exporter sent_records)"
# In the middle of it: what was exported last may still be in memory.
start_bg_in client SENDER $SEND_PORTS veth0 20000
wait_exporter '.spooled_records > 5000' 10
wait_bg SENDER
known=$(of_exporter spooled_records)
stop_bg PROBE KILL && fail "the probe survived SIGKILL"
cp "$TEST_DIR/PROBE.log" "$TEST_DIR/killed.log"

away_probe "$config"
recovered=$(of_exporter recovered_records)
[ "$recovered" -ge "$known" ] || fail "$known records were on disk, $recovered were found"
away_send 700
collector_come udp 9995
away_send 800
wait_exporter '.spooled_records == 0 and .queued_records == 0' 30
collector_go
stop_bg PROBE || fail "the probe ended with status $?"
assert_eq "records in all" $((500 + recovered + 700 + 800)) "$(collected)"
assert_ledger '.not_sent_records == 0 and .balanced and .spooled_records == 0'
assert_eq "files left" 0 "$(find "$TEST_DIR/spool" -name '*.ipfix' | wc -l)"
