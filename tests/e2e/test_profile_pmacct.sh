#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# profile pmacct: nfacctd, with conf/nfacctd.conf and conf/pmacct-primitives.lst as they
# are shipped, has each record as the probe prints it, with TCP flags; all groups of
# elements through the primitives, enterprise's among them; the same totals; and nothing
# to complain of.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need nfacctd jq

port=9995
groups='[base, l2, ip, icmp, tcp, tcp_health, fragment, size, timing, tunnel, state]'
wire_options=(--clock-stepped) # that of the packets
netns_pair client server
wire_record server $port
# all there are, and the port and places of this test
primitives=$(sed -nE 's/^name=(\w+)\t.*/\1/p' conf/pmacct-primitives.lst)
sed -e "s|^aggregate_primitives: .*|aggregate_primitives: $PWD/conf/pmacct-primitives.lst|" \
	-e "s|^\(aggregate\[flows\]: .*timestamp_end\),.*|\1, ${primitives//$'\n'/, }, src_mac, dst_mac|" \
	-e "s|^print_refresh_time.*|print_refresh_time[flows]: 1|" conf/nfacctd.conf >"$TEST_DIR/nfacctd.conf"
cat >>"$TEST_DIR/nfacctd.conf" <<END
print_output_file[flows]: $TEST_DIR/pmacct.json
print_output_file_append: true
nfacctd_pipe_size: 16000000
logfile: $TEST_DIR/nfacctd.out
END
# On a busy machine it reads late, and its receive buffer has room for one capture.
has_read_all()
{
	ns_exec server ss -Hlnu "sport = :$port" | awk '$2 > 0 { exit 1 }'
}

start_bg_in server NFACCTD nfacctd -f "$TEST_DIR/nfacctd.conf"
wait_port server udp $port

.output/tests/e2e/write_captures "$TEST_DIR"
domain=0
for capture in ethernet.pcap raw.pcap fragments.pcap conversations.pcap; do
	domain=$((domain + 1)) # a session each
	config=$(probe_config "observation_domain_id: $domain" "output_fields: $groups" \
		'flow_cache: {tunnels: inner}' 'exporters:' \
		"  - {name: pmacct, address: '127.0.0.1:$port', profile: pmacct, fields: $groups}")
	ns_exec server ./xflow-probe -c "$config" -r "$TEST_DIR/$capture" -o json \
		>>"$TEST_DIR/printed" 2>>"$TEST_DIR/OFFLINE.log" || fail "$capture: status $?"
	wait_for has_read_all 20
done
records=$(grep -c '"type":"flow"' "$TEST_DIR/printed")
wait_for "[ \$(wc -l <$TEST_DIR/pmacct.json) -ge $records ]" 30 # what it reads it writes each second
stop_bg NFACCTD INT
! grep -iE 'malformed|incomplete|unknown|discard|error|warn' "$TEST_DIR/nfacctd.out" ||
	fail "nfacctd complains"

assert_eq "nfacctd's packets and octets" \
	"$(jq -cs '[.[] | select(.type == "flow")] |
		[(map(.packetDeltaCount) | add), (map(.octetDeltaCount) | add)]' "$TEST_DIR/printed")" \
	"$(jq -cs '[(map(.packets) | add), (map(.bytes) | add)]' "$TEST_DIR/pmacct.json")"
jq -es 'map(select(.ip_proto == "tcp") | .tcp_flags | tonumber) | any(. > 0)' \
	"$TEST_DIR/pmacct.json" >/dev/null || fail "nfacctd has no TCP flags"

# Every primitive, record by record; what a record does not have nfacctd tells as 0.
python3 - "$TEST_DIR/printed" "$TEST_DIR/pmacct.json" >"$TEST_DIR/compare.log" 2>&1 <<'END' ||
import json
import sys

names = open("conf/pmacct-primitives.lst").read().split("name=")[1:]
names = [line.split()[0] for line in names]
words = {}  # of connectionState: JSON has words, pmacct numbers


def in_probe(r):
    row = {name: str(r.get(name, 0)) for name in names}
    row["mplsTopLabelStackSection"] = "-".join(
        row["mplsTopLabelStackSection"][i:i + 2] for i in (0, 2, 4))
    row.update(flags=r.get("tcpControlBits", 0) & 0xff, packets=r["packetDeltaCount"],
               octets=r["octetDeltaCount"], vlan=r["vlanId"], protocol=r["protocolIdentifier"])
    return row


def in_pmacct(r):
    row = {name: r[name.lower()] for name in names}
    row.update(flags=int(r["tcp_flags"]), packets=r["packets"], octets=r["bytes"],
               vlan=int(r["vlan"]))
    return row


def lines(path):
    return [json.loads(line) for line in open(path)]


def key(row):
    return row["flowId"], row["flowDurationMilliseconds"], row["packets"]


sent = sorted((in_probe(r) for r in lines(sys.argv[1]) if r["type"] == "flow"), key=key)
stored = sorted(map(in_pmacct, lines(sys.argv[2])), key=key)
assert len(sent) == len(stored), (len(sent), len(stored))
for a, b in zip(sent, stored):
    if a.pop("protocol") == 6:
        assert words.setdefault(a["connectionState"], b["connectionState"]) == b["connectionState"]
    a.pop("connectionState")
    b.pop("connectionState")
    assert a == b, [(name, a[name], b[name]) for name in a if a[name] != b[name]]
assert len(words) >= 3 and len(set(words.values())) == len(words), words
unused = {name for name in names if all(r[name] == "0" for r in stored if name in r)}
assert len(unused) < 10, unused
print(len(stored), "records")
END
	fail "nfacctd has other values: $(tail -n 2 "$TEST_DIR/compare.log")"
