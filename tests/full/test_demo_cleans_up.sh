#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# After the demo, or Ctrl-C at any moment of it, nothing is left: no process,
# namespace, interface, mount, file or BPF pin.
# timeout: 180
. "$(dirname "$0")/../lib/netns.sh"

# As on a terminal: a process group of its own that Ctrl-C reaches as a whole.
# Returns when its first line is there.
start_demo()
{
	start_bg DEMO env --default-signal=INT setsid tests/demo/demo.sh
	# shellcheck disable=SC2016 # evaluated there
	wait_for '[ -s "$TEST_DIR/DEMO.log" ]' 5
}

traces()
{
	ls -A /run /run/netns /sys/fs/bpf "$TMPDIR"
	cat /proc/self/mounts
	ip -br link
}

# assert_clean WHEN
assert_clean()
{
	assert_eq "processes left $1" "" "$(pgrep -a -s "$DEMO" || true)"
	assert_eq "what is there $1" "$before" "$(traces)"
}

mkdir -p /run/netns
before=$(traces)
for moment_s in 0 0.2 0.4 0.7 1 2 4 7 9; do
	start_demo
	sleep $moment_s
	kill -s INT -- "-$DEMO"
	status=0
	start_ms=$(date +%s%3N)
	wait_bg DEMO || status=$?
	echo "Ctrl-C after $moment_s s: ended $(($(date +%s%3N) - start_ms)) ms later with $status"
	assert_eq "exit status of Ctrl-C after $moment_s s" 130 $status
	assert_clean "after Ctrl-C at $moment_s s"
done
start_demo
wait_bg DEMO || fail "the demo ended with $?"
assert_clean "after the demo"
