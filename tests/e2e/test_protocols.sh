#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Totals of protocols add up to what was sent, live and of a file; xflowctl switches
# a protocol off and on again while packets come, and each is in the ledger.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

ROUNDS=20
netns_pair client server
ns_mute client veth0
ns_mute server veth0

# send: ROUNDS of each Flow, seen by the probe; what was sent adds up in $TEST_DIR/sent.
n_sent=0
send()
{
	ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/round"
	cat "$TEST_DIR/round" >>"$TEST_DIR/sent"
	n_sent=$((n_sent + ROUNDS * 16))
	wait_seen $n_sent
}

# sent FILE: "protocol packets octets" of each protocol.
sent()
{
	grep -v '^total' "$1" |
		awk '{ packets[$1] += $7; octets[$1] += $8 }
			END { for (p in packets) print p, packets[p], octets[p] }' | sort -n
}

# told [SELECT]: the same of what the probe tells.
told()
{
	./xflowctl --json protocols | jq -r "select(.packets > 0) |
		[.protocolIdentifier, .packets, .octets] | join(\" \")"
}

start_probe server -c "$(probe_config 'interfaces: [{name: veth0}]' 'flow_cache:' \
	'  protocols: all' '  idle_timeout_s: 1' '  active_timeout_s: 1' '  sweep_interval_s: 0.1')"
send
assert_flows "all are on" "sent $TEST_DIR/sent" told
# some are exported now, some not
sleep 0.5
assert_flows "while records leave" "sent $TEST_DIR/sent" told

./xflowctl --json protocols udp off | jq -e '.switch == "off" and .protocolIdentifier == 17' \
	>/dev/null || fail "udp is not switched off"
send
n_off=$(grep -c '^17 ' "$TEST_DIR/round")
assert_eq "packets of UDP while it was off" $((n_off * ROUNDS)) \
	"$(./xflowctl --json protocols udp | jq .off_packets)"
assert_eq "octets of UDP while it was off" "$(sent "$TEST_DIR/round" | awk '$1 == 17 { print $3 }')" \
	"$(./xflowctl --json protocols 17 | jq .off_octets)"
./xflowctl protocols | grep -q '^udp *off' || fail "not in the table: $(./xflowctl protocols)"
cp "$TEST_DIR/sent" "$TEST_DIR/all"
grep -v '^17 ' "$TEST_DIR/round" | cat <(head -n 16 "$TEST_DIR/all") - >"$TEST_DIR/sent"
assert_flows "without UDP of the second time" "sent $TEST_DIR/sent" told

./xflowctl protocols udp on >/dev/null
send
assert_flows "UDP is on again" "sent $TEST_DIR/sent" told
if ./xflowctl protocols udp of >"$TEST_DIR/out" 2>&1; then
	fail "a word that is none is taken"
fi
stop_bg PROBE || fail "the probe ended with status $?"
grep -q 'protocol 17 is switched off' "$TEST_DIR/PROBE.log" || fail "the log does not say so"
assert_balanced
assert_ledger ".reasons.protocol_off == $n_off * $ROUNDS and .seen_packets == $n_sent"
assert_ledger '([.protocol_packets[]] | add) == .accounted_packets and
	([.protocol_octets[]] | add) == .accounted_ip_octets'
assert_flows "records" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"

# Without the key there is nothing to switch.
start_probe server -i veth0
if ./xflowctl protocols udp off >"$TEST_DIR/out" 2>&1; then
	fail "udp was switched off without flow_cache.protocols"
fi
grep -q "flow_cache.protocols is .fixed." "$TEST_DIR/out" ||
	fail "not told why: $(cat "$TEST_DIR/out")"
n_sent=0
send
assert_eq "switches" '["fixed"]' "$(./xflowctl --json protocols | jq -sc 'map(.switch) | unique')"
stop_bg PROBE

# A file, of what was just sent; the list leaves protocols out from its first packet on.
start_bg_in server CAPTURE dumpcap -q -P -i veth0 -w "$TEST_DIR/sent.pcap"
wait_for "grep -q '^File:' $TEST_DIR/CAPTURE.log" 10
ns_exec client $SEND_FLOWS veth0 $ROUNDS >"$TEST_DIR/round"
sleep 0.5
stop_bg CAPTURE INT
./xflow-probe -c "$(probe_config 'flow_cache: {protocols: [tcp, 47]}')" -r "$TEST_DIR/sent.pcap" \
	>"$TEST_DIR/probe.out"
grep -E '^(6|47) ' "$TEST_DIR/round" >"$TEST_DIR/sent"
assert_flows "of a file" "flows_sent $TEST_DIR/sent" "flows_in_json $TEST_DIR/probe.out"
assert_balanced
assert_ledger ".seen_packets == 16 * $ROUNDS and
	.reasons.protocol_off == .seen_packets - .accounted_packets and
	(.protocol_packets | keys == [\"gre\", \"tcp\"] and add == $(awk '{ n += $7 } END { print n }' "$TEST_DIR/sent"))"
