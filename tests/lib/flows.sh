# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after netns.sh: what send_flows sent, what a Collector stored and what
# the probe printed, all in one form to compare: sorted lines "protocol source
# destination sport dport vlan packets octets", records of one Flow added up.
# shellcheck disable=SC2034 # the sourcing script's
SEND_FLOWS=.output/tests/e2e/send_flows

# ns_mute NS DEV...: the kernel sends nothing there of its own; raw frames only.
ns_mute()
{
	local dev

	for dev in "${@:2}"; do
		ip netns exec "$(ns_name "$1")" sysctl -q -w "net.ipv6.conf.$dev.disable_ipv6=1"
	done
}

# flows_add_up: lines of records on stdin become lines of Flows.
flows_add_up()
{
	awk '{ key = $1 " " $2 " " $3 " " $4 " " $5 " " $6; packets[key] += $7; octets[key] += $8 }
		END { for (key in packets) print key, packets[key], octets[key] }' | sort
}

# flows_sent FILE: of what send_flows printed (several runs add up).
flows_sent()
{
	grep -v '^total' "$1" | flows_add_up
}

# flows_in_json FILE [SELECT]: of JSON lines of the probe or of xflow-collector-test.
flows_in_json()
{
	jq -r "select(.type == \"flow\") | select(${2:-true}) | [.protocolIdentifier,
		.sourceIPv4Address // .sourceIPv6Address,
		.destinationIPv4Address // .destinationIPv6Address, .sourceTransportPort // 0,
		.destinationTransportPort // .icmpTypeCodeIPv4 // .icmpTypeCodeIPv6 // 0,
		.vlanId, .packetDeltaCount, .octetDeltaCount] | join(\" \")" "$1" | flows_add_up
}

# flows_in_nfdump DIR: of what nfcapd stored.
flows_in_nfdump()
{
	nfdump_json "$1" | jq -r '.[] | [.proto, .src4_addr // .src6_addr, .dst4_addr // .dst6_addr,
		.src_port // 0, .dst_port // (.icmp_type * 256 + .icmp_code), .src_vlan,
		.in_packets, .in_bytes] | join(" ")' | flows_add_up
}

# assert_flows WHAT EXPECTED-COMMAND ACTUAL-COMMAND: both print the same lines.
assert_flows()
{
	diff <(eval "$2") <(eval "$3") >"$TEST_DIR/diff" ||
		fail "$1 (< expected, > got):"$'\n'"$(cat "$TEST_DIR/diff")"
}

# probe_ledger: the ledger a stopped probe left on its standard output.
probe_ledger()
{
	grep '^{"type":"ledger"' "$TEST_DIR/probe.out" | tail -n 1
}

# assert_ledger CONDITION [LEDGER]: a jq condition holds for the ledger (default: the final one).
assert_ledger()
{
	local ledger=${2:-$(probe_ledger)}

	[ -n "$ledger" ] || fail "there is no ledger"
	jq -e "$1" <<<"$ledger" >/dev/null || fail "not $1 in the ledger: $ledger"
}

# assert_balanced: the final ledger balances and the cache is empty.
assert_balanced()
{
	assert_ledger .balanced
	assert_ledger '.in_cache_packets == 0 and .in_cache_flows == 0'
}

# live_ledger: asked of the running probe.
live_ledger()
{
	./xflowctl -s "$PROBE_SOCKET" --json ledger
}

# wait_seen N: until the probe has seen N packets.
wait_seen()
{
	wait_for "[ \"\$(live_ledger | jq .seen_packets)\" -ge $1 ]" 10
}

# probe_config LINE...: the YAML lines as a file, whose name is printed.
probe_config()
{
	printf '%s\n' "$@" >"$TEST_DIR/probe.yaml"
	echo "$TEST_DIR/probe.yaml"
}

# start_stamping: from now on each line of the probe's output is also in
# $TEST_DIR/stamped, with a member "printed", the second it came. Ends with the
# probe; `wait_bg STAMP` then.
start_stamping()
{
	bg_stdout=$TEST_DIR/stamped start_bg STAMP bash -c "
		tail -s 0.05 --pid=$PROBE -n +1 -f $TEST_DIR/probe.out | while IFS= read -r line; do
			echo \"\${line%\}},\\\"printed\\\":\$EPOCHREALTIME}\"
		done"
}

# jq_stamped CONDITION [JQ-OPTION...]: holds for the array of all stamped Flow
# lines, in which .start and .end are the Flow's times in seconds.
jq_stamped()
{
	jq -es "${@:2}" 'def seconds: (.[0:19] + "Z" | fromdate) + (.[19:-1] | tonumber);
		map(select(.type == "flow") | .start = (.flowStartMilliseconds | seconds) |
			.end = (.flowEndMilliseconds | seconds)) | '"$1" "$TEST_DIR/stamped" >/dev/null
}
