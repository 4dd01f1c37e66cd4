#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The oldest kernel we support, a newer one, one CPU and PREEMPT_RT: on each the
# probe loads, attaches, counts every packet that was sent and balances. The
# guests run side by side.
# timeout: 240
# root: no
. "$(dirname "$0")/../lib/netns.sh"
. tests/vm/vm.sh
need jq ip ping

PINGS=200
CASES=("6.1-cloud 2" "6.12-cloud 2" "6.1-cloud 1" "6.1-rt 2")
for case in "${CASES[@]}"; do
	vm_need "${case% *}"
done

vm_make_root "$TEST_DIR/root" guest_count.sh ip ping
vm_add "$TEST_DIR/root" xflow-probe /xflow-probe
vm_add "$TEST_DIR/root" xflowctl /xflowctl
sed -i "1iPINGS=$PINGS" "$TEST_DIR/root/guest.sh"
for i in "${!CASES[@]}"; do
	read -r kind cpus <<<"${CASES[i]}"
	vm_start "GUEST$i" "$TEST_DIR/root" "$kind" "$cpus"
done

# check NAME WHAT: CONDITION on all result lines of a guest.
check()
{
	jq -s -e --argjson pings $PINGS "$3" "$TEST_DIR/$1.jsonl" >/dev/null || {
		cat "$TEST_DIR/$1.jsonl"
		fail "$case CPU: $2"
	}
}

# pings SOURCE-ELEMENT SOURCE DIRECTION OCTETS: one side's packets of one family.
pings()
{
	echo "[.[] | select(.type == \"flow\" and .$1 == \"$2\" and .flowDirection == $3)] |
		(map(.packetDeltaCount) | add) == \$pings and
		(map(.octetDeltaCount) | add) == \$pings * $4"
}

for i in "${!CASES[@]}"; do
	case=${CASES[i]} name=GUEST$i
	wait_bg "$name" || fail "$case CPU: qemu failed"
	check "$name" "the probe did not end with 0" '.[-1] | .type == "guest" and .exit == 0'
	check "$name" "not that number of CPUs" ".[-1].cpus == ${case#* }"
	check "$name" "IPv4 requests" "$(pings sourceIPv4Address 10.77.0.1 0 84)"
	check "$name" "IPv4 replies" "$(pings sourceIPv4Address 10.77.0.2 1 84)"
	check "$name" "IPv6 requests" "$(pings sourceIPv6Address fd77::1 0 104)"
	check "$name" "IPv6 replies" "$(pings sourceIPv6Address fd77::2 1 104)"
	# shellcheck disable=SC2016 # jq's variable
	check "$name" "ledger" '(map(select(.type == "flow") | .packetDeltaCount) | add) as $sum |
		.[] | select(.type == "ledger") | .balanced and .in_cache_packets == 0 and
		.overflow_packets == 0 and .seen_packets == $sum'
	jq -r 'select(.type == "guest") | "\(.kernel), \(.cpus) CPU"' "$TEST_DIR/$name.jsonl"
done
