#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh [--full] [PATTERN...]: run the tests whose path contains a PATTERN
# (default all), after `make tests`. Root runs them in namespaces of their own,
# so that nothing outlives the run; others run what needs no root. A test exits
# 0, 77 (skipped, its last line says why) or otherwise (failed). Comment lines in
# a script or C test change its defaults: "timeout: SECONDS", "root: no", and
# "waits: yes" for one that hardly works: it runs beside the others.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

DEFAULT_TIMEOUT_S=120
SKIPPED=77
UNIT_CAPS=-sys_admin,-net_admin,-net_raw,-bpf,-perfmon

passed=0 failed=0 skipped=0
root_missing=
arguments=("$@")

# The process namespace ends every process a test forgot. Private mounts: /run
# (named network namespaces, sockets), /sys (devices of this network namespace)
# and the BPF file system (pins). /tmp stays, as the checkout may lie in it.
isolate()
{
	if [ "$(id -u)" -ne 0 ]; then
		root_missing="needs root"
	elif [ -z "${XFLOW_ISOLATED:-}" ]; then
		if unshare --net --mount --pid --fork true 2>/dev/null; then
			XFLOW_ISOLATED=1 exec unshare --net --mount --pid --fork --kill-child \
				--mount-proc tests/run.sh "${arguments[@]}"
		fi
		root_missing="root here may not create namespaces (unshare fails)"
	else
		mount -t tmpfs tmpfs /run && mkdir /run/netns &&
			mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf &&
			ip link set lo up || exit 1
	fi
}

# Prints the value of "KEY: VALUE" in the comments of a test's source.
read_marker()
{
	sed -n "s,^ *[#*][#*]* *$2: *\([a-z0-9]*\) *$,\1,p" "$1" | head -n 1
}

report()
{
	local verdict=$1 name=$2 note=$3

	printf '%-5s %-48s %6d.%d s%s\n' "$verdict" "$name" $((elapsed_ms / 1000)) \
		$((elapsed_ms / 100 % 10)) "${note:+  $note}"
}

show_output()
{
	sed 's/^/      | /' "$log"
}

skip_test()
{
	skipped=$((skipped + 1))
	report skip "$1" "$2"
}

# Runs the command with its output in $log; sets $status and $elapsed_ms.
run_logged()
{
	local source=$1 limit_s start_ms
	shift

	limit_s=$(read_marker "$source" timeout)
	start_ms=$(date +%s%3N)
	# In the background, as only `wait` gives way to a signal at once.
	timeout -k 5 "${limit_s:-$DEFAULT_TIMEOUT_S}" "$@" >"$log" 2>&1 </dev/null &
	child=$!
	wait $child
	status=$?
	elapsed_ms=$(($(date +%s%3N) - start_ms))
	if [ $status -eq 124 ] || [ $status -eq 137 ]; then
		echo "run.sh: ended after ${limit_s:-$DEFAULT_TIMEOUT_S} s" >>"$log"
	fi
}

# A script is one test. Network namespaces it leaves behind are a failure.
run_script()
{
	local name=${1#tests/} left

	if [ -n "$root_missing" ] && [ "$(read_marker "$1" root)" != no ]; then
		skip_test "$name" "$root_missing"
		return
	fi
	run_logged "$1" "$1"
	left=$(ls /run/netns 2>/dev/null)
	if [ -n "${XFLOW_ISOLATED:-}" ] && [ -n "$left" ]; then
		echo "run.sh: network namespaces left behind: ${left//$'\n'/ }" >>"$log"
		ip -all netns delete
		[ $status -ne 0 ] || status=1
	fi
	case $status in
	0)
		passed=$((passed + 1))
		report ok "$name" ""
		;;
	"$SKIPPED")
		skip_test "$name" "$(tail -n 1 "$log")"
		;;
	*)
		failed=$((failed + 1))
		report FAIL "$name" "exit status $status"
		show_output
		;;
	esac
}

