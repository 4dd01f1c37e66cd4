#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A SYN flood from forged sources is told of while it goes on, with its target; a scan
# within it is told of too; xflowctl lists and explains both; the ledger balances; the
# same packets read from a capture give the same; a dry run prints nothing.
# timeout: 100
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nmap jq tshark python3

netns_pair client server
SERVER=$(ns_addr4 server)
# what is sent back goes nowhere
ip -n "$(ns_name server)" route add 198.18.0.0/15 via "$(ns_addr4 client)"
start_bg_in server CAPTURE tshark -q -i veth0 -w "$TEST_DIR/pcap" -f "ip"
wait_for "[ -s $TEST_DIR/pcap ]" 10

# flood SECONDS: 3000 SYN a second to port 80, each from an address and port of its own
flood()
{
	ns_exec client python3 -c '
import random, socket, struct, sys, time
random.seed(1)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("veth0", 0))
link = bytes.fromhex("027700000002" "027700000001" "0800")
target = socket.inet_aton(sys.argv[1])
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff
start = time.monotonic()
for i in range(int(3000 * float(sys.argv[2]))):
    source = struct.pack("!I", 0xc6120000 + random.getrandbits(17))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, i & 0xffff, 0, 64, 6, 0, source, target)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", random.randrange(1024, 65536), 80, i, 0, 0x50, 2, 512, 0, 0)
    pseudo = source + target + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    s.send(link + ip + tcp)
    if i % 30 == 0:
        time.sleep(max(0, start + i / 3000 - time.monotonic()))' "$SERVER" "$1"
}

# starts FILE: class, subclass, source, target and port of each start
starts()
{
	jq -r 'select(.type == "event" and .state == "start") | [.class, .subclass,
		.sourceIPv4Address // "-", .destinationIPv4Address // "-",
		.destinationTransportPort // "-"] | join(" ")' "$1" | sort
}
EXPECTED="port-scan syn $(ns_addr4 client) $SERVER -
syn-flood syn - $SERVER 80"

start_probe server -i veth0:egress -o none --detect-anomalies -v
flood 8 &
FLOOD=$!
bg_pids+=("$FLOOD")
wait_for "grep -q syn-flood $TEST_DIR/probe.out" 4
ns_exec client nmap -n -Pn -sS --max-retries 0 -p 1000-1100 "$SERVER" >"$TEST_DIR/nmap.log"
wait $FLOOD
wait_for "[ \$(grep -c '\"start\"' $TEST_DIR/probe.out) = 2 ]" 5
./xflowctl events | grep -q "syn-flood" || fail "events: $(./xflowctl events)"
assert_eq "events" "$(starts "$TEST_DIR/probe.out" | wc -l)" "$(./xflowctl --json events | wc -l)"
ID=$(jq 'select(.class == "syn-flood" and .state == "start") | .eventId' "$TEST_DIR/probe.out")
./xflowctl explain "$ID" | grep -q 'silence .*anomaly.syn_flood.syn_per_s above' ||
	fail "explain: $(./xflowctl explain "$ID")"
! ./xflowctl explain 1 2>"$TEST_DIR/explain.log" || fail "explains what never was"
grep -q "no event 1 is known" "$TEST_DIR/explain.log" || fail "$(cat "$TEST_DIR/explain.log")"
stop_bg PROBE || fail "the probe ended with status $?"
stop_bg CAPTURE || true
assert_balanced
[ "$(starts "$TEST_DIR/probe.out")" = "$EXPECTED" ] || fail "live: $(starts "$TEST_DIR/probe.out")"
jq -se 'map(select(.class == "syn-flood")) | all(.evidence.spoofedLikely)' \
	"$TEST_DIR/probe.out" >/dev/null || fail "not spoofed: $(cat "$TEST_DIR/probe.out")"

./xflow-probe -r "$TEST_DIR/pcap" -o none --detect-anomalies >"$TEST_DIR/offline.out"
[ "$(starts "$TEST_DIR/offline.out")" = "$EXPECTED" ] ||
	fail "of the capture: $(starts "$TEST_DIR/offline.out")"

cat >"$TEST_DIR/dry.yaml" <<-EOF
	anomaly: {enabled: true, dry_run: true}
EOF
./xflow-probe -c "$TEST_DIR/dry.yaml" -r "$TEST_DIR/pcap" -o none \
	>"$TEST_DIR/dry.out" 2>"$TEST_DIR/dry.log"
[ ! -s "$TEST_DIR/dry.out" ] || fail "a dry run prints events: $(cat "$TEST_DIR/dry.out")"
grep -q "dry run: 2 incidents would have been told of" "$TEST_DIR/dry.log" ||
	fail "a dry run does not say what it found: $(cat "$TEST_DIR/dry.log")"
