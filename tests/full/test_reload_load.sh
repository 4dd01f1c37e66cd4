#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A dozen reloads while packets come: exporters come, go and change, the one that stays has
# every record and no gap, the others those of their time, and the ledger balances at each.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
. tests/lib/reload.sh
need jq

wire_options=()
away_setup
for port in 9991 9992 9993; do
	collector_at udp $port
done
stays='  - {name: stays, address: "10.77.1.2:9991"}'
# changing N: what else there is, in turn
changing()
{
	case $(($1 % 4)) in
	0) echo '  - {name: other, address: "10.77.1.2:9992"}' ;;
	1) echo '  - {name: other, address: "10.77.1.2:9992", fields: [state], biflow: rfc5103}' ;;
	2) echo '  - {name: third, address: "10.77.1.2:9993", fields: [state]}' ;;
	esac
}
more_cache=', active_timeout_s: 1'
reconfigure 'exporters:' "$stays"
start_probe server -v -c "$TEST_DIR/probe.yaml"
start_bg_in client SENDER bash -c "while :; do $SEND_PORTS veth0 500; done"
for n in $(seq 12); do
	reload 'exporters:' "$stays" "$(changing "$n")"
	assert_ledger .balanced "$(live_ledger)"
	before=$(live_ledger | jq .exported_flows)
	wait_for "live_ledger | jq -e '.exported_flows > $before'" 5
done
kill "$SENDER" 2>/dev/null || true
wait_bg SENDER || true
wait_for "live_ledger | jq -e '.in_cache_flows == 0'" 10
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '.not_sent_records == 0 and .exported_flows > 1000'
assert_records_at 9991 "$(probe_ledger | jq .exported_flows)"
for name in other:9992 third:9993; do
	accepted=$(probe_ledger | jq "[.exporters[] | select(.name == \"${name%:*}\") | .accepted_records] | add")
	[ "$accepted" -gt 0 ] || fail "${name%:*} had nothing"
	assert_records_at "${name#*:}" "$accepted"
done
