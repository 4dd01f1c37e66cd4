#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# make demo: two private hosts talk, xflow-probe meters the link between them
# and exports to nfcapd, nfdump shows what arrived. Exit status 0 only if every
# packet is accounted for and nfdump has exactly those that were exported.
trap 'exit 130' INT TERM HUP
set -euo pipefail

# In namespaces of its own (network, mounts, processes) nothing can outlive the
# demo or be seen outside; its files are in a private /run.
if [ -z "${XFLOW_DEMO_ISOLATED:-}" ]; then
	[ "$(id -u)" -eq 0 ] || { echo "The demo needs root: sudo make demo" >&2; exit 1; }
	unshare --net --mount --pid --fork true ||
		{ echo "The demo needs to create namespaces, which is forbidden here." >&2; exit 1; }
	XFLOW_DEMO_ISOLATED=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc "$0"
fi
mount -t tmpfs tmpfs /run
mkdir /run/netns
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
export TMPDIR=/run

. "$(dirname "$0")/../lib/netns.sh"
command -v dumpcap >/dev/null || wire_check=no # it is no package of the demo
trap 'rm -f "$TEST_DIR"/*.log; echo; echo "Interrupted; cleaning up."; exit 130' INT TERM HUP
PATH=$PWD:$PATH

bold='' plain=''
if [ -t 1 ]; then
	bold=$'\e[1m' plain=$'\e[0m'
fi

