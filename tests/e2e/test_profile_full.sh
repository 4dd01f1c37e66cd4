#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# profile full: ipfixDump reads every record and every options record by name, with
# conf/xflow-ie.xml only, and has the values the probe prints; tshark has the times to
# the nanosecond. With elastiflow there is nothing Logstash does not know and no options
# record; silk is read by libfixbuf's ipfixDump without our elements.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need ipfixDump tshark jq

port=4739
groups='[base, l2, ip, icmp, tcp, tcp_health, fragment, size, timing, tunnel, state]'
wire_options=(--clock-stepped) # that of the packets
netns_pair client server
wire_record server $port
start_bg_in server SINK python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', $port))
while True:
    s.recv(65536)"
wait_port server udp $port

# dumped FILE [OPTION...]: of ipfixDump's data records, a JSON object of texts each
dumped()
{
	ipfixDump --data --in "$@" 2>"$TEST_DIR/ipfixDump.log" | python3 -c '
import json
import re
import sys

record = {}
for line in sys.stdin:
    if line.startswith("---"):
        print(json.dumps(record)) if record else None
        record = {}
    field = re.match(r"\s+\([\d/]+\)\s*(\S+) : (.*)$", line)
    if field:
        record[field[1]] = field[2].strip()
print(json.dumps(record)) if record else None'
}

# compare DOMAIN: records that were printed, and dumped
compare()
{
	python3 - "$TEST_DIR/printed.$1" "$TEST_DIR/full.$1.json" >"$TEST_DIR/compare.log" 2>&1 <<'END' ||
import ipaddress
import json
import sys

UNLIKE = {  # which the probe prints in another form; ipfixDump shows no fraction of a time in ns
    "flowStartNanoseconds", "flowEndNanoseconds", "reverseFlowStartNanoseconds",
    "reverseFlowEndNanoseconds", "connectionState", "mplsTopLabelStackSection",
    "reverseMplsTopLabelStackSection"}


def lines(path):
    return [json.loads(line) for line in open(path)]


printed = [r for r in lines(sys.argv[1]) if r["type"] == "flow"]
dumped = {(r["flowId"], r["packetDeltaCount"]): r for r in lines(sys.argv[2]) if "flowId" in r}
assert len(printed) == len(dumped) > 1, (len(printed), len(dumped))
for r in printed:
    a = {k.replace("StartMilli", "StartNano").replace("EndMilli", "EndNano"): str(v)
         for k, v in r.items() if k not in ("type", "communityId")}
    b = dumped[a["flowId"], a["packetDeltaCount"]]
    if "connectionState" in b:
        a.setdefault("connectionState", "none")
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    for k in a.keys() - UNLIKE:
        same = a[k] == b[k] or ("Address" in k and "IP" in k and
                                ipaddress.ip_address(a[k]) == ipaddress.ip_address(b[k]))
        assert same, (k, a[k], b[k])
END
		fail "ipfixDump has it otherwise: $(tail -n 1 "$TEST_DIR/compare.log")"
}

.output/tests/e2e/write_captures "$TEST_DIR"
domain=0
for capture in ethernet-ns.pcap conversations.pcap; do
	domain=$((domain + 1)) # a session each
	config=$(probe_config "observation_domain_id: $domain" "output_fields: $groups" \
		'output_biflow: rfc5103' 'flow_cache: {tunnels: inner}' 'exporters:' \
		"  - {name: full, address: '127.0.0.1:$port', profile: full}" \
		"  - {name: file, address: $TEST_DIR/full.$domain, transport: file, profile: full}" \
		"  - {name: elastiflow, address: $TEST_DIR/elastiflow.$domain, transport: file, profile: elastiflow, fields: [base, l2, ip, icmp]}" \
		"  - {name: silk, address: $TEST_DIR/silk.$domain, transport: file, profile: silk}")
	ns_exec server ./xflow-probe -c "$config" -r "$TEST_DIR/$capture" -o json \
		>"$TEST_DIR/printed.$domain" 2>>"$TEST_DIR/OFFLINE.log" || fail "$capture: status $?"
	wire_files+=("$TEST_DIR/elastiflow.$domain" "$TEST_DIR/silk.$domain")
	dumped "$TEST_DIR/full.$domain" -e conf/xflow-ie.xml >"$TEST_DIR/full.$domain.json"
	compare $domain
	dumped "$TEST_DIR/elastiflow.$domain" >>"$TEST_DIR/elastiflow.json"
	dumped "$TEST_DIR/silk.$domain" >>"$TEST_DIR/silk.json"
done
jq -es 'map(select(.reversePacketDeltaCount)) | length >= 3' "$TEST_DIR"/full.*.json >/dev/null ||
	fail "no biflows"
for name in informationElementName exportedFlowRecordTotalCount flowKeyIndicator; do
	grep -q "$name" "$TEST_DIR"/full.*.json || fail "ipfixDump shows no $name"
done

# Names and numbers of what the others send.
assert_eq "records of elastiflow, all of Flows" "$(jq -s 'map(select(.flowId)) | length' "$TEST_DIR/silk.json")" \
	"$(jq -s length "$TEST_DIR/elastiflow.json")"
for n in $(seq $domain); do
	! ipfixDump -t --in "$TEST_DIR/elastiflow.$n" 2>/dev/null | grep -E 'ent: *(32473|29305)' ||
		fail "enterprise elements for Logstash"
done

# tshark: times to the ns, those of ethernet-ns.pcap; a Template of ours is longer than it takes.
stop_bg SINK || true
wire_stop()
{
	sleep 0.4
	kill -INT "${wire_pids[server.$port]}"
	wait "${wire_pids[server.$port]}" || true
	unset "wire_pids[server.$port]"
}
wire_stop
tshark_export()
{
	tshark -r "$TEST_DIR/wire.server.$port.pcap" -o cflow.max_template_fields:0 \
		-d udp.port==$port,cflow "$@" 2>>"$TEST_DIR/TSHARK.log"
}
faults=$(tshark_export -Y 'cflow.no_template_found || cflow.flowset_length.invalid ||
	cflow.unexpected_sequence_number || _ws.malformed')
[ -z "$faults" ] || fail "tshark: $faults"
times=$(tshark_export -T fields -e cflow.abstimestart -E aggregator=';' | tr ';' '\n' | grep . | sort -u)
ms=$(jq -r 'select(.type == "flow") | .flowStartMilliseconds[-5:-1]' "$TEST_DIR"/printed.* | sort -u | wc -l)
[ "$(wc -l <<<"$times")" -ge "$ms" ] || fail "tshark has no times: $times"
grep -qE '\.[0-9]{6}([1-9][0-9]{2}|[0-9][1-9][0-9]|[0-9]{2}[1-9])' <<<"$times" ||
	fail "no time has ns: $(head -n 3 <<<"$times")"
