#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh [SECTION...]: print the performance figures as one table, after
# `make tests`. Sections: cost fields live sweep anomaly export idle offline (default:
# all).
# Asserts nothing. QUICK=1 takes fewer rounds and smaller captures. Runs as root,
# in namespaces of its own. Figures count only on a machine that is otherwise idle.
set -euo pipefail
cd "$(dirname "$0")/../.."
export TZ=UTC LC_ALL=C.UTF-8

BENCH=.output/tests/bench
FLOWS=1000000
QUICK=${QUICK:-0}
# Of a MAC address that nobody has: hooks see the packets, the host lets them go.
NOBODY=02:00:00:00:00:99

isolate()
{
	if [ -z "${XFLOW_ISOLATED:-}" ]; then
		[ "$(id -u)" -eq 0 ] || { echo "bench: needs root" >&2; exit 1; }
		XFLOW_ISOLATED=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc \
			"$0" "$@"
	fi
	mount -t tmpfs tmpfs /run
	mount -t bpf bpf /sys/fs/bpf
	work=$(mktemp -d /tmp/xflow-bench.XXXXXX)
	# what still runs ends with the process namespace
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
}

# One veth pair with both ends in this private network namespace.
make_link()
{
	ip link set lo up
	ip link add send0 type veth peer name receive0
	sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.send0.disable_ipv6=1 \
		net.ipv6.conf.receive0.disable_ipv6=1
	ip link set send0 up
	ip link set receive0 up
}

# quick A B: A if QUICK, else B.
quick()
{
	[ "$QUICK" = 1 ] && echo "$1" || echo "$2"
}

# row NAME VALUE UNIT [RATIO OPERATOR TARGET]: RATIO - judges the value itself.
row()
{
	local judged=${4:--} verdict=-

	[ "$judged" != - ] || judged=$2
	if [ -n "${6:-}" ]; then
		verdict=$(jq -n -r "if $judged $5 $6 then \"yes\" else \"NO\" end")
	fi
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:--}" "${5:+$5 }${6:--}" "$verdict"
}

lay_out()
{
	awk -F '\t' '{ printf "%-56s %10s %-10s %6s %9s  %s\n", $1, $2, $3, $4, $5, $6; fflush() }'
}

# calculate EXPRESSION: with two digits.
calculate()
{
	jq -n "$1 | . * 100 | round / 100"
}

# start VAR COMMAND...: in the background, output to $work/VAR.log.
start()
{
	local -n pid=$1

	"${@:2}" >"$work/$1.log" 2>&1 </dev/null &
	# shellcheck disable=SC2034 # the caller's variable
	pid=$!
}

stop()
{
	kill "$1" 2>/dev/null || true
	wait "$1" || true
}

# Its files are in memory: the disk is not what is measured.
start_nfcapd()
{
	rm -rf /run/flows
	mkdir /run/flows
	start NFCAPD nfcapd -C none -w /run/flows -p 9995 -t 3600 -B 16000000 -I bench
	until ss -Hln --udp 'sport = :9995' | grep -q .; do sleep 0.05; done
}

# Datagrams that found nfcapd's receive buffer full.
nfcapd_drops()
{
	awk '$2 ~ /:270B$/ { n += $NF } END { print n + 0 }' /proc/net/udp
}

# Records that nfcapd stored, after its end.
nfcapd_records()
{
	sed -n 's/.* Flows: \([0-9]*\),.*/\1/p' "$work/NFCAPD.log" | tail -n 1
}

# ---- cost: one packet through the program, BPF_PROG_TEST_RUN ---------------------

bench_cost()
{
	$BENCH/packet_cost -r "$(quick 3 15)"
	$BENCH/packet_cost -r "$(quick 3 7)" -k xdp 1024:0
	for kind in tagged ipv6 tagged_ipv6; do
		$BENCH/packet_cost -r "$(quick 3 7)" -f $kind 1024:0
	done
}

# ---- fields: what each group of fields adds to a packet --------------------------

bench_fields()
{
	$BENCH/field_cost -r "$(quick 3 7)"
}

# ---- live: frames through a veth pair ----------------------------------------------

bench_live()
{
	$BENCH/live_cost send0 receive0 "$(quick 2 5)" "$(quick 1000000 3000000)" $FLOWS
}

# ---- sweep: the daemon's pass over the table; memory ---------------------------------

bench_sweep()
{
	$BENCH/sweep_cost
}

# ---- anomaly: what the detectors add to a sweep of active Flows -----------------------

bench_anomaly()
{
	$BENCH/anomaly_cost $FLOWS "$(quick 3 9)"
}

# ---- export: the highest of a few rates that nfcapd takes without loss ------------------

bench_export()
{
	export_protocol ipfix IPFIX 2000000
	export_protocol netflow9 "NetFlow v9" 1000000
}

