#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A SYN flood from a million forged sources, sixteen times what the Flow Cache holds, is
# one event that names its target, its rate and that it is likely spoofed, though most of
# it has no Flow; a scan within it is told of and no other; the ledger balances; a flood
# of more sources takes no more memory.
# timeout: 60
# root: no
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/spoofed.sh
need jq python3

few=$(spoofed_read 300000 100000 65536 "$TEST_DIR/few.out")
many=$(spoofed_read 1000000 100000 65536 "$TEST_DIR/many.out")
spoofed_assert "$TEST_DIR/few.out" 300000 100000
spoofed_assert "$TEST_DIR/many.out" 1000000 100000
echo "largest resident set: $few kB with 300,000 sources, $many kB with a million"
# to a huge page or two: less than 6 octets for each source more
[ $((many - few)) -lt 4096 ] || fail "$few kB with 300,000 sources, $many kB with a million"
grep '^{' "$TEST_DIR/many.out" | jq -se '
	map(select(.type == "ledger"))[0] as $ledger |
	$ledger.overflow_packets > 500000 and $ledger.notices.uncounted == 0 and
	(map(select(.class == "syn-flood" and .state == "end"))[0] |
		.evidence.packetsWithoutFlow >= $ledger.overflow_packets - 400 and
		.evidence.packetsWithoutFlow <= $ledger.overflow_packets)' >/dev/null ||
	fail "packets without a Flow are told wrongly: $(cat "$TEST_DIR/many.out")"
