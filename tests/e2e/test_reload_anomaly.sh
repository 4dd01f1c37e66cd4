#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A scanner that is put on the allow-list while its incident is open ends it at once, and
# raises no other; another threshold is in force for the next one, and one for a group of
# networks for those in it; and a dry run that is switched off tells of what goes on.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
. tests/lib/reload.sh
need nmap jq

# scan_from NUMBER PORTS: a scan of the server from 10.77.0.NUMBER
scan_from()
{
	ip -n "$(ns_name client)" addr add "10.77.0.$1/24" dev veth0 2>/dev/null || true
	ns_exec client nmap -n -Pn -S "10.77.0.$1" -e veth0 --disable-arp-ping --max-retries 0 -sS -p "$2" \
		"$(ns_addr4 server)" >"$TEST_DIR/nmap.log" 2>&1 || fail "nmap: $(cat "$TEST_DIR/nmap.log")"
}

# events STATE NUMBER: so many of them are printed of the scanner.
events()
{
	grep '"type":"event"' "$TEST_DIR/probe.out" |
		jq -s "map(select(.state == \"$1\" and .sourceIPv4Address == \"10.77.0.$2\" and (.dryRun | not))) | length"
}

# set_anomaly REST: reload with these anomaly settings besides `enabled`.
set_anomaly()
{
	printf '%s\n' 'interfaces: [{name: veth0, egress: tc}]' "anomaly: {enabled: true, $1}" \
		'flow_cache: {idle_timeout_s: 1, sweep_interval_s: 0.2}' >"$TEST_DIR/probe.yaml"
}
read_again()
{
	set_anomaly "$1"
	./xflowctl --json reload >"$TEST_DIR/reloaded" || fail "not reloaded: $(cat "$TEST_DIR/reloaded")"
}

netns_pair client server
set_anomaly 'dry_run: true'
start_probe server -c "$TEST_DIR/probe.yaml" -o none -v
scan_from 101 1-60
wait_for "./xflowctl --json events | jq -es 'any(.sourceIPv4Address == \"10.77.0.101\")'" 6
assert_eq "events of a dry run" 0 "$(events start 101)"

read_again 'dry_run: false'
assert_reloaded '.keys == ["anomaly.dry_run"]'
wait_for "[ \$(events start 101) = 1 ]" 3
read_again 'allow: [10.77.0.101]'
assert_reloaded '.keys == ["anomaly.allow"]'
# At once: the answer comes after it.
assert_eq "ends" 1 "$(events end 101)"
scan_from 101 100-160
scan_from 102 1-60
wait_for "[ \$(events start 102) = 1 ]" 6
assert_eq "starts of the one that is allowed" 1 "$(events start 101)"

read_again 'allow: [10.77.0.101], scan: {contacts: 500}'
scan_from 103 1-40
wait_for "live_ledger | jq -e '.in_cache_flows == 0'" 6 # it is judged
read_again 'allow: [10.77.0.101], scan: {enabled: false}'
# Groups of networks, all or nothing: one that is in two of them changes neither.
set_anomaly 'scan: {enabled: true}, groups: {a: {networks: [10.77.0.104]}, b: {networks: [10.77.0.104/32]}}'
./xflowctl --json reload >"$TEST_DIR/reloaded" && fail "a network in two groups is taken"
grep -q 'probe.yaml:2:.*anomaly.groups.b.networks: 10.77.0.104/32: is in another group, too' "$TEST_DIR/reloaded" ||
	fail "it is not said where: $(cat "$TEST_DIR/reloaded")"
read_again 'allow: [10.77.0.101], scan: {enabled: true}, groups: {lab: {networks: [10.77.0.104], scan: {contacts: 20}}}'
assert_reloaded '.keys == ["anomaly.scan.enabled", "anomaly.groups"]'
scan_from 104 1-60
wait_for "[ \$(events start 104) = 1 ]" 6
./xflowctl --json events | jq -es 'map(select(.sourceIPv4Address == "10.77.0.104")) |
	length == 1 and .[0].networkGroup == "lab" and .[0].rule == "anomaly.groups.lab.scan.contacts" and .[0].threshold == 20' ||
	fail "the event does not name its group: $(./xflowctl --json events)"
./xflowctl --json explain "$(./xflowctl --json events | jq -r 'select(.networkGroup == "lab").eventId')" |
	jq -e '.silence | startswith("anomaly.groups.lab.scan.contacts above ")' ||
	fail "what would have silenced it is not explained"
assert_eq "starts below the new threshold" 0 "$(events start 103)"
assert_eq "learning" true "$(./xflowctl --json status | jq .anomaly.baseline_learning)"
assert_eq "reloads" 5 "$(./xflowctl --json status | jq .reload.reloads)"
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
