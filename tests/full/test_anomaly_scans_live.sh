#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# nmap's scans of a live host are told by their means, one incident each, with the
# right source and target; a capture of the same packets gives the same; ordinary use
# of the network between them gives nothing.
# timeout: 110
. "$(dirname "$0")/../lib/netns.sh"
need nmap jq tshark curl python3

netns_pair client server
SERVER=$(ns_addr4 server)
# what is sent there reaches the server's end, and nobody answers
ip -n "$(ns_name client)" route add 192.0.2.0/24 via "$SERVER"
ns_exec server sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=10000 \
	net.ipv4.icmp_msgs_burst=10000 2>/dev/null || true
start_bg_in server LISTENER python3 -m http.server -d "$TEST_DIR" 80
wait_port server tcp 80
start_bg_in server CAPTURE tshark -q -i veth0 -w "$TEST_DIR/pcap" -f "ip"
wait_for "[ -s $TEST_DIR/pcap ]" 10
start_probe server -i veth0:egress -o none --detect-anomalies

for i in $(seq 40); do
	ns_exec client curl -s -o "$TEST_DIR/page" "http://$SERVER/"
	ns_exec client ping -q -c 1 "$SERVER" >/dev/null
done
[ ! -s "$TEST_DIR/probe.out" ] || fail "ordinary use: $(cat "$TEST_DIR/probe.out")"

expected=
# scan NUMBER CLASS SUBCLASS TARGET|- ARG...: from an address of its own, 10.77.0.NUMBER
scan()
{
	local source=10.77.0.$1

	expected+="$2 $3 $source $4"$'\n'
	ip -n "$(ns_name client)" addr add "$source/24" dev veth0
	timeout 20 nsenter --net="/run/netns/$(ns_name client)" nmap -n -Pn -S "$source" -e veth0 \
		--disable-arp-ping --max-retries 0 "${@:5}" >"$TEST_DIR/nmap.log" 2>&1 ||
		fail "nmap ${*:5}: $(cat "$TEST_DIR/nmap.log")"
}
scan 101 port-scan syn "$SERVER" -sS "$SERVER"
scan 102 port-scan fin "$SERVER" -sF -p 1-20 "$SERVER"
scan 103 port-scan null "$SERVER" -sN -p 1-20 "$SERVER"
scan 104 port-scan xmas "$SERVER" -sX -p 1-20 "$SERVER"
scan 105 port-scan maimon "$SERVER" -sM -p 1-30 "$SERVER"
scan 106 port-scan ack "$SERVER" -sA -p 1-30 "$SERVER"
scan 107 port-scan udp "$SERVER" -sU --min-rate 200 -p 3000-3060 "$SERVER"
scan 108 port-scan ip-protocol "$SERVER" -sO --min-rate 200 "$SERVER"
scan 109 address-scan syn - -sS --min-rate 300 -p 445 192.0.2.0/24
scan 110 block-scan syn - -sS --min-rate 300 -p 1-20 192.0.2.1-20
expected+="port-scan connect 10.77.0.1 $SERVER"$'\n'
ns_exec client nmap -n -Pn -sT -p 1-100 "$SERVER" >"$TEST_DIR/nmap.log"
# a ping of each, by the one program that takes no -S for it
expected+="address-scan icmp 10.77.0.1 -"$'\n'
ns_exec client nmap -n -sn -PE --max-retries 0 192.0.2.0/24 >"$TEST_DIR/nmap.log"

# starts FILE: class, subclass, source and target of each start
starts()
{
	jq -r 'select(.type == "event" and .state == "start") | [.class, .subclass,
		.sourceIPv4Address // "-", .destinationIPv4Address // "-"] | join(" ")' "$1" | sort
}
expected=$(sort <<<"${expected%$'\n'}")
for _ in $(seq 100); do
	[ "$(starts "$TEST_DIR/probe.out")" != "$expected" ] || break
	sleep 0.1
done
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg CAPTURE || true
diff <(echo "$expected") <(starts "$TEST_DIR/probe.out") >"$TEST_DIR/diff.log" ||
	fail "live, expected and told: $(cat "$TEST_DIR/diff.log")"
jq -se 'map(select(.type == "event")) | group_by(.eventId) |
	all((map(select(.state == "start")) | length) == 1 and
	    (map(select(.state == "end")) | length) == 1 and length <= 3)' \
	"$TEST_DIR/probe.out" >/dev/null || fail "not one start and one end: $(cat "$TEST_DIR/probe.out")"
jq -se 'all(.visibility == "both")' "$TEST_DIR/probe.out" >/dev/null || fail "visibility"

./xflow-probe -r "$TEST_DIR/pcap" -o none --detect-anomalies >"$TEST_DIR/offline.out"
diff <(echo "$expected") <(starts "$TEST_DIR/offline.out") >"$TEST_DIR/diff.log" ||
	fail "of the capture, expected and told: $(cat "$TEST_DIR/diff.log")"
