#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# root: no
#
# Configuration and usage errors end the probe with status 2 and say where and
# what to do; what -n prints of a good file is a good file again.
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=$(mktemp -d "${TMPDIR:-/tmp}/xflow-config-errors.XXXXXX")
trap 'rm -rf "$dir"' EXIT

fail()
{
	echo "FAILED: $*"
	exit 1
}

# refused MESSAGE ARGUMENT...: the probe prints MESSAGE and exits with 2.
refused()
{
	local message=$1 status=0
	shift

	timeout 10 ./xflow-probe "$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
	[ $status -eq 2 ] || fail "$*: exit status $status instead of 2: $(cat "$dir/err")"
	grep -qF -- "$message" "$dir/err" || fail "$*: no \"$message\" in: $(cat "$dir/err")"
	[ ! -s "$dir/out" ] || fail "$*: standard output is not empty"
}

# refused_file MESSAGE: the same for the YAML on standard input, FILE is its path.
refused_file()
{
	cat >"$dir/x.yaml"
	refused "${1/FILE/$dir/x.yaml}" -n -c "$dir/x.yaml"
}

refused_file 'FILE:2:3: flow_cache.max_flow: unknown key, perhaps max_flows is meant (allowed: ' <<'YAML'
flow_cache:
  max_flow: 5000
YAML
refused_file 'FILE:3:12: interfaces[0].egress: xdp: not one of the words known here (allowed: off | tc)' <<'YAML'
interfaces:
- name: eth0
  egress:  xdp
YAML
refused_file 'FILE:2:1: observation_domain_id: the key is here a second time' <<'YAML'
observation_domain_id: 1
observation_domain_id: 1
YAML
refused_file 'FILE:1:25: flow_cache.max_flows: 1: out of range (allowed: auto | 1024 .. 67108864)' <<'YAML'
flow_cache: {max_flows: 1}
YAML
refused_file 'FILE:1:27: flow_cache.max_flows: a list (allowed: auto | 1024 .. 67108864)' <<'YAML'
flow_cache:  { max_flows: [] }
YAML
refused_file 'FILE:2:5: exporters[0]: the key address is missing' <<'YAML'
exporters:
  - name: a
YAML
refused_file 'FILE:2:1: not YAML: ' <<'YAML'
interfaces: [
YAML
refused_file 'flow_cache.persist: true: not available in this version (allowed: false)' <<'YAML'
flow_cache: {persist: true}
YAML
refused_file 'eth0 is there twice; name it once' <<'YAML'
interfaces: [{name: eth0}, {name: eth0}]
YAML
refused_file 'FILE:2:23: exporters[0].address: 127.0.0.1: no port; write HOST:PORT' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: 127.0.0.1}]
YAML
refused_file 'exporters[0].transport: NetFlow v9 travels over UDP only; set transport: udp, or' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow9, transport: tcp}]
YAML
refused_file 'exporters[1].transport: NetFlow v5 travels over UDP only; set transport: udp, or' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055'}, {address: out, protocol: netflow5, transport: file}]
YAML
refused_file 'exporters[0].biflow: NetFlow v9 has no record of both directions; set biflow: split' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow9, biflow: rfc5103}]
YAML
refused_file 'exporters[0].precision: NetFlow v9 has milliseconds and eight TCP flags; set precision: plain' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow9, precision: full}]
YAML
refused_file 'exporters[0].fields: NetFlow v9 has no elements of [tcp, size]; leave them out, or' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow9, fields: [base, l2, tcp, size]}]
YAML
refused_file 'exporters[0].fields: NetFlow v5 has no elements of [l2]; leave them out, or' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow5, fields: [l2]}]
YAML
refused_file 'exporters[0].options: no options records are sent over NetFlow v5; set options: auto, or' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow5, options: all}]
YAML
refused_file "FILE:2:51: exporters[0].protocol: netflow7: not one of the words known here" <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:2055', protocol: netflow7}]
YAML
refused_file 'FILE:2:23: exporters[0].address: 127.0.0.1:99999: the port is out of range (1 .. 65535)' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:99999'}]
YAML
refused_file 'FILE:2:47: exporters[0].profile: nfdump: not one of the words known here (allowed: nfcapd | silk' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:1', profile: nfdump}]
YAML
refused_file 'FILE:2:43: exporters[0].mtu: 500: out of range (allowed: auto | 512 .. 65535)' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:1', mtu: 500}]
YAML
refused_file 'FILE:2:43: exporters[0].mtu: the Templates of these fields take 1028 octets; make it larger' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:1', mtu: 512, biflow: rfc5103, fields: [base, l2, ip, icmp, tcp,
  tcp_health, fragment, size, timing, tunnel, state]}]
YAML
refused_file 'FILE:2:20: enterprise_number: 0: out of range (allowed: 1 .. 4294967295)' <<'YAML'
interfaces: [{name: eth0}]
enterprise_number: 0
YAML
refused_file 'FILE:2:20: enterprise_number: 29305 is taken (0: IANA, 29305: RFC 5103); use your own' <<'YAML'
interfaces: [{name: eth0}]
enterprise_number: 29305
YAML
for transport in sctp tls dtls; do
	refused "$transport: not available in this version: Debian's libfixbuf is built without " \
		-i eth0 --collector $transport:127.0.0.1:4740
	grep -q 'WireGuard.*stunnel\|stunnel.*WireGuard' "$dir/err" || fail "$transport: no way round: $(cat "$dir/err")"
