#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A Collector is told of the probe: what was sent to it, what was ignored, the names
# of interfaces, Flow Keys and the types of our own elements, as the ledger says. All
# read it: the test Collector, tshark, ipfixDump, nfacctd, and nfcapd, which counts no
# Sequence Error by it.
# timeout: 120
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nfcapd nfdump nfacctd tshark ipfixDump jq

netns_pair client server
ns_mute client veth0
ip -n "$(ns_name server)" link set veth0 alias "uplink to Zürich"
index=$(ip -n "$(ns_name server)" -j link show veth0 | jq '.[0].ifindex')
cat >"$TEST_DIR/nfacctd.conf" <<-END
	daemonize: false
	nfacctd_port: 9997
	plugins: print[p]
	print_output[p]: json
	print_output_file[p]: $TEST_DIR/nfacctd.json
	print_refresh_time[p]: 2
	aggregate[p]: proto
	logfile: $TEST_DIR/nfacctd.out
END
cat >"$TEST_DIR/probe.yaml" <<-END
	interfaces: [{name: veth0}]
	flow_cache: {idle_timeout_s: 1, active_timeout_s: 1}
	exporters:
	  - {name: nfcapd, address: "127.0.0.1:9995", template_refresh_s: 2, fields: [base, tcp]}
	  - {name: collector, address: "127.0.0.1:9996", template_refresh_s: 2, fields: [base, tcp, size], options: all}
	  - {name: nfacctd, address: "127.0.0.1:9997", template_refresh_s: 2}
	  - {name: tcp, address: "127.0.0.1:9998", transport: tcp, template_refresh_s: 2}
	  - {name: plain, address: $TEST_DIR/plain, transport: file, options: none}
	  - {name: file, address: $TEST_DIR/file, transport: file, template_refresh_s: 2}
	control: {socket: $PROBE_SOCKET}
END
wire_options=(--refresh 2)
wire_files=("$TEST_DIR/plain" "$TEST_DIR/file")
start_nfcapd "$TEST_DIR/flows" 9995 server
start_collector_test "$TEST_DIR/collected" udp 9996 server --elements conf/xflow-ie.xml
wire_record server 9997
start_bg_in server NFACCTD nfacctd -f "$TEST_DIR/nfacctd.conf"
wait_port server udp 9997
wire_record server 9998
bg_stdout=$TEST_DIR/over_tcp start_bg_in server OVER_TCP ./xflow-collector-test --tcp 9998
wait_port server tcp 9998
start_probe server -c "$TEST_DIR/probe.yaml" -o json

# Flows, packets that are ignored (truncated), and such that are not IP.
for _ in 1 2; do
	ns_exec client $SEND_FLOWS veth0 5 >>"$TEST_DIR/sent"
	wait_for "live_ledger | jq -e '.exported_flows > 0 and .in_cache_flows == 0'" 10
	ns_exec client python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("veth0", 0))
for kind, n in ((0x0800, 7), (0x0806, 5)):
    for _ in range(n):
        s.send(b"\x02\x77\0\0\0\x02" + b"\x02\x77\0\0\0\x01" + kind.to_bytes(2, "big") + b"\x45" + bytes(11))'
	sleep 2.5 # a refresh
done
stop_bg PROBE || fail "the probe ended with status $?"
exported=$(probe_ledger | jq .exported_flows)
assert_balanced

# of: the last record of an Options Template that the Collector has
of()
{
	jq -s --argjson id "$2" "map(select(.type == \"options\" and .templateId == \$id)) | last | $3" "$1"
}
wait_for "[ \$(of $TEST_DIR/collected 320 .exportedFlowRecordTotalCount) = $exported ]" 10
wait_for "[ \$(of $TEST_DIR/over_tcp 320 .exportedFlowRecordTotalCount) = $exported ]" 10
stop_bg COLLECTOR || fail "the test Collector found faults: $(tail -n 1 "$TEST_DIR/collected")"
stop_bg OVER_TCP || fail "the test Collector found faults over TCP: $(tail -n 1 "$TEST_DIR/over_tcp")"
stop_bg NFCAPD

