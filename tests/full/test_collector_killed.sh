#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Collectors over UDP and TCP that are ended with SIGKILL, while they wait and while Flows
# arrive: what each had read, the next one's records and the ledger agree to the record.
# timeout: 90
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
need jq

# come N: the N-th pair of Collectors, each with a line for every record it has read.
come()
{
	wire_record store 9995
	wire_record store 9996
	bg_stdout=$TEST_DIR/udp.$1 start_bg_in store UDP ./xflow-collector-test --udp 9995 --lenient
	bg_stdout=$TEST_DIR/tcp.$1 start_bg_in store TCP ./xflow-collector-test --tcp 9996 --lenient
	wait_port store udp 9995
	wait_port store tcp 9996
}

# die: both are killed, and say nothing of it.
die()
{
	local name

	for name in UDP TCP; do
		! stop_bg $name KILL 2>/dev/null || fail "the Collector over $name survived SIGKILL"
	done
}

# had udp|tcp: records that all Collectors of the kind have read.
had()
{
	cat "$TEST_DIR/$1".* | grep -c '"type":"flow"' || true
}

# wait_sent N: both have got N records, by the ledger and by what they have read.
wait_sent()
{
	wait_for "live_ledger | jq -e 'all(.exporters[]; .sent_records == $1 and
		.queued_records == 0 and .spooled_records == 0)'" 40
	wait_for "[ \$(had udp) -eq $1 ] && [ \$(had tcp) -eq $1 ]" 5
}

away_setup
come 1
away_probe 'exporters:' \
	"- {name: u, address: '10.77.1.2:9995', spool: {path: $TEST_DIR/spool, max_records_per_s: 1000000}}" \
	"- {name: t, address: '10.77.1.2:9996', transport: tcp, reconnect_s: 1,
    spool: {path: $TEST_DIR/spool, max_records_per_s: 1000000}}"
away_send 1000
wait_sent 1000
wait_exporter '.templates_sent >= 8' 10 # both early copies: whoever comes late has others

# They wait for more.
die
away_send 3000
wait_for "live_ledger | jq -e 'all(.exporters[]; .sent_records == 1000 and .spooled_records == 3000)'" 15
come 2
away_send 500
wait_sent 4500

# In the middle of it. What was read by nobody, but had arrived, is gone with them and told
# as sent; nothing is there twice.
start_bg_in client SENDER $SEND_PORTS veth0 20000
wait_for "[ \$(had udp) -gt 6000 ] && [ \$(had tcp) -gt 6000 ]" 10
die
wait_bg SENDER
flows_sent=$((flows_sent + 20000))
come 3
sent_all()
{
	live_ledger | jq -e "all(.exporters[]; .sent_records == $flows_sent)"
}
wait_for sent_all 40
stop_bg PROBE || fail "the probe ended with status $?"
assert_ledger '.balanced and .not_sent_records == 0'
for name in udp tcp; do
	[ "$(had $name)" -le $flows_sent ] || fail "$(had $name) records over $name, of $flows_sent"
done