# A cmocka program counts as its test functions, told in TAP (where it writes a
# skipped one as "not ok N # SKIP name"). One that ends early (a crash, a
# sanitizer's report, too few tests) counts one failure more.
run_cmocka()
{
	local source=$1 program=$2 name planned n_done n_failed n_skipped note=
	shift 2

	name=${source#tests/} name=${name%.c}
	run_logged "$source" env CMOCKA_MESSAGE_OUTPUT=TAP "$@" "$program"
	planned=$(awk '/^1\.\.[0-9]/ {n += substr($0, 4)} END {print n + 0}' "$log")
	n_done=$(grep -cE '^(not )?ok [0-9]+' "$log")
	n_skipped=$(grep -cE '^not ok [0-9]+ # SKIP' "$log")
	n_failed=$(($(grep -cE '^not ok [0-9]+' "$log") - n_skipped))
	passed=$((passed + n_done - n_failed - n_skipped))
	if [ "$planned" -eq 0 ] || [ "$n_done" -ne "$planned" ] ||
		{ [ $status -ne 0 ] && [ "$n_failed" -eq 0 ]; }; then
		n_failed=$((n_failed + 1))
		note="ended early with exit status $status, "
	fi
	failed=$((failed + n_failed)) skipped=$((skipped + n_skipped))
	if [ "$n_failed" -gt 0 ]; then
		report FAIL "$name" "$note$n_failed of $planned failed"
	elif [ "$n_skipped" -gt 0 ]; then
		report ok "$name" "$planned tests, $n_skipped of them skipped"
	else
		report ok "$name" "$planned tests"
		return
	fi
	show_output
}

run_test()
{
	case $1 in
	tests/unit/*.c)
		if [ "$(id -u)" -eq 0 ]; then
			# Unit tests must not come to need what only root may do.
			run_cmocka "$1" ".output/san/${1%.c}" setpriv \
				--bounding-set=$UNIT_CAPS --inh-caps=$UNIT_CAPS
		else
			run_cmocka "$1" ".output/san/${1%.c}"
		fi
		;;
	*.c)
		if [ -n "$root_missing" ]; then
			skip_test "${1#tests/}" "$root_missing"
		else
			run_cmocka "$1" ".output/${1%.c}"
		fi
		;;
	*)
		run_script "$1"
		;;
	esac
}

# What tests/lib/ipfix_wire.py verified, in all tests together.
report_wire()
{
	awk -F '[:,] *' '{ for (i = 1; i < NF; i++) { if ($i ~ /"messages"/) m += $(i + 1)
			if ($i ~ /"records"/) r += $(i + 1) } }
		END { printf "\n%d IPFIX Messages with %d records were sound on the wire\n", m, r }' \
		"$WIRE_SUMMARIES"
}

# Prints the tests to run, one a line.
list_tests()
{
	local full=$1 path pattern candidates
	shift

	shopt -s nullglob
	candidates=(tests/style/test_*.sh tests/unit/test_*.c tests/bpf/test_*.c
		tests/e2e/test_*.sh tests/e2e/test_*.py)
	[ -z "$full" ] || candidates+=(tests/full/test_*.c tests/full/test_*.sh tests/full/test_*.py)
	for path in "${candidates[@]}"; do
		if [[ $path == *.bpf.c ]]; then
			continue
		fi
		[ $# -gt 0 ] || echo "$path"
		for pattern in "$@"; do
			if [[ $path == *$pattern* ]]; then
				echo "$path"
				break
			fi
		done
	done
}

# Run these tests in namespaces of their own, beside what else is run.
start_beside()
{
	beside_log=$TMPDIR/beside
	XFLOW_ISOLATED="" XFLOW_BESIDE=yes tests/run.sh --paths "$@" >"$beside_log" 2>&1 &
	beside=$!
}

# What they told, but for its last line, whose numbers are added to ours.
join_beside()
{
	local sums='^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$'

	wait $beside
	beside=''
	if [[ $(tail -n 1 "$beside_log") =~ $sums ]]; then
		sed '$d' "$beside_log"
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + BASH_REMATCH[3]))
	else
		failed=$((failed + 1))
		echo "FAIL  the tests that run beside the others ended early"
		cat "$beside_log"
	fi
}

# Run all, those that wait beside those that work.
run_tests()
{
	local working=() waiting=() path

	for path in "$@"; do
		if [ -n "${XFLOW_ISOLATED:-}" ] && [ -z "${XFLOW_BESIDE:-}" ] &&
			[ "$(read_marker "$path" waits)" = yes ]; then
			waiting+=("$path")
		else
			working+=("$path")
		fi
	done
	[ ${#waiting[@]} -eq 0 ] || start_beside "${waiting[@]}"
	for path in "${working[@]}"; do
		elapsed_ms=0
		run_test "$path"
	done
	[ -z "$beside" ] || join_beside
}

main()
{
	local full="" tests

	if [ "${1:-}" = --full ]; then
		full=yes
		shift
	fi
	isolate
	export TZ=UTC LC_ALL=C.UTF-8 ASAN_OPTIONS=abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
	TMPDIR=$(mktemp -d /tmp/xflow-tests.XXXXXX) || exit 1
	export TMPDIR
	export WIRE_SUMMARIES=${WIRE_SUMMARIES:-$TMPDIR/wire}
	log=$TMPDIR/run.log elapsed_ms=0 status=0 child='' beside=''
	trap 'rm -rf "$TMPDIR"' EXIT
	trap 'kill $child $beside; wait; exit 130' INT TERM HUP

	if [ "${1:-}" = --paths ]; then # from start_beside()
		tests=("${@:2}")
	else
		mapfile -t tests < <(list_tests "$full" "$@")
	fi
	run_tests "${tests[@]}"
	if [ -z "${XFLOW_BESIDE:-}" ]; then
		[ ! -s "$WIRE_SUMMARIES" ] || report_wire
		printf '\n%d s\n' $SECONDS
	fi
	printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
	[ $failed -eq 0 ] && [ $passed -gt 0 ]
}

main "$@"
