#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# An upload of 3 MB from a public address that the metered interface has by a label, to one
# elsewhere, is told of live as exfiltration where 1 MB is much, and xflowctl explains it
# with both lists that would have silenced it. Where networks of our own are configured,
# the interface's is none of them and nothing is told, until a reload takes them back.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
need jq python3

netns_pair client server
OURS=192.0.2.1 ELSEWHERE=198.51.100.1
ip -n "$(ns_name client)" addr add $OURS/24 dev veth0 label veth0:1
ip -n "$(ns_name client)" route add $ELSEWHERE via "$(ns_addr4 server)" src $OURS
ip -n "$(ns_name server)" addr add $ELSEWHERE/32 dev lo
ip -n "$(ns_name server)" route add $OURS via "$(ns_addr4 client)"
start_bg_in server SINK python3 -c '
import socket, sys
s = socket.create_server((sys.argv[1], 4433))
while True:
    c, _ = s.accept()
    while c.recv(1 << 20):
        pass' $ELSEWHERE
wait_for "ns_exec server ss -ltn | grep -q 4433" 10

upload()
{
	ns_exec client python3 -c '
import socket, sys
with socket.create_connection((sys.argv[1], 4433)) as s:
    s.sendall(bytes(3000000))' $ELSEWHERE
}

keys()
{
	echo "flow_cache: {idle_timeout_s: 1}"
	echo "anomaly: {enabled: true, ${1:-}exfiltration: {mbyte_per_hour: 1, learning_s: 0}}"
}

keys >"$TEST_DIR/much.yaml"
start_probe client -c "$TEST_DIR/much.yaml" -i veth0:egress -o none
upload
wait_for "grep -q '\"start\"' $TEST_DIR/probe.out" 10
ID=$(jq 'select(.state == "start") | .eventId' "$TEST_DIR/probe.out")
EXPLAINED=$(./xflowctl explain "$ID")
for text in "$OURS in anomaly.allow" "$ELSEWHERE in anomaly.exfiltration.allow" \
	"anomaly.exfiltration.mbyte_per_hour above 3"; do
	grep -q "$text" <<<"$EXPLAINED" || fail "explains without \"$text\": $EXPLAINED"
done
stop_bg PROBE || fail "the probe ended with status $?"
assert_eq "what is told" "exfiltration $OURS $ELSEWHERE 4433 both" "$(jq -r \
	'select(.state == "start") | [.class, .sourceIPv4Address, .destinationIPv4Address,
	.destinationTransportPort, .visibility] | join(" ")' "$TEST_DIR/probe.out")"

keys "local_networks: [10.0.0.0/8], " >"$TEST_DIR/other.yaml"
start_probe client -c "$TEST_DIR/other.yaml" -i veth0:egress -o none
upload
wait_for "! ./xflowctl --json flows port 4433 | grep -q octetDeltaCount" 10 # they ended
[ ! -s "$TEST_DIR/probe.out" ] || fail "not ours, but told: $(cat "$TEST_DIR/probe.out")"
cp "$TEST_DIR/much.yaml" "$TEST_DIR/other.yaml"
./xflowctl reload >/dev/null
upload
wait_for "grep -q '\"start\"' $TEST_DIR/probe.out" 10
stop_bg PROBE || fail "the probe ended with status $?"
