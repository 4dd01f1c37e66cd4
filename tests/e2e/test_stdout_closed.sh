#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A reader of the Flow Records that goes away (`| head`) does not end the probe,
# whose ledger balances on; it says so once and ends with status 0.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

netns_pair client server
ns_mute client veth0
mkfifo "$TEST_DIR/pipe"
bg_stdout=$TEST_DIR/head start_bg HEAD head -n 1 "$TEST_DIR/pipe"
rm -f "$PROBE_SOCKET"
bg_stdout=$TEST_DIR/pipe start_bg_in server PROBE ./xflow-probe -i veth0 --idle-timeout 1
wait_for "./xflowctl status" 10
for n in 1 2 3; do
	ns_exec client $SEND_FLOWS veth0 2
	wait_for "live_ledger | jq -e '.exported_flows == 16 * $n and .balanced'" 10
done
wait_bg HEAD
assert_eq "lines the reader took" 1 "$(grep -c '^{"type":"flow",.*}$' "$TEST_DIR/head")"
stop_bg PROBE || fail "the probe ended with status $?"
assert_eq "warnings" 1 "$(grep -c 'warning: write Flow Records to the output: Broken pipe' "$TEST_DIR/PROBE.log")"