# heading TITLE [LINE...]
heading()
{
	printf '\n%s== %s ==%s\n' "$bold" "$1" "$plain"
	[ $# -eq 1 ] || printf '%s\n' "${@:2}"
}

# show COMMAND...: as a user types it, with its output.
show()
{
	# Quotes only where they are needed.
	printf '\n%s$ %s%s\n' "$bold" "${*@Q}" "$plain" | sed "s/'\([A-Za-z0-9_.,:\/-]*\)'/\1/g"
	"$@"
}

# show_flows ARG...: one of nfdump's tables, without the summary below it.
show_flows()
{
	show nfdump -R flows "$@" | sed -e '/^Summary:/,$d' -e 's/  *$//' | cat -s
}

nfdump()
{
	(cd "$TEST_DIR" && command nfdump -C none "$@")
}

# --- traffic ---

# traffic WHAT COMMAND...: run by the client at the same time as the others.
traffic()
{
	printf '  %-22s %s\n' "$1" "${*:2}"
	start_bg_in client "CLIENT${#clients[@]}" "${@:2}"
	clients+=("CLIENT${#clients[@]}")
}

start_servers()
{
	local port

	for port in 5201 5202 5203 5204; do
		start_bg_in server "IPERF$port" iperf3 --server --one-off --port $port
	done
	start_bg_in server DNSMASQ dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts \
		--no-resolv --local=/example.test/ --pid-file --user=root --listen-address="$server4,$server6" --bind-interfaces \
		--address="/www.example.test/$server4" --address="/www.example.test/$server6"
	mkdir "$TEST_DIR/www"
	head -c 100000 /dev/zero >"$TEST_DIR/www/index.html"
	start_bg_in server HTTPD python3 -m http.server --bind :: --directory "$TEST_DIR/www" 80
	for port in 5201 5202 5203 5204 53 80; do
		wait_port server tcp $port
	done
}

start_clients()
{
	local name

	traffic "bulk TCP over IPv4" iperf3 -c "$server4" -p 5201 -t 6 -b 40M
	traffic "bulk TCP over IPv6" iperf3 -c "$server6" -p 5202 -t 6 -b 20M
	traffic "bulk UDP over IPv4" iperf3 -c "$server4" -p 5203 -t 6 -b 10M -u
	traffic "bulk UDP over IPv6" iperf3 -c "$server6" -p 5204 -t 6 -b 5M -u
	traffic "ping" ping -q -c 30 -i 0.2 "$server4"
	traffic "ping over IPv6" ping -q -c 30 -i 0.2 "$server6"
	for name in www.example.test nowhere.example.test; do
		traffic "DNS" dig +tries=1 "@$server4" $name A $name AAAA
		traffic "DNS over IPv6" dig +tries=1 "@$server6" $name A
	done
	traffic "HTTP" curl -s -o /dev/null "http://$server4/"
	traffic "HTTP over IPv6" curl -s -o /dev/null "http://[$server6]/"
	traffic "a port scan" nmap -n -Pn -sS -p 1-400 "$server4"
}

wait_clients()
{
	local client

	for client in "${clients[@]}"; do
		wait_bg "$client" || fail "a client ended with an error"
	done
}

ledger_value()
{
	xflowctl --json ledger | jq "$1"
}

# Compares the probe's last words, its final ledger, with what nfcapd stored.
judge()
{
	local ledger exported stored missed

	ledger=$(jq -c 'select(.type == "ledger")' "$TEST_DIR/probe.out")
	exported=$(jq -r '"\(.exported_packets) packets, \(.exported_octets) octets"' <<<"$ledger")
	stored=$(nfdump_json "$TEST_DIR/flows" |
		jq -r '"\(map(.in_packets) | add) packets, \(map(.in_bytes) | add) octets"')
	missed=$(sed -n 's/.*Sequence Errors: \([0-9]*\).*/\1/p' "$TEST_DIR/NFCAPD.log")
	printf '  %-28s %s\n' "exported, says the ledger:" "$exported" \
		"stored, says nfdump:" "$stored" "sequence errors of nfcapd:" "$missed"
	jq -e '.balanced and .exported_packets > 0' <<<"$ledger" >/dev/null ||
		fail "the final ledger does not balance"
	assert_eq "what nfcapd stored" "$exported" "$stored"
	assert_eq "sequence errors" 0 "$missed"
	printf '\n%sThe ledger balances and the two agree: no packet is missing.%s\n' "$bold" "$plain"
}

# --- the demo ---

clients=()
columns='fmt:%ts %pr %sap -> %dap %flg %pkt %byt'
echo "Two private hosts, client and server, joined by a cable that leads nowhere else."
netns_pair client server
server4=$(ns_addr4 server) server6=$(ns_addr6 server) client4=$(ns_addr4 client)
scan="src ip $client4 and proto tcp and packets < 3 and flags S and not flags AFPU"
start_servers

heading "The collector and the probe" "On the server: nfcapd stores what xflow-probe exports." \
	"Short timeouts, so that the demo is short." \
	"" "${bold}\$ nfcapd -w flows -p 9995" \
	"\$ xflow-probe -i veth0:egress --collector 127.0.0.1:9995 --active-timeout 5 --idle-timeout 2 --detect-anomalies${plain}"
start_nfcapd "$TEST_DIR/flows" 9995 server
start_probe server -i veth0:egress --collector 127.0.0.1:9995 --active-timeout 5 --idle-timeout 2 \
	--detect-anomalies -v

heading "Real traffic" "All at once, from the client ($client4) to the server ($server4, $server6):"
start_clients
sleep 3

heading "While it runs" "The probe answers xflowctl: how it is attached, and the largest Flows in its cache."
show xflowctl status
show xflowctl top flows 5

wait_clients
wait_for "[ \"\$(ledger_value '.in_cache_packets + .queued_packets')\" = 0 ]" 15
ledger_text=$(xflowctl ledger)
events_text=$(xflowctl events | cut -c 1-200)
stop_bg PROBE || fail "xflow-probe ended with an error"
stop_bg NFCAPD || fail "nfcapd ended with an error"

heading "Who talked, in which protocols" "What nfcapd stored, as nfdump sees it."
show_flows -s proto/bytes
show_flows -s ip/bytes -n 5
heading "The largest Flows"
show_flows -n 8 -O bytes -o "$columns"

heading "The port scan" "One source, a new port every time, one SYN each. The first six of" \
	"$(nfdump -q -R flows -o csv "$scan" | grep -c ",$client4,") Flows that only knocked:"
show_flows -c 6 -o "$columns" "$scan"
printf '\n%s\n\n' "The probe raised it while it went on:" "${bold}\$ xflowctl events$plain"
echo "$events_text"
jq -e -s --arg client "$client4" 'map(select(.state == "start")) | length == 1 and
	all(.class == "port-scan" and .sourceIPv4Address == $client)' "$TEST_DIR/probe.out" \
	>/dev/null || fail "not just the scan was raised as an event"

heading "Every packet is accounted for" "Before it ended, the probe said:" \
	"" "${bold}\$ xflowctl ledger$plain" "$ledger_text" \
	"" "And the collector at the other end:"
judge
