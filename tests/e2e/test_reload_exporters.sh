#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Exporters are added, changed and removed while the probe runs: the one that goes has
# all that was due, one that comes Templates first and what comes after, one that is
# changed both, and the one that stays notices nothing. Each record is there once.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
. tests/lib/reload.sh
need jq

# Of each session there is all, from Sequence Number 0 to the end.
wire_options=(--reconnect 0.1) # a new session, not a new attempt
away_setup
for port in 9991 9992 9993 9994 9995 9996; do
	collector_at udp $port
done
collector_at tcp 9997
stays='  - {name: stays, address: "10.77.1.2:9991", fields: [state]}'
slow='max_records_per_s: 1500'
away_probe 'exporters:' "$stays" \
	"  - {name: goes, address: '10.77.1.2:9992', $slow}" \
	"  - {name: moves, address: '10.77.1.2:9993', $slow}" \
	"  - {name: richer, address: '10.77.1.2:9995', $slow}" \
	'  - {name: tcp, address: "10.77.1.2:9997", transport: tcp}' \
	"  - {name: file, address: $TEST_DIR/file, transport: file}"
away_send 3000
copies=$(exporter stays templates_sent)
[ "$(exporter goes queued_records)" -gt 500 ] || fail "nothing is queued at the one that goes"
reload 'exporters:' "$stays" \
	'  - {name: comes, address: "10.77.1.2:9996", fields: [state]}' \
	"  - {name: moves, address: '10.77.1.2:9994', $slow}" \
	"  - {name: richer, address: '10.77.1.2:9995', fields: [state], biflow: rfc5103}" \
	'  - {name: tcp, address: "10.77.1.2:9997", transport: tcp, fields: [state]}' \
	"  - {name: file, address: $TEST_DIR/file.second, transport: file}" \
	"  - {name: again, address: $TEST_DIR/again, transport: file}"
assert_reloaded '.kept == ["stays"] and .added == ["comes", "again"] and .removed == ["goes"] and
	.changed == ["moves", "richer", "tcp", "file"]'
away_send 2000
assert_eq "Templates of the one that stays" "$copies" "$(exporter stays templates_sent)"
wait_for "[ \"\$(removed goes sent_records)\" = 3000 ]" 6
wait_for "[ \"\$(removed moves sent_records)\" = 3000 ]" 6
wait_for "[ \"\$(removed richer sent_records)\" = 3000 ]" 6
assert_eq "left with the one that goes" 0 "$(removed goes queued_records)"
wait_for "[ \"\$(exporter moves sent_records)\" = 2000 ]" 6
# The same file once more.
reload 'exporters:' "$stays" "  - {name: file, address: $TEST_DIR/again, transport: file, fields: [state]}"
assert_reloaded '.kept == ["stays"] and .changed == ["file"] and .removed == ["comes", "moves", "richer", "tcp", "again"]'
away_send 500
./xflowctl status | grep -A2 '^reload' | grep -q 'reloads  *2' || fail "status: $(./xflowctl status)"
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '.not_sent_records == 0 and .exported_flows == 5500'
# Of 9995 and 9997 those of two sessions.
for expected in 9991:5500 9992:3000 9993:3000 9994:2000 9995:5000 9996:2000 9997:5000; do
	assert_records_at "${expected%:*}" "${expected#*:}"
done
for expected in file:3000 file.second:2000 again:500; do
	assert_eq "records in ${expected%:*}" "${expected#*:}" \
		"$(./xflow-collector-test --read "$TEST_DIR/${expected%:*}" --summary-only | jq -s 'last.records')"
done
