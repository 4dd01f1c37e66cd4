#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Reloads with NetFlow, groups and spools: NetFlow goes on without a gap or moves to
# another port; one joins those that share records, and another one leaves them; failover
# goes on with whom it had; and what one has spooled is sent by the one that takes its
# place. Each record is where it ought to be, once.
# timeout: 90
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
. tests/lib/reload.sh
need jq nfcapd

# nfcapd_at PORT
nfcapd_at()
{
	mkdir "$TEST_DIR/nf.$1"
	start_bg_in store "NF_$1" nfcapd -C none -w "$TEST_DIR/nf.$1" -p "$1" -t 3600 -I t -v
	wait_port store udp "$1"
}

# assert_nfcapd_at PORT N: ends it; it has N records and missed none.
assert_nfcapd_at()
{
	stop_bg "NF_$1" || true
	grep -q 'Sequence Errors: 0' "$TEST_DIR/NF_$1.log" || fail "nfcapd at $1: $(tail -n 3 "$TEST_DIR/NF_$1.log")"
	assert_eq "records at $1" "$2" "$(nfdump_json "$TEST_DIR/nf.$1" | jq length)"
}

common='groups: {share: {mode: balance}, pair: {mode: failover, stable_s: 86400}}
exporters:
  - {name: nine, address: "10.77.1.2:9981", protocol: netflow9}
  - {name: one, address: "10.77.1.2:9991", group: share}
  - {name: second, address: "10.77.1.2:9995", group: pair}'
first='  - {name: first, address: "10.77.1.2:9994", group: pair}'
far="  - {name: far, address: '10.77.1.2:9996', transport: tcp, reconnect_s: 1, spool: {path: $TEST_DIR/spool"
away_setup
for port in 9981 9982 9983; do
	nfcapd_at $port
done
for port in 9991 9992 9993 9995; do
	collector_at udp $port
done
# The preferred one of the pair is not there.
away_probe "$common" "$first" "$far}}" \
	'  - {name: two, address: "10.77.1.2:9992", group: share}' \
	'  - {name: five, address: "10.77.1.2:9982", protocol: netflow5}'
away_send 2000
wait_for "[ \"\$(exporter second sent_records)\" = 2000 ]" 5
wait_for "[ \"\$(exporter far spooled_records)\" = 2000 ]" 8

reload "$common" "$first" "$far, max_mib: 64}}" \
	'  - {name: two, address: "10.77.1.2:9992", group: share}' \
	'  - {name: three, address: "10.77.1.2:9993", group: share}' \
	'  - {name: five, address: "10.77.1.2:9983", protocol: netflow5}'
assert_reloaded '.kept == ["nine", "one", "second", "first", "two"] and .changed == ["far", "five"] and
	.added == ["three"]'
away_send 3000
# Nobody took over: who had the records goes on.
wait_for "[ \"\$(exporter second sent_records)\" = 5000 ]" 5
assert_eq "found in the spool" 2000 "$(exporter far recovered_records)"
assert_eq "handed over with it" 2000 "$(removed far moved_records)"
two=$(exporter two accepted_records)
live_ledger | jq -e '[.exporters[] | select(.name == "one" or .name == "two") | .accepted_records] |
	add > 2500 and add < 4500' >/dev/null || fail "records are not shared by three: $(live_ledger)"

# One leaves each group; the pair is none any more.
collector_at tcp 9996
reload 'groups: {share: {mode: balance}}' 'exporters:' \
	'  - {name: nine, address: "10.77.1.2:9981", protocol: netflow9}' \
	'  - {name: one, address: "10.77.1.2:9991", group: share}' \
	'  - {name: three, address: "10.77.1.2:9993", group: share}' "$far, max_mib: 64, max_records_per_s: 1000000}}"
assert_reloaded '.kept == ["nine", "one", "three"] and .adjusted == ["far"] and
	.removed == ["second", "first", "two", "five"] and .keys == ["groups"]'
away_send 1000
wait_for "[ \"\$(exporter far sent_records)\" = 6000 ]" 10
assert_eq "records for who left the balance" "$two" "$(removed two sent_records)"
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '.not_sent_records == 0 and .exported_flows == 6000 and .spooled_records == 0'
assert_nfcapd_at 9981 6000
assert_nfcapd_at 9982 2000
assert_nfcapd_at 9983 3000
assert_records_at 9995 5000
assert_records_at 9996 6000
assert_records_at 9992 "$two"
stop_bg AT_9991 || fail "faults at 9991"
stop_bg AT_9993 || fail "faults at 9993"
assert_eq "records shared" 6000 "$(cat "$TEST_DIR"/at.999[123] | jq -s 'map(.records) | add')"
