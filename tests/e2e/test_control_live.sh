#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xflowctl tells status, ledger, Flows and the largest of a probe under load; the
# ledger balances each of twenty times while packets come, and filters choose.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

N_READINGS=20
netns_pair client server
ns_mute client veth0
start_nfcapd "$TEST_DIR/flows" 9995 server
start_probe server -c "$(probe_config 'interfaces: [{name: veth0}]' 'flow_cache:' \
	'  active_timeout_s: 1' '  idle_timeout_s: 1' '  sweep_interval_s: 0.1' \
	'exporters: [{address: "127.0.0.1:9995"}]')"
bg_stdout=$TEST_DIR/sent start_bg_in client SENDER $SEND_FLOWS veth0 0
wait_seen 1

# At least so many, and on until Flows were exported between them.
for ((i = 0; i < 400; i++)); do
	# Flows that come and go meanwhile, too.
	ns_exec client .output/tests/e2e/send_ports veth0 2000
	live_ledger >>"$TEST_DIR/ledgers"
	[ $i -lt $N_READINGS ] || ! jq -se '.[-1].exported_flows > .[0].exported_flows' \
		"$TEST_DIR/ledgers" >/dev/null || break
done
jq -se --argjson n $N_READINGS 'length > $n and all(.balanced)' "$TEST_DIR/ledgers" >/dev/null ||
	fail "a ledger under load does not balance: $(jq -c 'select(.balanced | not)' "$TEST_DIR/ledgers")"
jq -se '[.[:-1], .[1:]] | transpose | all(.[0].seen_packets < .[1].seen_packets)' \
	"$TEST_DIR/ledgers" >/dev/null || fail "there was no load"
jq -se '.[-1].exported_flows > .[0].exported_flows' "$TEST_DIR/ledgers" >/dev/null ||
	fail "nothing was exported meanwhile"

live_ledger | jq -e '[.seen_packets, .seen_octets, .accounted_packets, .overflow_packets,
	.in_cache_packets, .exported_packets, .exported_flows, .sent_records, .spooled_records,
	.not_sent_records, .reasons.not_ip, .reasons.truncated, .reasons.bad_version,
	.reasons.bad_header_length, .reasons.bad_total_length, .reasons.too_deep] |
	all(type == "number")' >/dev/null || fail "the ledger lacks a member: $(live_ledger)"
./xflowctl --json status | jq -e '.type == "status" and .version and .uptime_s > 0 and
	.interfaces[0].name == "veth0" and .flow_cache.flows_ipv4 > 0 and .sweep.sweeps > 0' \
	>/dev/null || fail "status: $(./xflowctl --json status)"
for words in status ledger flows top 'top hosts' 'top ports'; do
	# shellcheck disable=SC2086 # words
	./xflowctl $words >"$TEST_DIR/table" || fail "xflowctl $words: exit status $?"
	[ "$(wc -l <"$TEST_DIR/table")" -ge 2 ] || fail "xflowctl $words prints next to nothing"
done
./xflowctl ledger | grep -qw balanced || fail "xflowctl ledger does not say balanced"

# assert_lines N CONDITION ARGUMENT...: xflowctl prints N lines, and all meet the condition.
assert_lines()
{
	./xflowctl --json "${@:3}" >"$TEST_DIR/lines"
	jq -se --argjson n "$1" "length == \$n and all($2)" "$TEST_DIR/lines" >/dev/null ||
		fail "xflowctl ${*:3}: not $1 with $2: $(head -n 3 "$TEST_DIR/lines")"
}
stop_bg SENDER
wait_for "live_ledger | jq -e '.in_cache_flows == 0'" 10
start_bg_in client AGAIN $SEND_FLOWS veth0 0 100
wait_for "[ \$(./xflowctl --json flows | wc -l) = 16 ]" 5
assert_lines 16 '.type == "flow" and .packetDeltaCount > 0 and .flowId > 0' flows
assert_lines 7 '.vlanId == 0 and .sourceIPv4Address' flows ipv4 vlan 0
assert_lines 1 '.destinationTransportPort == 443 and .vlanId == 42' flows proto tcp dst port 443 vlan 42
assert_lines 1 '.sourceIPv4Address == "10.1.0.2"' flows src host 10.1.0.2
assert_lines 6 '.sourceIPv6Address == "fd01::1"' flows net fd01::/16 not proto icmpv6
assert_lines 0 'false' flows packets '>' 1000000
assert_lines 3 '.octetDeltaCount > 0' top flows 3
if ./xflowctl flows nonsense >"$TEST_DIR/table" 2>&1; then
	fail "a filter that is none is taken"
fi
stop_bg AGAIN
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg NFCAPD