# export_protocol PROTOCOL NAME LEAST
export_protocol()
{
	local rate result lost drops n
	n=$(quick 1000000 3000000)

	for rate in $(quick "1600000 800000" "2500000 2100000 1600000 1200000 800000"); do
		start_nfcapd
		result=$($BENCH/export_rate 127.0.0.1:9995 "$n" "$rate" "$1" 2>>"$work/export.log")
		sleep 1
		drops=$(nfcapd_drops)
		stop "$NFCAPD"
		lost=$((n - $(nfcapd_records)))
		[ $lost -ne 0 ] || [ "$drops" -ne 0 ] || break
		row "export, $2: lost at $rate records/s asked for" $lost records
	done
	row "export, $2: records/s that nfcapd took, none lost" "$(jq .per_s <<<"$result")" \
		records/s - ">=" "$3"
	row "export, $2: lost at that rate (nfcapd's sum, drops $drops)" $lost records - "<=" 0
	row "export, $2: processor time, record to datagram" "$(jq .cpu_ns <<<"$result")" ns/record
}

# ---- idle: from the last packet to the last Flow's end, 1 M Flows live --------------------
# A tenth of them falls idle in each second, in the order in which they came.

now_s()
{
	date +%s.%3N
}

# wait_true EXPRESSION COMMAND: until what xflowctl says fulfils it; prints seconds since $last_s.
wait_true()
{
	local asked_s

	for _ in {1..1200}; do
		asked_s=$(now_s)
		if [ "$(./xflowctl --json "$2" | jq "$1")" = true ]; then
			calculate "$asked_s - $last_s"
			return
		fi
		sleep 0.02
	done
	echo null
}

bench_idle()
{
	local idle_s=12 last_s retired_s sent_s

	cat >"$work/idle.yaml" <<-END
		interfaces:
		  - {name: receive0, ingress: xdp}
		flow_cache: {max_flows: 1400000, idle_timeout_s: $idle_s, sweep_interval_s: 1}
		exporters:
		  - {address: "127.0.0.1:9995"}
	END
	start_nfcapd
	start PROBE ./xflow-probe -c "$work/idle.yaml"
	until ./xflowctl --json status >"$work/status.log" 2>&1; do sleep 0.05; done
	$BENCH/livegen -i send0 -d $NOBODY -f $FLOWS -n $FLOWS -r $((FLOWS / 10)) \
		>"$work/livegen.log"
	last_s=$(now_s)
	retired_s=$(wait_true ".sweep.retired >= $FLOWS" status)
	sent_s=$(wait_true ".sent_records >= $FLOWS and .in_cache_flows == 0" ledger)
	stop "$PROBE"
	stop "$NFCAPD"
	row "idle: last of 1 M Flows retired after (timeout $idle_s s)" "$retired_s" s - "<=" \
		"$(calculate "$idle_s + 1.1")"
	row "idle: last record sent after" "$sent_s" s - "<=" "$(calculate "$idle_s + 2.1")"
	row "idle: records that nfcapd did not get" $((FLOWS - $(nfcapd_records))) records - "<=" 0
}

# ---- offline: a capture file, beside nfpcapd ----------------------------------------------

# timed COMMAND...: wall-clock seconds; what it prints goes to $work/timed.log.
timed()
{
	local start_s

	start_s=$(now_s)
	"$@" >"$work/timed.log" 2>&1
	calculate "$(now_s) - $start_s"
}

# Wall-clock time of both over one capture, the better of two runs that take turns.
bench_capture()
{
	local flows=$1 packets=$2 file=$work/bench.pcap ours=1e9 theirs=1e9 s

	$BENCH/pcap_make "$file" "$packets" "$flows"
	mkdir "$work/nfpcapd"
	for _ in $(seq "$(quick 1 2)"); do
		s=$(timed ./xflow-probe -r "$file" -o none \
			--collector "file:$work/bench.ipfix")
		ours=$(jq -n "[$ours, $s] | min")
		s=$(timed nfpcapd -r "$file" -w "$work/nfpcapd" -e 60,15)
		theirs=$(jq -n "[$theirs, $s] | min")
	done
	rm -rf "$work/nfpcapd" "$file" "$work/bench.ipfix"
	row "offline: $packets packets, $flows Flows" "$ours" s
	row "  faster than nfpcapd ($theirs s)" "$ours" s "$(calculate "$theirs / $ours")" ">=" 3
}

bench_offline()
{
	local packets day=../shared/captures/scans/backscatter.trace
	packets=$(quick 1000000 5000000)

	bench_capture 10000 "$packets"
	bench_capture $FLOWS "$packets"
	if [ -e $day ]; then
		row "offline: backscatter.trace, 24 hours of packet time" \
			"$(timed ./xflow-probe -r $day -o none --collector "file:$work/day.ipfix")" s \
			- "<" 2
	fi
}

main()
{
	local section

	isolate "$@"
	make_link
	[ $# -gt 0 ] || set -- cost fields live sweep anomaly export idle offline
	printf '%s, %s CPUs, Linux %s, load average %s\n\n' \
		"$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
		"$(cut -d ' ' -f 1 /proc/loadavg)"
	printf 'name\tvalue\tunit\tratio\ttarget\tok?\n' | lay_out
	for section in "$@"; do
		"bench_$section" | lay_out
	done
	printf '\n%d s, load average now %s\n' $SECONDS "$(cut -d ' ' -f 1 /proc/loadavg)"
}

main "$@"
