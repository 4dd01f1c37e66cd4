#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# live.sh nmap|hping3 DIR: attacks by a real tool in two private namespaces, watched by
# the probe at the struck end. Leaves in DIR what the probe told (events) and what was
# done (labels), each begun when the tool was started.
if [ -z "${XFLOW_ISOLATED:-}" ]; then
	XFLOW_ISOLATED=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi
mount -t tmpfs tmpfs /run && mkdir /run/netns && mount -t sysfs sysfs /sys &&
	mount -t bpf bpf /sys/fs/bpf && ip link set lo up || exit 1
tool=$1 out=$2
. "$(dirname "$0")/../lib/netns.sh"
need "$tool" curl python3

# what is around the server stays quiet, so that only the probe's view counts
prepare()
{
	netns_pair client server
	SERVER=$(ns_addr4 server)
	ip -n "$(ns_name client)" route add 192.0.2.0/24 via "$SERVER"
	ip -n "$(ns_name server)" route add default via "$(ns_addr4 client)"
	ns_exec server sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=10000 \
		net.ipv4.icmp_msgs_burst=10000 2>/dev/null || true
	start_bg_in server LISTENER python3 -m http.server -d "$TEST_DIR" 80
	wait_port server tcp 80
	echo "anomaly: {enabled: true, local_networks: [$SERVER/32]}" >"$TEST_DIR/probe.yaml"
	start_probe server -c "$TEST_DIR/probe.yaml" -i veth0:egress -o none
}

ordinary_use()
{
	local i

	for i in $(seq 30); do
		ns_exec client curl -s -o "$TEST_DIR/page" "http://$SERVER/"
		ns_exec client ping -q -c 1 "$SERVER" >/dev/null
	done
}

# attack SECONDS KIND DETECTOR CLASS SUBCLASS SOURCE|any|none TARGET|none RATE COMMAND...
attack()
{
	local begin sides=""

	begin=$(date +%s.%N)
	timeout -s INT "$1" nsenter --net="/run/netns/$(ns_name client)" "${@:9}" \
		>"$TEST_DIR/tool.log" 2>&1 || true
	case $6 in
	any) ;;
	none) sides=', "source": null' ;;
	*) sides=", \"source\": \"$6\"" ;;
	esac
	case $7 in
	none) sides+=', "destination": null' ;;
	*) sides+=", \"destination\": \"$7\"" ;;
	esac
	echo "{\"kind\": \"$2\", \"detector\": \"$3\", \"class\": [\"$4\"], \"subclass\": [\"$5\"]," \
		"\"begin\": $begin, \"end\": $(date +%s.%N), \"rate\": $8$sides}" >>"$out/labels"
}

# scan NUMBER CLASS SUBCLASS TARGET|none ARG...: by nmap, from 10.77.0.NUMBER
scan()
{
	local source=10.77.0.$1

	[ "$1" = 1 ] || ip -n "$(ns_name client)" addr add "$source/24" dev veth0
	attack 20 "nmap ${*:5:2}" scan "$2" "$3" "$source" "$4" 100 nmap -n -Pn -S "$source" -e veth0 \
		--disable-arp-ping --max-retries 0 "${@:5}"
}

run_nmap()
{
	scan 101 port-scan syn "$SERVER" -sS "$SERVER"
	scan 102 port-scan fin "$SERVER" -sF -p 1-100 "$SERVER"
	scan 103 port-scan null "$SERVER" -sN -p 1-100 "$SERVER"
	scan 104 port-scan xmas "$SERVER" -sX -p 1-100 "$SERVER"
	scan 105 port-scan maimon "$SERVER" -sM -p 1-100 "$SERVER"
	scan 106 port-scan ack "$SERVER" -sA -p 1-100 "$SERVER"
	scan 107 port-scan ack "$SERVER" -sW -p 1-100 "$SERVER"
	scan 108 port-scan udp "$SERVER" -sU --min-rate 200 -p 3000-3100 "$SERVER"
	scan 109 port-scan ip-protocol "$SERVER" -sO --min-rate 200 "$SERVER"
	scan 110 address-scan syn none -sS --min-rate 300 -p 445 192.0.2.0/24
	scan 111 block-scan syn none -sS --min-rate 300 -p 1-20 192.0.2.1-20
	scan 112 address-scan udp none -sU --min-rate 200 -p 161 192.0.2.0/24
	attack 20 "nmap -sT" scan port-scan connect 10.77.0.1 "$SERVER" 100 \
		nmap -n -Pn -sT -p 1-200 "$SERVER"
	attack 20 "nmap -sn -PE" scan address-scan icmp 10.77.0.1 none 100 \
		nmap -n -sn -PE --max-retries 0 192.0.2.0/24
}

# From addresses forged; each with a pause, so that one flood ends before the next
run_hping3()
{
	attack 20 "hping3 --scan" scan port-scan syn 10.77.0.1 "$SERVER" 100 \
		hping3 --scan 1-400 -S "$SERVER"
	attack 5 "hping3 xmas" scan port-scan xmas 10.77.0.154 "$SERVER" 100 \
		hping3 -q -F -P -U -p ++1 -a 10.77.0.154 -c 300 -i u5000 "$SERVER"
	attack 5 "hping3 land" violation protocol-violation land any "$SERVER" 5 \
		hping3 -q -S -a "$SERVER" -s 139 -k -p 139 -c 5 -i u200000 "$SERVER"
	attack 5 "hping3 syn-fin" violation protocol-violation syn-fin 10.77.0.153 "$SERVER" 5 \
		hping3 -q -S -F -p 80 -a 10.77.0.153 -c 6 -i u200000 "$SERVER"
	attack 8 "hping3 port zero" violation protocol-violation port-zero 10.77.0.155 "$SERVER" 5 \
		hping3 -q -2 -p 0 -a 10.77.0.155 -c 30 -i u150000 "$SERVER"
	attack 6 "hping3 SYN flood, forged" syn_flood syn-flood syn none "$SERVER" 3000 \
		hping3 -q -S -p 80 --rand-source -i u200 "$SERVER"
	sleep 65
	attack 6 "hping3 SYN flood, one host" syn_flood syn-flood syn 10.77.0.151 "$SERVER" 3000 \
		hping3 -q -S -p 443 -a 10.77.0.151 -i u200 "$SERVER"
	sleep 65
	attack 5 "hping3 UDP flood, forged" volume ddos udp none "$SERVER" 20000 \
		hping3 -q -2 -p 9999 --rand-source --flood "$SERVER"
	sleep 65
	attack 5 "hping3 ICMP flood, one host" volume ddos icmp any "$SERVER" 20000 \
		hping3 -q -1 -a 10.77.0.152 --flood "$SERVER"
	sleep 65
	attack 5 "hping3 ACK flood, forged" volume ddos ack none "$SERVER" 20000 \
		hping3 -q -A -p 8443 --rand-source --flood "$SERVER"
}

prepare
ordinary_use
"run_$tool"
sleep 8 # what was silent is told of
stop_bg PROBE || fail "the probe ended with status $?"
cp "$TEST_DIR/probe.out" "$out/events"