# Statistics: all before the Message that says so.
exporter()
{
	probe_ledger | jq ".exporters[] | select(.name == \"$1\") | .$2"
}
for one in collector:collected tcp:over_tcp; do
	messages=$(($(exporter "${one%:*}" messages) - 1))
	assert_eq "Messages told to ${one%:*}" $messages "$(of "$TEST_DIR/${one#*:}" 320 .exportedMessageTotalCount)"
	assert_eq "domain told to ${one%:*}" 1 "$(of "$TEST_DIR/${one#*:}" 320 '."observationDomainId#2"')"
done
# Ignored: the reasons but not_ip, each packet once, between two moments of the run.
ignored=$(probe_ledger | jq '([.reasons[]] | add) - .reasons.not_ip + .overflow_packets')
[ "$ignored" -ge 14 ] || fail "$ignored packets ignored"
assert_eq "packets ignored" "$ignored" "$(of "$TEST_DIR/collected" 321 .ignoredPacketTotalCount)"
of "$TEST_DIR/collected" 321 '.observationTimeSeconds < ."observationTimeSeconds#2"' | grep -qx true ||
	fail "no first and last time: $(of "$TEST_DIR/collected" 321 .)"
assert_eq "records of losses in sending" null "$(of "$TEST_DIR/collected" 322 .)"
# Names and aliases.
jq -es "map(select(.ingressInterface? == $index and .type == \"options\")) |
	length >= 2 and all(.interfaceName == \"veth0\" and .interfaceDescription == \"uplink to Zürich\")" \
	"$TEST_DIR/collected" >/dev/null || fail "no name of interface $index"
jq -es "map(select(.ingressInterface? == $index and .type == \"options\")) |
	length >= 2 and all(.interfaceName == \"veth0\" and (has(\"interfaceDescription\") | not))" \
	"$TEST_DIR/over_tcp" >/dev/null || fail "no name of interface $index over TCP"
# Flow Keys: of each Template with every copy, or with the first.
jq -es 'map(select(.flowKeyIndicator?)) | group_by(."templateId#2") | length == 4 and all(length >= 2)' \
	"$TEST_DIR/collected" >/dev/null || fail "no Flow Keys with each copy"
jq -es 'map(select(.flowKeyIndicator?)) | length == 4' "$TEST_DIR/over_tcp" >/dev/null ||
	fail "no Flow Keys over TCP"
# Types: of all elements of the two groups.
jq -s 'map(select(.informationElementName?) | .informationElementName) | unique | .[]' \
	"$TEST_DIR/collected" >"$TEST_DIR/described"
assert_eq "elements described" 12 "$(wc -l <"$TEST_DIR/described")"

# Others read it.
grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/NFCAPD.log" || fail "nfcapd found faults"
! grep -i 'error\|extra bytes' "$TEST_DIR/NFCAPD.log" | grep -v 'Sequence Errors: 0' || fail "nfcapd complains"
assert_flows "in nfdump" "flows_sent $TEST_DIR/sent" "flows_in_nfdump $TEST_DIR/flows"
! grep -iE 'malformed|incomplete|discard|unknown template' "$TEST_DIR/nfacctd.out" || fail "nfacctd complains"
ipfixDump --in "$TEST_DIR/file" >"$TEST_DIR/dumped" 2>&1 || fail "ipfixDump failed"
for name in exportedFlowRecordTotalCount ignoredPacketTotalCount 'interfaceName : .*veth0' flowKeyIndicator; do
	grep -q "$name" "$TEST_DIR/dumped" || fail "ipfixDump shows no $name"
done
sleep 0.5 # of the capture's last packets
for port in 9996 9998; do
	transport=$([ $port = 9996 ] && echo udp || echo tcp)
	tshark -r "$TEST_DIR/wire.server.$port.pcap" -d "$transport.port==$port,cflow" -V \
		>"$TEST_DIR/tshark" 2>"$TEST_DIR/TSHARK.log"
	grep -q 'IfName: veth0\|interfaceName.*veth0' "$TEST_DIR/tshark" || fail "tshark shows no interface name on $port"
	! grep -qi malformed "$TEST_DIR/tshark" || fail "tshark: malformed on $port"
done

# `none` is none of it, and no other ever has a sampling rate (checked on the wire).
./xflow-collector-test --read "$TEST_DIR/plain" | tail -n 1 | jq -e ".options_records == 0 and .records == $exported" \
	>/dev/null || fail "options records in spite of none"
