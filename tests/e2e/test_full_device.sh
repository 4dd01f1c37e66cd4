#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A device towards the Collector that takes less than is sent, and says so (ENOBUFS), delays
# records but loses none, without a spool.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
wire_options=()
need jq tc

away_setup
collector_come udp 9995
away_probe "exporters: [{name: far, address: '10.77.1.2:9995'}]"
away_send 500
wait_exporter '.sent_records == 500' 5
# Of the thousand datagrams that are to go there at once, eight hundred in a second; room for four.
ns_exec server tc qdisc add dev veth1 root tbf rate 10mbit burst 3000 limit 6000
away_send 20000
wait_exporter '.sent_records == 20500 and .queued_records == 0' 20
dropped=$(ns_exec server tc -s -j qdisc show dev veth1 | jq '.[0].drops')
[ "$dropped" -gt 0 ] || fail "the device took all at once"
away_send 1000
stop_bg PROBE || fail "the probe ended with status $?"
sleep 0.2 # what is still in the device
collector_go
assert_eq "records in all" 21500 "$(collected)"
assert_ledger '.not_sent_records == 0 and .balanced and .exporters[0].send_errors == 0'