done
./xflow-probe -n -i eth0 --collector tls:4740 >"$dir/out" || fail "a host may not be called tls"
refused "--collector netflow9:127.0.0.1: no port; write HOST:PORT" -i eth0 --collector netflow9:127.0.0.1
for version in 9 5; do
	refused_file "exporters[0].spool: holds IPFIX only, not NetFlow v$version; leave it out, or" <<-YAML
		interfaces: [{name: eth0}]
		exporters: [{address: '127.0.0.1:2055', protocol: netflow$version, spool: {path: /tmp/x}}]
	YAML
done
refused_file 'exporters[1].protocol: not that of exporters[0], but one takes over' <<'YAML'
interfaces: [{name: eth0}]
groups: {pair: {mode: failover}}
exporters:
- {address: '127.0.0.1:2055', protocol: netflow9, group: pair, name: a}
- {address: '127.0.0.1:2056', group: pair, name: b}
YAML
refused_file 'exporters[0].group: there is no group pair; add it to groups' <<'YAML'
interfaces: [{name: eth0}]
exporters: [{address: '127.0.0.1:1', group: pair}]
YAML
refused_file 'FILE:1:23: groups.pair.mode: fail-over: not one of the words known here (allowed: mirror | ' <<'YAML'
groups: {pair: {mode: fail-over}}
YAML
refused_file 'FILE:1:60: anomaly.groups.lab.scan.contact: unknown key, perhaps contacts is meant (allowed: contacts, ' <<'YAML'
anomaly: {groups: {lab: {networks: [10.0.0.0/24], scan: {  contact: 9}}}}
YAML
refused_file 'nothing to observe; give -i NAME' </dev/null

# A folder that cannot be: found out when it is made.
printf '\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0' >"$dir/empty.pcap"
for folder in /proc/spool "$dir/empty.pcap/spool"; do
	echo "exporters: [{name: a, address: '127.0.0.1:1', spool: {path: $folder}}]" >"$dir/x.yaml"
	refused "exporter a: open spool $folder/a: " -r "$dir/empty.pcap" -c "$dir/x.yaml"
	refused "$dir/x.yaml:1:61: exporters[0].spool.path: cannot be used; make its folder writable" \
		-r "$dir/empty.pcap" -c "$dir/x.yaml"
done
for file in /proc/flows "$dir/nowhere/flows"; do
	echo "exporters: [{name: a, transport: file, address: $file}]" >"$dir/x.yaml"
	refused "exporter a: create $file: No such file or directory" -r "$dir/empty.pcap" -c "$dir/x.yaml"
	refused "$dir/x.yaml:1:49: exporters[0].address: cannot be used; make its folder writable" \
		-r "$dir/empty.pcap" -c "$dir/x.yaml"
done
# What is allowed, but may not be meant: the low 16 bits are those of others.
for number in 65536 72407 94841; do
	printf 'interfaces: [{name: eth0}]\nenterprise_number: %s\nexporters: [%s]\n' $number \
		'{address: "127.0.0.1:1", fields: [tcp]}' >"$dir/x.yaml"
	./xflow-probe -n -c "$dir/x.yaml" >"$dir/out" 2>"$dir/err" || fail "$number is refused"
	grep -q "enterprise_number: nfcapd looks at the low 16 bits of $number only, and takes its elements for those of $((number % 65536))" \
		"$dir/err" || fail "$number: no warning: $(cat "$dir/err")"
done

printf 'foo: 1\nlog: {level: loud}\nbar: 2\n' >"$dir/three.yaml"
refused three.yaml:3:1: -n -c "$dir/three.yaml"
[ "$(wc -l <"$dir/err")" -eq 3 ] || fail "not all errors are told: $(cat "$dir/err")"

refused "read configuration $dir/missing.yaml" -c "$dir/missing.yaml"
refused "read configuration $dir (at most 1 MiB): Is a directory" -c "$dir"
refused '--frobnicate is no option' --frobnicate
refused 'only :egress may follow a name' -i eth0:both
refused 'either -i or -r' -i eth0 -r capture.pcap
refused 'out of range (1 .. 65535)' -i eth0 --collector 127.0.0.1:0
refused 'nothing to observe; give -i NAME'

./xflow-probe -n -c conf/xflow.yaml >"$dir/once.yaml" || fail "the shipped file is refused"
./xflow-probe -n -c "$dir/once.yaml" >"$dir/twice.yaml" || fail "what -n prints is refused"
cmp "$dir/once.yaml" "$dir/twice.yaml" || fail "what -n prints changes when it is loaded"
./xflow-probe -n -i eth0:egress --collector 'tcp:[::1]:4739' >"$dir/out" || fail "-n without a file"
grep -q '^    egress: tc$' "$dir/out" || fail "-i is not in what -n prints"
grep -q '^    transport: tcp$' "$dir/out" || fail "--collector is not in what -n prints"
