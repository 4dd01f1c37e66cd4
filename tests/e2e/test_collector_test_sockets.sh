#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The test Collector takes the same Message over UDP, TCP and from a file, in IPv4
# and IPv6, and its exit status tells good from bad.
set -euo pipefail
cd "$(dirname "$0")/../.."

collector=./xflow-collector-test
dir=$(mktemp -d "${TMPDIR:-/tmp}/xflow-collector-test.XXXXXX")
pid=
cleanup()
{
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

fail()
{
	echo "FAILED: $*"
	cat "$dir"/err "$dir"/out 2>/dev/null || true
	exit 1
}

# A Message of Observation Domain 9 with one Template and two records of it:
# sourceIPv4Address, octetDeltaCount (4 octets), packetDeltaCount (1 octet).
header='\0\x0a\0\x3a\x65\x53\xf1\0\0\0\0\0\0\0\0\x09'
template='\0\x02\0\x14\x01\x2c\0\x03\0\x08\0\x04\0\x01\0\x04\0\x02\0\x01'
records='\x01\x2c\0\x16\xc0\0\x02\x01\0\0\x05\xdc\x03\xc0\0\x02\x02\0\0\0\x64\x01'
# Files, as bash would send a datagram at each newline among the octets.
printf %b "$header$template$records" >"$dir/message"
printf %b "$header$template" >"$dir/half"

# start OPTION...: run the Collector and set $port to the first it listens on.
start()
{
	: >"$dir/err"
	$collector "$@" >"$dir/out" 2>"$dir/err" &
	pid=$!
	for _ in {1..100}; do
		port=$(sed -n '1s/^listening [a-z]* .*:\([0-9]*\)$/\1/p' "$dir/err")
		[ -z "$port" ] || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	fail "did not listen with $*"
}

# expect_end STATUS: the Collector ends by itself or after what was sent is taken.
expect_end()
{
	local status=0
	wait "$pid" || status=$?
	pid=
	[ $status -eq "$1" ] || fail "exit status $status instead of $1"
}

expect_line()
{
	grep -qF "$1" "$dir/out" || fail "no line with $1"
}

expect_both_records()
{
	expect_line '"sequence":0,"sourceIPv4Address":"192.0.2.1","octetDeltaCount":1500,"packetDeltaCount":3}'
	expect_line '"sequence":0,"sourceIPv4Address":"192.0.2.2","octetDeltaCount":100,"packetDeltaCount":1}'
	expect_line '"records":2,"options_records":0,"templates":1,'
	expect_line '"packets_sum":4,"octets_sum":1600,'
}

for address in 127.0.0.1 '[::1]'; do
	host=${address//[\[\]]/}
	if [ "$host" = ::1 ] && [ ! -e /proc/net/if_inet6 ]; then
		echo "not tried: ::1 (this kernel has no IPv6)"
		continue
	fi
	start --udp "$address:0" --records 2 --seconds 10
	cat "$dir/message" >"/dev/udp/$host/$port"
	expect_end 0
	expect_both_records

	start --tcp "$address:0" --records 2 --seconds 10
	cat "$dir/message" >"/dev/tcp/$host/$port"
	expect_end 0
	expect_both_records
done

start --udp 127.0.0.1:0 --seconds 10
cat "$dir/message" >"/dev/udp/127.0.0.1/$port"
kill -TERM "$pid"
expect_end 0
expect_both_records

# Two connections at once, one of them cut in the middle of a Message.
start --tcp 0 --seconds 10
exec {a}<>"/dev/tcp/127.0.0.1/$port" {b}<>"/dev/tcp/127.0.0.1/$port"
cat "$dir/half" >&"$a"
cat "$dir/message" >&"$b"
exec {a}>&- {b}>&-
kill -TERM "$pid"
expect_end 3
expect_both_records
expect_line '"malformed":1,'

cp "$dir/message" "$dir/file"
$collector --read "$dir/file" >"$dir/out" 2>"$dir/err" || fail "--read refused a good file"
expect_both_records

# The same Message again repeats Sequence Number 0: a fault unless lenient.
cat "$dir/message" >>"$dir/file"
status=0
$collector --read "$dir/file" --summary-only >"$dir/out" 2>"$dir/err" || status=$?
[ $status -eq 3 ] || fail "a repeated Message ended with $status instead of 3"
[ "$(wc -l <"$dir/out")" -eq 1 ] || fail "--summary-only printed more than the summary"
expect_line '"sequence_errors":1,'
$collector --read "$dir/file" --lenient >"$dir/out" 2>"$dir/err" || fail "--lenient was strict"

for wrong in '' '--udp 1.2.3.4' '--udp ::1:99' '--read x --udp 0' '--udp 0 --records 0' \
	'--udp 0 --seconds -1' '--read x --elements /nonexistent' '--nonsense'; do
	status=0
	# shellcheck disable=SC2086
	$collector $wrong >"$dir/out" 2>"$dir/err" || status=$?
	[ $status -eq 2 ] || fail "'$wrong' ended with $status instead of 2"
	[ -s "$dir/err" ] || fail "'$wrong' was refused without a word"
done
