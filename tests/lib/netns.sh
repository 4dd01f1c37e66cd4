# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced by end-to-end tests (and the demo): private network namespaces joined
# by veth pairs, background processes, waiting, verdicts. Everything made here is
# named after the sourcing script and removed when it exits, however it exits.
#
#	. "$(dirname "$0")/../lib/netns.sh"
#	netns_pair client server
#	start_bg_in server IPERF iperf3 -s
#	ns_exec client ping -c 1 "$(ns_addr4 server)"
#
# $TEST_DIR is a directory of the test's own; *.log in it is shown on failure.
set -euo pipefail

TEST_NAME=$(basename "$0")
TEST_NAME=${TEST_NAME%.*} TEST_NAME=${TEST_NAME#test_}
TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/xflow-$TEST_NAME.XXXXXX")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export TZ=UTC LC_ALL=C.UTF-8

declare -a bg_pids=() netns_names=() test_mounts=()
declare -A netns_side=()
declare -a wire_options=() wire_files=()
declare -A wire_pids=()

test_cleanup()
{
	local status=$? pid ns log mount

	trap - EXIT
	if [ $status -eq 0 ]; then
		wire_verify || status=1
	fi
	for pid in "${bg_pids[@]}" "${wire_pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${bg_pids[@]}" "${wire_pids[@]}"; do
		# Five seconds to end by itself.
		timeout 5 tail --pid="$pid" -s 0.05 -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	for ns in "${netns_names[@]}"; do
		ip netns delete "$ns" || true
	done
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		for log in "$TEST_DIR"/*.log; do
			[ ! -s "$log" ] || { echo "--- ${log##*/}"; tail -n 40 "$log"; }
		done
	fi
	for mount in "${test_mounts[@]}"; do
		umount "$mount" || true
	done
	rm -rf "$TEST_DIR"
	exit $status
}
trap test_cleanup EXIT
trap 'exit 130' INT TERM HUP

# fail MESSAGE: end the test as failed.
fail()
{
	echo "FAILED: $*"
	exit 1
}

# skip REASON: end the test as skipped.
skip()
{
	echo "$*"
	exit 77
}

