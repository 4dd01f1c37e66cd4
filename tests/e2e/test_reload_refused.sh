#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A file with errors, and one with a key that needs a restart, are refused with file, line
# and column; what is in force stays, with SIGHUP as well, and nothing is lost. Timeouts
# take effect at once, on Flows that are there. Reloads of both sorts are counted.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
. tests/lib/reload.sh
need jq

wire_options=()
away_setup
collector_at udp 9991
stays='exporters: [{name: stays, address: "10.77.1.2:9991"}]'
away_probe "$stays"
away_send 500
wait_exporter ".sent_records == 500" 5
before=$(live_ledger | jq -c '.exporters[0] | [.sent_records, .sequence]')

# assert_told PATTERN: it is in the answer, and in the log as well.
assert_told()
{
	grep -q "$1" "$TEST_DIR/refused" || fail "not told: $1: $(cat "$TEST_DIR/refused")"
	grep -q "$1" "$TEST_DIR/PROBE.log" || fail "not in the log: $1"
}
refused 'exporters: [{name: other, mtus: 1400, address: "10.77.1.2:9992"}]'
assert_told 'probe.yaml:3:27: exporters\[0\].mtus: unknown key, perhaps mtu is meant'
refused 'exporters: [{name: other, address: "10.77.1.2"}]'
assert_told 'probe.yaml:3:36: exporters\[0\].address: 10.77.1.2: no port; write HOST:PORT'
refused 'exporters: [{name: other, profile: nfdump, mtu: 500, address: "10.77.1.2:9992"}]'
assert_told 'probe.yaml:3:36: exporters\[0\].profile: nfdump: not one of the words'
assert_told 'probe.yaml:3:49: exporters\[0\].mtu: 500: out of range'
refused "$stays" 'enterprise_number: 29305'
assert_told 'probe.yaml:4:20: enterprise_number: 29305 is taken'
refused 'exporters: ['
assert_told 'not YAML'
refused 'flow_cache: {max_flows: 2048}' "$stays"
assert_told 'flow_cache: the key is here a second time'
refused 'exporters: [{name: other, address: "10.77.1.2:9992", fields: [state, l2]}]'
assert_told 'probe.yaml:3:62: exporters\[0\].fields: a new value needs a restart of the probe'
refused "exporters: [{name: file, address: $TEST_DIR/nowhere/file, transport: file}]"
assert_told "exporter file: create $TEST_DIR/nowhere/file: No such file or directory"
assert_told 'probe.yaml:3:35: exporters\[0\].address: cannot be used; make its folder writable'
refused 'exporters: [{name: other, address: "10.77.1.2:9992", spool: {path: /proc/spool}}]'
assert_told 'exporter other: .*spool'
assert_told 'probe.yaml:3:68: exporters\[0\].spool.path: cannot be used'
refused 'anomaly: {enabled: true}'
assert_told 'probe.yaml:3:20: anomaly.enabled: a new value needs a restart'
rm "$TEST_DIR/probe.yaml"
! ./xflowctl reload >"$TEST_DIR/refused" 2>&1 || fail "reads a file that is not there"
assert_told "read configuration $TEST_DIR/probe.yaml: No such file"
mkfifo "$TEST_DIR/probe.yaml"
! ./xflowctl reload >"$TEST_DIR/refused" 2>&1 || fail "waits for a pipe"
assert_told "probe.yaml is not a file that can be read again"
rm "$TEST_DIR/probe.yaml"

# All that needs a restart is told of, and by SIGHUP too.
probe_config 'observation_domain_id: 2' 'interfaces:' '  - name: veth0' '    egress: tc' '  - name: lo' \
	'flow_cache: {idle_timeout_s: 5}' 'control: {socket: /run/other.sock}' >/dev/null
kill -HUP "$PROBE"
wait_for "./xflowctl --json status | jq -e '.reload.failed == 13'" 5
for place in 1:24:.observation_domain_id 4:13:.interfaces\\[0\\].egress 5:11:.interfaces\\[1\\].name \
	7:19:.control.socket; do
	grep -q "probe.yaml:$place: a new value needs a restart of the probe" "$TEST_DIR/PROBE.log" ||
		fail "not told: $place"
done
assert_eq "sent meanwhile" "$before" "$(live_ledger | jq -c '.exporters[0] | [.sent_records, .sequence]')"
away_send 500

# A timeout of a minute, on a Flow that is there, and back again.
probe_config 'interfaces: [{name: veth0}]' \
	'flow_cache: {idle_timeout_s: 60, active_timeout_s: 60, sweep_interval_s: 1}' "$stays" >/dev/null
kill -HUP "$PROBE"
wait_for "./xflowctl --json status | jq -e '.reload.reloads == 1'" 5
ns_exec client $SEND_PORTS veth0 100
wait_for "live_ledger | jq -e '.in_cache_flows == 100'" 5
sleep 2.5 # sweeps that leave them
live_ledger | jq -e '.in_cache_flows == 100' >/dev/null || fail "the longer timeout is not in force"
reload "$stays" 'log: {format: json}'
assert_reloaded '.kept == ["stays"] and
	.keys == ["flow_cache.idle_timeout_s", "flow_cache.sweep_interval_s", "log.format"]'
tail -n 1 "$TEST_DIR/PROBE.log" | jq -e '.type == "log" and (.message | test("1 kept"))' >/dev/null ||
	fail "the log is not in JSON: $(tail -n 1 "$TEST_DIR/PROBE.log")"
wait_for "live_ledger | jq -e '.in_cache_flows == 0'" 3
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '.not_sent_records == 0 and .sent_records == 1100'
assert_records_at 9991 1100

# Without a file there is nothing to read.
start_probe server -i veth0
! ./xflowctl reload >"$TEST_DIR/refused" 2>&1 || fail "reads no file"
assert_told 'there is no configuration to read again: the probe was started without -c FILE'
stop_bg PROBE
