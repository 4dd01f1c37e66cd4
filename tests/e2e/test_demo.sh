#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `make demo` runs to its end in less than a minute, balances, and shows what it
# promises: protocols, talkers, the scan, the ledger.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
need nfcapd iperf3 nmap dnsmasq dig curl python3 jq

out=$TEST_DIR/demo.log
tests/demo/demo.sh >"$out" 2>&1 || fail "the demo ended with $?"
for protocol in TCP UDP ICMP ICMP6; do
	grep -qE "[0-9] $protocol +[0-9]+ " "$out" || fail "no totals of $protocol"
done
for address in 10.77.0.1 fd77::1; do
	grep -qE "any +$address " "$out" || fail "$address is no talker"
done
grep -q '^400 Flows that only knocked' "$out" || fail "not the 400 Flows of the scan"
grep -q 'start *port-scan *syn .*10.77.0.1 failed to reach' "$out" || fail "the scan is no event"
grep -q '^balanced: yes$' "$out" || fail "no balanced ledger"
