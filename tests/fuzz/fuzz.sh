#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fuzz.sh COMMAND, after `make tests`. What a fuzzer has found so far and is not in
# corpus/ yet is in .output/fuzz/corpus/TARGET, inputs that failed in .output/fuzz/found/.
#   run TARGET SECONDS   go on fuzzing, from everything there is. With the captures of
#                        XFLOW_CAPTURES, when it is set, what is found is kept apart:
#                        frames of others do not become part of corpus/
#   check SECONDS        every input of corpus/ once, then so much fuzzing over all
#                        targets, always from the same random seed
#   merge TARGET         reduce everything there is to the inputs that cover something
#                        and let them be corpus/TARGET
set -euo pipefail
cd "$(dirname "$0")/../.." || exit 1

FUZZ_OUT=.output/fuzz
CAPTURES=${XFLOW_CAPTURES:-}
# Share of the time, by how much there is to be found.
SHARES="meter=5 capture=2 config=2 message=2 control=1 filter=1"
# Longest input.
declare -A octets=([meter]=2048 [capture]=16384 [config]=8192 [message]=4096 [control]=512
	[filter]=512)
INPUT_TIMEOUT_S=10

fuzzer()
{
	echo "$FUZZ_OUT/tests/fuzz/fuzz_$1"
}

die()
{
	echo "fuzz.sh: $*" >&2
	exit 1
}

# Messages of the code under test would hide the fuzzer's own, and to remember the
# stack of every allocation takes most of the time: run the fuzzer on the input that
# failed, by hand, to see both.
# run_fuzzer TARGET OPTION|FOLDER...
run_fuzzer()
{
	local target=$1
	shift

	mkdir -p "$FUZZ_OUT/found"
	ASAN_OPTIONS=malloc_context_size=1:quarantine_size_mb=16 \
		"$(fuzzer "$target")" -close_fd_mask=3 -max_len="${octets[$target]}" \
		-timeout=$INPUT_TIMEOUT_S -artifact_prefix="$FUZZ_OUT/found/$target-" "$@"
}

# What the project's programs make, and frames of the captures.
make_seeds()
{
	local seeds=$FUZZ_OUT/seeds capture n=0

	rm -rf $seeds
	.output/tests/fuzz/make_seeds $seeds ${CAPTURES:+"$CAPTURES"} 2>/dev/null
	./xflow-probe -c conf/xflow.yaml -n >$seeds/config/printed
	for capture in "$seeds"/own-captures/*.pcap; do
		./xflow-probe -r "$capture" -o none --collector "file:$seeds/records" 2>/dev/null ||
			continue
		n=$((n + 1))
		{ printf '\002' && cat $seeds/records; } >$seeds/message/file-$n
	done
}

run_one()
{
	local target=$1 seconds=$2 corpus=$FUZZ_OUT/corpus${CAPTURES:+-captures}

	make_seeds
	mkdir -p "$corpus/$target"
	run_fuzzer "$target" -max_total_time="$seconds" -print_final_stats=1 \
		"$corpus/$target" "tests/fuzz/corpus/$target" "$FUZZ_OUT/seeds/$target"
}

merge_one()
{
	local target=$1 merged counters=0

	# Of frames, which go through the kernel too, also how often each branch was taken.
	[ "$target" != meter ] || counters=1
	merged=$(mktemp -d)
	mkdir -p "$FUZZ_OUT/corpus/$target"
	run_fuzzer "$target" -merge=1 -use_counters=$counters "$merged" "tests/fuzz/corpus/$target" \
		"$FUZZ_OUT/corpus/$target"
	rm -rf "tests/fuzz/corpus/$target"
	mv "$merged" "tests/fuzz/corpus/$target"
	chmod 755 "tests/fuzz/corpus/$target"
	du -sb "tests/fuzz/corpus/$target"
}

# check_one TARGET SECONDS: silent unless it fails, but for one line.
check_one()
{
	local target=$1 seconds=$2 log new n

	log=$(mktemp) new=$(mktemp -d)
	n=$(find "tests/fuzz/corpus/$target" -type f | wc -l)
	if [ "$n" -eq 0 ] ||
		! run_fuzzer "$target" -runs=0 "tests/fuzz/corpus/$target" >"$log" 2>&1 ||
		! run_fuzzer "$target" -seed=1 -max_total_time="$seconds" "$new" \
			"tests/fuzz/corpus/$target" >"$log" 2>&1; then
		tail -n 60 "$log"
		die "$target failed; see $FUZZ_OUT/found/, and try $(fuzzer "$target") FILE"
	fi
	echo "$target: $n inputs, then $(sed -n 's/^Done \([0-9]*\) runs in \(.*\)/\1 in \2/p' "$log")"
	rm -rf "$log" "$new"
}

# One target after another in each of two lanes.
check_all()
{
	local seconds=$1 share total=0

	for share in $SHARES; do
		total=$((total + ${share#*=}))
	done
	for share in $SHARES; do
		echo "${share%=*}" $(((seconds * ${share#*=} + total - 1) / total))
	done | xargs -P 2 -L 1 "$0" check-one
}

case ${1:-} in
run) run_one "$2" "$3" ;;
check) check_all "$2" ;;
check-one) check_one "$2" "$3" ;;
merge) merge_one "$2" ;;
*) die "usage: fuzz.sh run TARGET SECONDS | check SECONDS | merge TARGET" ;;
esac
