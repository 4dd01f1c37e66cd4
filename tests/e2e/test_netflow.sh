#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# NetFlow v9 and v5 in real Collectors: each record nfcapd stored equals the one the
# probe prints, field by field, of IPv4, IPv6, ICMP, SCTP and VLANs, metered live and
# from captures; no Sequence Error; nfacctd has the same totals; tshark finds nothing
# malformed, and reads the options data: counts, and names of interfaces; and the ledger says what v5 has no form for.
# timeout: 90
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
. tests/lib/nfdump.sh
need nfcapd nfdump nfacctd tshark dumpcap capinfos jq

wire_check=no # that is of IPFIX
port9=9995 port5=9996 port_pmacct=9997
netns_pair client server
ns_mute client veth0
ip -n "$(ns_name server)" link set veth0 alias "uplink"
start_bg_in server DUMPCAP dumpcap -q -i lo -f 'udp or icmp' -w "$TEST_DIR/export.pcapng"
wait_for "grep -q '^File:' $TEST_DIR/DUMPCAP.log" 10
start_nfcapd "$TEST_DIR/v9" $port9 server
NFCAPD9=$NFCAPD && mv "$TEST_DIR/NFCAPD.log" "$TEST_DIR/NFCAPD9.log"
start_nfcapd "$TEST_DIR/v5" $port5 server
cat >"$TEST_DIR/nfacctd.conf" <<END
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: $port_pmacct
plugins: print[p]
aggregate[p]: proto, tcpflags, vlan
print_output[p]: json
print_output_file[p]: $TEST_DIR/pmacct.json
print_output_file_append: true
print_refresh_time[p]: 3600
END
start_bg_in server NFACCTD nfacctd -f "$TEST_DIR/nfacctd.conf"
wait_port server udp $port_pmacct
collectors=(--collector "netflow9:127.0.0.1:$port9" --collector "netflow5:127.0.0.1:$port5"
	--collector "netflow9:127.0.0.1:$port_pmacct")

# Live: what the sending host's namespace sends, some Flows in several records.
start_probe server -i veth0 "${collectors[@]}" -o json --active-timeout 1 --idle-timeout 1
ns_exec client $SEND_FLOWS veth0 50 >"$TEST_DIR/sent"
wait_for "live_ledger | jq -e '.exported_flows > 0 and .in_cache_flows == 0'" 10
ns_exec client $SEND_FLOWS veth0 50 >>"$TEST_DIR/sent"
wait_seen "$(awk '/^total/ {n += $2} END {print n}' "$TEST_DIR/sent")"
stop_bg PROBE || fail "the probe ended with status $?"
assert_balanced
assert_ledger '.exporters[1] | .not_sent_unsupported_records > 0 and
	.accepted_records == .sent_records + .not_sent_unsupported_records'
assert_ledger '[.exporters[0, 2] | .sent_records] == [.exported_flows, .exported_flows]'
assert_eq "lines in the log on what v5 lacks" 1 \
	"$(grep -c 'NetFlow v5 has no records of IPv6' "$TEST_DIR/PROBE.log")"
cp "$TEST_DIR/probe.out" "$TEST_DIR/printed"

# Captures: times of years ago. Each run counts from 0, so each is a source of its own.
.output/tests/e2e/write_captures "$TEST_DIR"
domain=1
for capture in ethernet.pcap raw.pcap; do
	domain=$((domain + 1))
	config=$(probe_config "observation_domain_id: $domain")
	ns_exec server ./xflow-probe -c "$config" -r "$TEST_DIR/$capture" -o json "${collectors[@]}" \
		>>"$TEST_DIR/printed" 2>>"$TEST_DIR/OFFLINE.log" || fail "$capture: status $?"
done
[ "$(jq -s 'map(select(.type == "ledger") | .balanced) | all' "$TEST_DIR/printed")" = true ] ||
	fail "a ledger does not balance"
messages=$(jq -s '[.[] | select(.type == "ledger") | .exporters[].messages] | add' \
	"$TEST_DIR/printed")
