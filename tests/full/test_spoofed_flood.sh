#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A SYN flood from a million forged sources: in a capture, with a Flow Cache that holds
# all of it; and through XDP, with one that holds a sixteenth, while nmap scans. The
# flood is one event with its target and rate, likely spoofed; the scan is told of and no
# other; the ledger balances; the daemon's memory does not grow.
# timeout: 300
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/spoofed.sh
need jq nmap python3 taskset

spoofed_read 1000000 100000 1500000 "$TEST_DIR/large.out" >"$TEST_DIR/large.rss"
spoofed_assert "$TEST_DIR/large.out" 1000000 100000
grep '^{' "$TEST_DIR/large.out" |
	jq -se 'map(select(.type == "ledger"))[0].overflow_packets == 0' >/dev/null ||
	fail "the cache was to hold all of it"

[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
netns_pair generator observer
ns_mute generator veth0
ns_mute observer veth0
cat >"$TEST_DIR/probe.yaml" <<-END
	interfaces: [{name: veth0, ingress: xdp, egress: tc}]
	flow_cache: {max_flows: 65536}
	anomaly: {enabled: true}
	control: {socket: $PROBE_SOCKET}
END
start_probe observer -c "$TEST_DIR/probe.yaml" -o none -v

# send N: SYN from 10.0.0.0 on to port 53 of an address that is not the observer's
send()
{
	nsenter --net="/run/netns/$(ns_name generator)" .output/tests/bench/livegen -i veth0 \
		-d 02:00:00:00:00:99 -f 1000000 -n "$1" -r 100000 -s >>"$TEST_DIR/sent.log"
}

rss()
{
	awk '/VmRSS/ {print $2}' "/proc/$PROBE/status"
}

send 1000000
before=$(rss)
send 2000000 &
SEND=$!
bg_pids+=("$SEND")
ns_exec generator nmap -n -Pn -sS --max-retries 0 -p 1000-1100 "$(ns_addr4 observer)" \
	>"$TEST_DIR/nmap.log"
wait "$SEND"
after=$(rss)
wait_for "grep -q port-scan $TEST_DIR/probe.out" 10
stop_bg PROBE || fail "the probe ended with status $?"

assert_balanced
assert_ledger '.overflow_packets > 300000 and .notices.uncounted < .overflow_packets / 100'
assert_eq "events" "port-scan $(ns_addr4 generator) $(ns_addr4 observer) - -
syn-flood - 198.51.100.2 53 spoofed" "$(spoofed_starts "$TEST_DIR/probe.out")"
jq -se 'map(select(.class == "syn-flood")) | last | .evidence.packetsWithoutFlow > 300000 and
	(.evidence.distinctSources / 1000000 - 1 | fabs) < 0.2' "$TEST_DIR/probe.out" >/dev/null ||
	fail "the flood is told wrongly: $(cat "$TEST_DIR/probe.out")"
echo "resident set: $before kB after a million SYN, $after kB after three"
[ $((after - before)) -lt 2048 ] || fail "$before kB after a million SYN, $after kB after three"