# need PROGRAM...: skip unless all are installed.
need()
{
	local program

	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# assert_eq WHAT EXPECTED ACTUAL
assert_eq()
{
	[ "$2" = "$3" ] || fail "$1: expected $2, got $3"
}

# wait_for CONDITION SECONDS: until the shell condition holds; fails after that.
wait_for()
{
	local deadline_ms=$(($(date +%s%3N) + $2 * 1000))

	until eval "$1" >/dev/null 2>&1; do
		[ "$(date +%s%3N)" -lt $deadline_ms ] || fail "not within $2 s: $1"
		sleep 0.05
	done
}

# --- network namespaces ---

ns_name()
{
	echo "xf-$TEST_NAME-$1"
}

# ns_exec NS COMMAND...: unlike `ip netns exec` this keeps the mounts, so the
# BPF file system stays in view.
ns_exec()
{
	nsenter --net="/run/netns/$(ns_name "$1")" "${@:2}"
}

# netns_add NS: a namespace with lo up, nothing else, and no forwarding.
netns_add()
{
	local ns
	ns=$(ns_name "$1")

	ip netns add "$ns"
	netns_names+=("$ns")
	# `ip netns exec` for its /sys; these settings keep the link free of chatter.
	ip netns exec "$ns" sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
		net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.addr_gen_mode=1 \
		net.ipv4.ping_group_range="0 2147483647"
	ip -n "$ns" link set lo up
}

# netns_pair A B [N]: with N = 0 to 9, join two namespaces (made if new) by a veth pair, device
# veth<N> at both ends. A has 10.77.N.1/24 and fd77:N::1/64, B has .2 and ::2;
# neighbours are known, addresses usable at once, and no other route exists.
netns_pair()
{
	local n=${3:-0} ns
	for ns in "$1" "$2"; do
		[[ " ${netns_names[*]} " == *" $(ns_name "$ns") "* ]] || netns_add "$ns"
	done
	ip -n "$(ns_name "$1")" link add "veth$n" address "02:77:00:00:0$n:01" type veth \
		peer name "veth$n" address "02:77:00:00:0$n:02" netns "$(ns_name "$2")"
	netns_set_end "$1" "$n" 1 2
	netns_set_end "$2" "$n" 2 1
}

netns_set_end()
{
	local ns dev=veth$2 peer_mac=02:77:00:00:0$2:0$4
	ns=$(ns_name "$1")

	netns_side[$1.$2]=$3
	ip -n "$ns" addr add "10.77.$2.$3/24" dev "$dev"
	ip -n "$ns" addr add "fd77:$2::$3/64" dev "$dev" nodad
	ip -n "$ns" link set "$dev" up
	ip -n "$ns" neigh replace "10.77.$2.$4" lladdr "$peer_mac" nud permanent dev "$dev"
	ip -n "$ns" neigh replace "fd77:$2::$4" lladdr "$peer_mac" nud permanent dev "$dev"
}

# ns_addr4 NS [N], ns_addr6 NS [N]: the address of NS on pair N.
ns_addr4()
{
	echo "10.77.${2:-0}.${netns_side[$1.${2:-0}]}"
}

ns_addr6()
{
	echo "fd77:${2:-0}::${netns_side[$1.${2:-0}]}"
}

# ns_no_offloads NS [DEV]: packets on the wire are as the sender's stack cut them.
ns_no_offloads()
{
	ns_exec "$1" ethtool -K "${2:-veth0}" tso off gso off gro off tx off >/dev/null
}

# ns_counter NS DEV rx_packets|tx_packets|...: a device counter.
ns_counter()
{
	ip -n "$(ns_name "$1")" -s -j link show "$2" |
		jq --arg side "${3%%_*}" --arg name "${3#*_}" '.[0].stats64[$side][$name]'
}

# --- processes ---

# test_mount ARG... POINT: mount, for as long as the test runs.
test_mount()
{
	mount "$@"
	test_mounts+=("${@: -1}")
}

# start_bg VAR COMMAND...: run in the background; its pid goes to VAR, its output
# to $TEST_DIR/VAR.log (standard output to the file $bg_stdout, if set).
start_bg()
{
	local -n pid_out=$1

	if [ -n "${bg_stdout:-}" ]; then
		"${@:2}" >"$bg_stdout" 2>"$TEST_DIR/$1.log" </dev/null &
	else
		"${@:2}" >"$TEST_DIR/$1.log" 2>&1 </dev/null &
	fi
	# shellcheck disable=SC2034 # the caller's variable
	pid_out=$!
	bg_pids+=($!)
}

# start_bg_in NS VAR COMMAND...
start_bg_in()
{
	start_bg "$2" nsenter --net="/run/netns/$(ns_name "$1")" "${@:3}"
}

# stop_bg VAR [SIGNAL]: end it (TERM) and return its exit status.
stop_bg()
{
	kill -s "${2:-TERM}" "${!1}" 2>/dev/null || true
	wait_bg "$1"
}

# wait_bg VAR: wait for its end and return its exit status.
wait_bg()
{
	local pid=${!1} i

	for i in "${!bg_pids[@]}"; do
		[ "${bg_pids[i]}" != "$pid" ] || unset "bg_pids[i]"
	done
	wait "$pid"
}

# wait_port NS udp|tcp PORT: until something listens there.
wait_port()
{
	wait_for "ns_exec $1 ss -Hln --$2 sport = :$3 | grep -q ." 5
}

# --- what is sent to collectors ---
#
# Everything that arrives at a collector started below is captured, and at the end
# of a test that passed verified by tests/lib/ipfix_wire.py. Tests add to
# `wire_options` what they do to the wire (--may-lose, --late, --mtu 600 ...), and to
# `wire_files` the IPFIX Files they made; `wire_device` is where collectors are
# reached, `wire_check=no` leaves all of it out, and says why.

# wire_record NS PORT: capture it from now on, once; all fragments, too.
wire_record()
{
	local name=$1.$2

	[ -z "${wire_pids[$name]:-}" ] && [ "${wire_check:-yes}" = yes ] || return 0
	need dumpcap
	nsenter --net="/run/netns/$(ns_name "$1")" dumpcap -q -P -B 64 -i "${wire_device:-lo}" \
		-f "dst port $2 or (ip[6:2] & 0x3fff != 0) or ip6 proto 44" \
		-w "$TEST_DIR/wire.$name.pcap" >"$TEST_DIR/wire.$name.log" 2>&1 </dev/null &
	wire_pids[$name]=$!
	wire_files+=("$TEST_DIR/wire.$name.pcap")
	wait_for "grep -q '^File:' $TEST_DIR/wire.$name.log" 10
}

# wire_verify: of all that was captured; each file must have Messages.
wire_verify()
{
	local pid file

	[ ${#wire_files[@]} -gt 0 ] || return 0
	[ ${#wire_pids[@]} -eq 0 ] || sleep 0.3 # a quarter second until the last packets are there
	for pid in "${wire_pids[@]}"; do
		kill -INT "$pid"
		wait "$pid" || true
	done
	wire_pids=()
	for file in "${wire_files[@]}"; do
		if ! python3 tests/lib/ipfix_wire.py --elements conf/xflow-ie.xml "${wire_options[@]}" \
			"$file" >"$TEST_DIR/wire.out" 2>"$TEST_DIR/wire.log" ||
			grep -q '"messages": 0,' "$TEST_DIR/wire.out"; then
			echo "FAILED: not sound on the wire (${file##*/}): $(cat "$TEST_DIR/wire.out")"
			return 1
		fi
		cat "$TEST_DIR/wire.out" >>"${WIRE_SUMMARIES:-/dev/null}"
	done
}

# --- the collectors and the probe ---

# start_nfcapd DIR PORT NS [ARG...]: pid in NFCAPD. After `stop_bg NFCAPD` the
# records are in DIR and "Sequence Errors: n" in $TEST_DIR/NFCAPD.log.
start_nfcapd()
{
	mkdir -p "$1"
	wire_record "$3" "$2"
	start_bg_in "$3" NFCAPD nfcapd -C none -w "$1" -p "$2" -t 3600 -I t -v "${@:4}"
	wait_port "$3" udp "$2"
}

# nfdump_json DIR [ARG...]: what nfcapd stored, as one JSON array.
nfdump_json()
{
	nfdump -C none -R "$1" -o json "${@:2}"
}

# start_collector_test OUT udp|tcp PORT NS [ARG...]: pid in COLLECTOR, its JSON
# lines in OUT, its complaints in $TEST_DIR/COLLECTOR.log.
start_collector_test()
{
	wire_record "$4" "$3"
	bg_stdout=$1 start_bg_in "$4" COLLECTOR ./xflow-collector-test "--$2" "$3" "${@:5}"
	wait_port "$4" "$2" "$3"
}

# start_probe NS ARG...: pid in PROBE, standard output in $TEST_DIR/probe.out,
# standard error in $TEST_DIR/PROBE.log. Returns when the control socket answers.
PROBE_SOCKET=/run/xflow-probe/control.sock
start_probe()
{
	rm -f "$PROBE_SOCKET"
	bg_stdout=$TEST_DIR/probe.out start_bg_in "$1" PROBE ./xflow-probe "${@:2}"
	wait_for "! kill -0 $PROBE || ./xflowctl -s $PROBE_SOCKET status" 10
	kill -0 "$PROBE" 2>/dev/null || fail "xflow-probe ended at once"
}

# json_sum KEY [SELECT]: over the flow lines on stdin, the sum of an element.
json_sum()
{
	jq -n --arg key "$1" \
		"[inputs | select(.type == \"flow\") | select(${2:-true}) | .[\$key] // 0] | add // 0"
}
