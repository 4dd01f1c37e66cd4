#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Real TCP connections, both directions observed: one that stays open, one that
# closes, one that is refused and one that nobody answers each have their state,
# live and in the records; both directions have one Community ID, tshark's.
# timeout: 60
# waits: yes
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq tshark python3

netns_pair client server
ns_mute client veth0
ns_mute server veth0
ns_no_offloads client
# Frames for this address reach the server's end, and nobody has it.
SILENT=10.77.0.9
ip -n "$(ns_name client)" neigh replace $SILENT lladdr 02:77:00:00:00:02 nud permanent dev veth0
start_bg_in server CAPTURE tshark -q -i veth0 -w "$TEST_DIR/pcap" -f "tcp or icmp"
start_bg_in server LISTENER python3 -c '
import socketserver
class Reader(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.read()
socketserver.ThreadingTCPServer(("", 80), Reader).serve_forever()'
wait_port server tcp 80
wait_for "[ -s $TEST_DIR/pcap ]" 10
start_probe server -c "$(probe_config 'interfaces: [{name: veth0, ingress: tc, egress: tc}]' \
	'flow_cache: {sweep_interval_s: 0.2, idle_timeout_s: 60, active_timeout_s: 60}')"

# connect PORT ADDRESS DESTINATION-PORT COMMAND: from that port; COMMAND is Python, s the socket.
connect()
{
	ns_exec client python3 -c '
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.settimeout(1)
s.bind(("", int(sys.argv[1])))
try:
    s.connect((sys.argv[2], int(sys.argv[3])))
    s.sendall(b"hello")
except OSError:
    pass
exec(sys.argv[4])' "$@"
}
SERVER=$(ns_addr4 server)
connect 5001 "$SERVER" 80 'time.sleep(50)' &
OPEN=$!
bg_pids+=("$OPEN")
connect 5002 "$SERVER" 80 's.close()'
connect 5003 "$SERVER" 81 's.close()'
connect 5004 $SILENT 80 's.close()'
ns_exec client ping -q -c 2 "$SERVER" >/dev/null

# states_live STATE: source and destination ports of the Flows the filter finds.
states_live()
{
	./xflowctl --json flows proto tcp state "$1" |
		jq -sc 'map([.sourceTransportPort, .destinationTransportPort]) | sort'
}
[ "$(states_live opening)" = '[[5004,80]]' ] || fail "opening: $(./xflowctl flows)"
wait_for "[ '$(states_live established)' = '[[80,5001],[5001,80]]' ]" 5 ||
	fail "established: $(./xflowctl flows)"
./xflowctl --json top flows 20 | jq -se 'any(.connectionState == "established")' >/dev/null ||
	fail "the largest Flows have no state: $(./xflowctl --json top flows 20)"
./xflowctl flows state established | grep -q 'established$' || fail "the table shows no state"
# the closed and the refused one end by themselves
wait_for "[ \$(grep -c '\"flowEndReason\":3' $TEST_DIR/probe.out) = 4 ]" 10
wait_for "./xflowctl --json flows state never-answered | grep -q 5004" 10
stop_bg PROBE || fail "the probe ended with status $?"
kill $OPEN
stop_bg CAPTURE || true
assert_balanced

# assert_state PORT STATE RECORDS REASON
assert_state()
{
	jq -se "map(select(.sourceTransportPort == $1 or .destinationTransportPort == $1)) |
		length == $3 and all(.connectionState == \"$2\" and .flowEndReason == $4)" \
		"$TEST_DIR/probe.out" >/dev/null ||
		fail "port $1 is not $2: $(grep ":$1," "$TEST_DIR/probe.out")"
}
assert_state 5001 established 2 4
assert_state 5002 closed 2 3
assert_state 5003 reset 2 3
assert_state 5004 never-answered 1 4
jq -se 'map(select(.protocolIdentifier == 1)) | length == 2 and
	all(has("connectionState") | not)' "$TEST_DIR/probe.out" >/dev/null ||
	fail "ICMP has a connectionState"

# source, destination, id of each direction
ids_of_tshark()
{
	tshark -r "$TEST_DIR/pcap" --enable-protocol communityid -T fields -e ip.src -e ip.dst \
		-e tcp.srcport -e tcp.dstport -e communityid 2>/dev/null | sort -u
}
ids_of_probe()
{
	jq -r 'select(.type == "flow") | [.sourceIPv4Address, .destinationIPv4Address,
		.sourceTransportPort, .destinationTransportPort, .communityId] | @tsv' \
		"$TEST_DIR/probe.out" | sort -u
}
assert_flows "Community IDs" ids_of_tshark ids_of_probe
[ "$(ids_of_probe | wc -l)" = 9 ] || fail "not nine directions: $(ids_of_probe)"
[ "$(ids_of_probe | cut -f 5 | sort -u | wc -l)" = 5 ] || fail "not five ids: $(ids_of_probe)"
