# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after netns.sh: a flood of SYN from forged sources, with a scan among them, in
# a capture, and what has to be found in it.

# spoofed_read N RATE MAX_FLOWS OUT: write such a capture and look for anomalies in it;
# prints the largest resident set in kB.
spoofed_read()
{
	.output/tests/e2e/write_spoofed "$TEST_DIR/spoofed.pcap" "$1" "$2"
	echo "flow_cache: {max_flows: $3}" >"$TEST_DIR/spoofed.yaml"
	python3 -c '
import resource, subprocess, sys
with open(sys.argv[1], "w") as out:
    subprocess.run(sys.argv[2:], stdout=out, stderr=subprocess.STDOUT, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$4" \
		./xflow-probe -c "$TEST_DIR/spoofed.yaml" -r "$TEST_DIR/spoofed.pcap" -o none \
		--detect-anomalies -v
	rm "$TEST_DIR/spoofed.pcap"
}

# spoofed_starts FILE: class, source, target, port and "spoofed" of each start
spoofed_starts()
{
	grep '^{' "$1" | jq -r 'select(.type == "event" and .state == "start") | [.class,
		.sourceIPv4Address // "-", .destinationIPv4Address // "-",
		.destinationTransportPort // "-",
		if .evidence.spoofedLikely then "spoofed" else "-" end] | join(" ")' | sort
}

SPOOFED_EXPECTED="port-scan 198.51.100.7 10.0.0.3 - -
syn-flood - 10.0.0.2 80 spoofed"

# spoofed_assert FILE N RATE: the flood with its rate and its size, the scan, nothing else.
spoofed_assert()
{
	assert_eq "events" "$SPOOFED_EXPECTED" "$(spoofed_starts "$1")"
	grep '^{' "$1" | jq -se --argjson n "$2" --argjson rate "$3" '
		(map(select(.type == "ledger"))[0] | .balanced and .seen_packets == $n + 400) and
		(map(select(.class == "syn-flood" and .state == "end"))[0] |
			.value == $rate and .evidence.synCount == $n and
			(.evidence.distinctSources / $n - 1 | fabs) < 0.2)' >/dev/null ||
		fail "the flood or the ledger is wrong: $(cat "$1")"
}
