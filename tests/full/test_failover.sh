#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Of a failover group the first Collector that is there has the records; the other one
# takes over when it is stopped, gives back when it was there long enough, and between
# them they have every record once. Balanced ones have both directions of a Flow each.
# timeout: 120
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
need jq

away_setup
start_second()
{
	wire_record store 9996
	bg_stdout=$TEST_DIR/collected.second start_bg_in store SECOND \
		./xflow-collector-test --udp 9996 --summary-only
	wait_port store udp 9996
}
collector_come tcp 9995
start_second
away_probe 'groups: {pair: {mode: failover, stable_s: 3}}' 'exporters:' \
	'- {name: first, address: "10.77.1.2:9995", transport: tcp, reconnect_s: 1, group: pair}' \
	'- {name: second, address: "10.77.1.2:9996", group: pair}'
away_send 1000
wait_exporter '.sent_records == 1000' 5
collector_go
away_send 2000
wait_for "[ \"\$(of_exporter sent_records 1)\" = 2000 ]" 5
collector_come tcp 9995
wait_for "grep -q 'group pair: first takes over from second' $TEST_DIR/PROBE.log" 15
away_send 500
wait_exporter '.sent_records == 1500' 5
collector_go
stop_bg SECOND
# Nobody is there: they wait.
away_send 700
wait_exporter '.queued_records > 0' 5
start_second
wait_for "[ \"\$(of_exporter sent_records 1)\" = 2700 ]" 25
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg SECOND || fail "the second Collector found faults: $(tail -n 1 "$TEST_DIR/collected.second")"
assert_ledger '.balanced and .not_sent_records == 0 and .sent_records == .exported_flows'
assert_eq "sent" 4200 "$(probe_ledger | jq .sent_records)"