wait_for "[ \$(capinfos -TMrc $TEST_DIR/export.pcapng | cut -f 2) -ge $messages ]" 10
stop_bg DUMPCAP INT
stop_bg NFCAPD
mv "$TEST_DIR/NFCAPD.log" "$TEST_DIR/NFCAPD5.log"
NFCAPD=$NFCAPD9 && stop_bg NFCAPD
stop_bg NFACCTD INT

nfdump_expected "$TEST_DIR/printed" true "$NFDUMP_BEYOND_V5" >"$TEST_DIR/expected9"
nfdump_expected "$TEST_DIR/printed" .sourceIPv4Address '{}' >"$TEST_DIR/expected5"
for pattern in '"proto":132' '"icmp_type":[1-9]' '"src6_addr"' '"src_vlan":[1-9]' '"proto":58'; do
	grep -q "$pattern" "$TEST_DIR/expected9" || fail "no record with $pattern was sent"
done
assert_flows "v9 in nfdump" "cat $TEST_DIR/expected9" "nfdump_records $TEST_DIR/v9 direction src_vlan"
assert_flows "v5 in nfdump" "cat $TEST_DIR/expected5" "nfdump_records $TEST_DIR/v5"
for v in 9 5; do
	grep -q 'Sequence Errors: 0, Bad Packets: 0' "$TEST_DIR/NFCAPD$v.log" ||
		fail "nfcapd found faults in v$v: $(grep Ident: "$TEST_DIR/NFCAPD$v.log")"
done

assert_eq "nfacctd's packets and octets" \
	"$(jq -cs '[.[] | select(.type == "flow")] |
		[(map(.packetDeltaCount) | add), (map(.octetDeltaCount) | add)]' "$TEST_DIR/printed")" \
	"$(jq -cs '[(map(.packets) | add), (map(.bytes) | add)]' "$TEST_DIR/pmacct.json")"
# it keeps the union of the flags of each row
jq -es 'map(select(.ip_proto == "tcp") | .tcp_flags | tonumber) | length > 0 and all(. > 0)' \
	"$TEST_DIR/pmacct.json" >/dev/null || fail "nfacctd has no TCP flags"
! grep -iE 'malformed|incomplete|unknown|discard' "$TEST_DIR/NFACCTD.log" ||
	fail "nfacctd found faults"

tshark_export()
{
	tshark -r "$TEST_DIR/export.pcapng" -d udp.port==$port9,cflow -d udp.port==$port5,cflow \
		-d udp.port==$port_pmacct,cflow "$@" 2>>"$TEST_DIR/TSHARK.log"
}
assert_eq "export packets captured" "$messages" \
	"$(tshark_export -Y 'cflow.version == 9 || cflow.version == 5' | wc -l)"
faults=$(tshark_export -Y 'cflow.no_template_found || cflow.flowset_length.invalid ||
	_ws.malformed || _ws.expert.severity >= "Warning" || icmp.type == 3')
[ -z "$faults" ] || fail "tshark: $faults"

# Options data: what each run told last is all that it sent.
sent=$(jq -s 'map(select(.type == "ledger") | .exporters[0].sent_records) | add' "$TEST_DIR/printed")
assert_eq "Flows exported, by the options data" "$sent" \
	"$(tshark_export -Y "cflow.flowsexp && udp.dstport == $port9" -T fields -e cflow.flowsexp |
		awk '$1 < last {sum += last} {last = $1} END {print sum + last}')"
tshark_export -Y "cflow.if_name && udp.dstport == $port9" -T fields -e cflow.inputint -e cflow.if_name \
	-e cflow.if_descr >"$TEST_DIR/names"
index=$(ip -n "$(ns_name server)" -j link show veth0 | jq '.[0].ifindex')
grep -q "$index"$'\t.*veth0\t.*uplink' "$TEST_DIR/names" ||
	fail "tshark shows no name of interface $index: $(head -n 3 "$TEST_DIR/names")"
