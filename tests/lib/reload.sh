# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after netns.sh, flows.sh and away.sh: a probe whose configuration is changed
# while it runs, and several Collectors in "store".

# collector_at UDP|TCP PORT: its summary goes to $TEST_DIR/at.PORT.
collector_at()
{
	wire_record store "$2"
	bg_stdout=$TEST_DIR/at.$2 start_bg_in store "AT_$2" ./xflow-collector-test "--$1" "$2" --summary-only
	wait_port store "$1" "$2"
}

# assert_records_at PORT N: ends that Collector, which has found no fault and has N records.
assert_records_at()
{
	stop_bg "AT_$1" || fail "the Collector at $1 found faults: $(tail -n 1 "$TEST_DIR/at.$1")"
	assert_eq "records at $1" "$2" "$(jq -s 'map(select(.type == "summary").records) | add' "$TEST_DIR/at.$1")"
}

# reconfigure LINE...: write the lines as the configuration away_probe was given; besides,
# more_cache is more of flow_cache.
reconfigure()
{
	probe_config 'interfaces: [{name: veth0}]' \
		"flow_cache: {idle_timeout_s: 1, sweep_interval_s: 0.2${more_cache:-}}" "$@" >/dev/null
}

# reload LINE...: the same, and have it read; what was done is in $TEST_DIR/reloaded.
reload()
{
	reconfigure "$@"
	./xflowctl -s "$PROBE_SOCKET" --json reload >"$TEST_DIR/reloaded" ||
		fail "not reloaded: $(cat "$TEST_DIR/reloaded")"
}

# assert_reloaded CONDITION: a jq condition holds for what was done.
assert_reloaded()
{
	jq -e "$1" "$TEST_DIR/reloaded" >/dev/null || fail "not $1: $(cat "$TEST_DIR/reloaded")"
}

# refused LINE...: the same is not taken; the errors are in $TEST_DIR/refused.
refused()
{
	local status=0

	reconfigure "$@"
	./xflowctl -s "$PROBE_SOCKET" reload >"$TEST_DIR/refused" 2>&1 || status=$?
	assert_eq "exit status of reload" 1 $status
	grep -q 'not reloaded: the configuration in force stays' "$TEST_DIR/refused" ||
		fail "does not say what is in force: $(cat "$TEST_DIR/refused")"
}

# exporter NAME MEMBER: of the running probe's ledger; of all that had the name, the one in force.
exporter()
{
	live_ledger | jq "[.exporters[] | select(.name == \"$1\" and (.removed | not))][0].$2"
}

# removed NAME MEMBER: of the one of that name that a reload took out.
removed()
{
	live_ledger | jq "[.exporters[] | select(.name == \"$1\" and .removed)][0].$2"
}
