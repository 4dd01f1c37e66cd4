#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Rotated IPFIX files, compressed or not, hold every record once, are each good for a
# strict reader and for libfixbuf's, and are all named when the probe ends; one that was
# killed leaves a file that is good up to its last Message.
# timeout: 90
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/away.sh
need jq ipfixDump zcat

mkdir "$TEST_DIR/plain" "$TEST_DIR/packed"
away_setup
config="exporters: [
  {name: plain, address: $TEST_DIR/plain/flows.ipfix, transport: file, file: {rotate_mib: 1}, options: none},
  {name: packed, address: $TEST_DIR/packed/flows, transport: file, file: {rotate_s: 2, compress: true}}]"

# records_in FILE...: of all files, each read as one of its own.
records_in()
{
	local file

	for file in "$@"; do
		if [[ $(file_magic "$file") == 1f8b ]]; then
			zcat "$file" 2>/dev/null || true
		else
			cat "$file"
		fi | ./xflow-collector-test --read - --summary-only || fail "$file is not good"
	done | jq -s 'map(.records) | add'
}

file_magic()
{
	od -An -tx1 -N2 "$1" | tr -d ' '
}

away_probe "$config"
for _ in {1..6}; do
	away_send 8000
	sleep 0.5
done
stop_bg PROBE || fail "the probe ended with status $?"
[ "$(find "$TEST_DIR/plain" -name 'flows-*-000?.ipfix' | wc -l)" -ge 4 ] || fail "too few files: $(ls -l "$TEST_DIR/plain")"
[ "$(find "$TEST_DIR/packed" -name 'flows-*-000?.gz' | wc -l)" -ge 2 ] || fail "too few files: $(ls -l "$TEST_DIR/packed")"
assert_eq "files without a name" 0 "$(find "$TEST_DIR/plain" "$TEST_DIR/packed" -name '*.part' | wc -l)"
assert_eq "records in plain files" "$flows_sent" "$(records_in "$TEST_DIR"/plain/*)"
assert_eq "records in packed files" "$flows_sent" "$(records_in "$TEST_DIR"/packed/*)"
for file in "$TEST_DIR"/packed/*; do
	gzip -t "$file" || fail "gzip finds a fault in $file"
done
assert_eq "records for libfixbuf" "$flows_sent" "$(for file in "$TEST_DIR"/plain/*; do
	ipfixDump --in "$file" | sed -n 's/.*File Stats:.* \([0-9]*\) Data Records.*/\1/p'
done | awk '{n += $1} END {print n}')"

away_probe "$config"
away_send 5000
wait_exporter '.sent_records == 5000' 5
stop_bg PROBE KILL && fail "the probe survived SIGKILL"
assert_eq "plain files left open" 1 "$(find "$TEST_DIR/plain" -name '*.part' | wc -l)"
assert_eq "records in plain files" "$flows_sent" "$(records_in "$TEST_DIR"/plain/*)"
assert_eq "records in packed files" "$flows_sent" "$(records_in "$TEST_DIR"/packed/*)"
wire_files+=("$TEST_DIR"/plain/*)
