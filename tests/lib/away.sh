# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after netns.sh and flows.sh: a client, a probe in "server" and Collectors in
# "store", which come and go; every Flow is one record.
# shellcheck disable=SC2034 # the sourcing script's
SEND_PORTS=.output/tests/e2e/send_ports
flows_sent=0
wire_device=veth1
# Nobody listens for a while, and numbers of what is sent again are missing; streams are broken off.
wire_options=(--may-lose --late --cut --reconnect 0.9)
n_collectors=0

# away_setup: client --veth0-- server --veth1-- store.
away_setup()
{
	netns_pair client server
	netns_pair server store 1
	ns_mute client veth0
	ns_mute server veth0
}

# away_probe LINE...: start the probe with these lines of its configuration.
away_probe()
{
	start_probe server -v -c "$(probe_config 'interfaces: [{name: veth0}]' \
		'flow_cache: {idle_timeout_s: 1, sweep_interval_s: 0.2}' "$@")"
}

# away_send N: N Flows of one packet; returns when they are exported.
away_send()
{
	local before

	before=$(live_ledger | jq .exported_flows)
	ns_exec client $SEND_PORTS veth0 "$1"
	flows_sent=$((flows_sent + $1))
	wait_for "live_ledger | jq -e '.exported_flows == $before + $1 and .in_cache_flows == 0'" 30
	assert_ledger .balanced "$(live_ledger)"
}

# collector_come udp|tcp PORT [ARG...]: a Collector with an output of its own.
collector_come()
{
	n_collectors=$((n_collectors + 1))
	start_collector_test "$TEST_DIR/collected.$n_collectors" "$1" "$2" store --summary-only "${@:3}"
}

# collector_go: it ends when it has counted what it received, and found no fault.
collector_go()
{
	stop_bg COLLECTOR || fail "the Collector found faults: $(tail -n 1 "$TEST_DIR/collected.$n_collectors")"
}

# collected: records of all Collectors that have ended.
collected()
{
	find "$TEST_DIR" -name 'collected.*' -exec cat {} + | jq -s 'map(select(.type == "summary").records) | add // 0'
}

# of_exporter KEY [N]: of the N-th exporter in the ledger of the running probe.
of_exporter()
{
	live_ledger | jq ".exporters[${2:-0}].$1"
}

# wait_exporter CONDITION SECONDS: holds for the first exporter.
wait_exporter()
{
	wait_for "live_ledger | jq -e '.exporters[0] | $1'" "$2"
}
