#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The verifier follows about as many instructions in each program as the last one
# who looked put down in tests/bpf/verified.tsv, and nowhere half of what it allows.
# timeout: 180
. "$(dirname "$0")/../lib/netns.sh"
need jq

RECORDED=tests/bpf/verified.tsv
LIMIT=500000 # of a million, BPF_COMPLEXITY_LIMIT_INSNS

make --no-print-directory bpf-matrix
.output/tests/vm/load_objects .output/matrix/*.o >"$TEST_DIR/loaded" ||
	fail "a program did not load: $(cat "$TEST_DIR/loaded")"
jq -r '[(.object | sub(".*/"; "")), .name, .tables, .tunnels, .details, .protocols,
	.deduplicate, .verified] | @tsv' \
	"$TEST_DIR/loaded" >"$TEST_DIR/verified"
assert_eq "programs loaded" 84 "$(awk -F '\t' '$8 > 0' "$TEST_DIR/verified" | wc -l)"
awk -F '\t' -v limit=$LIMIT '$8 > limit' "$TEST_DIR/verified" | grep . &&
	fail "programs near the verifier's limit, see above"

# Each kernel has its own verifier.
read -r _ kernel <$RECORDED
case "$(uname -r)" in
"$kernel".*) ;;
*)
	echo "counts were recorded on Linux $kernel, this is $(uname -r): not compared"
	exit 0
	;;
esac
awk -F '\t' '/^#/ { next }
	NR == FNR { was[$1, $2, $3, $4, $5, $6, $7] = $8; n++; next }
	{ n--; old = was[$1, $2, $3, $4, $5, $6, $7]
	  if ($8 > old * 1.1 || $8 < old * 0.9) { print $0 ", recorded: " old; wrong = 1 } }
	END { exit wrong || n != 0 }' $RECORDED "$TEST_DIR/verified" ||
	fail "look why, then: (head -1 $RECORDED; cat NEW) >$RECORDED, with NEW:" "$(cat "$TEST_DIR/verified")"
