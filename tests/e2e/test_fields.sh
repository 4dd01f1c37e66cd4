#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# With all groups of elements, the test Collector reads from the IPFIX File what
# the probe prints, element for element, the enterprise's by conf/xflow-ie.xml;
# two exporters and the output each have their own groups.
# root: no
# waits: yes
# timeout: 60
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
groups=base,l2,ip,icmp,tcp,tcp_health,fragment,size,timing,tunnel,state

fail()
{
	echo "$*"
	exit 1
}

# of JSON lines of the Collector or the probe: the elements, sorted
elements()
{
	jq -cS 'select(.type == "flow") | with_entries(select(.key |
		IN("type", "templateId", "observationDomainId", "exportTime", "sequence") | not)) |
		del(.connectionState, .communityId) |
		if .tcpControlBits then .tcpControlBits %= 256 else . end' "$1" | sort
}

.output/tests/e2e/write_captures "$dir"
n=0
for capture in "$dir"/*.pcap*; do
	./xflow-probe -r "$capture" -o json --fields $groups --collector "file:$dir/all" \
		>"$dir/printed" 2>"$dir/log" || continue
	./xflow-collector-test --read "$dir/all" --elements conf/xflow-ie.xml >"$dir/read" ||
		fail "$capture: the Collector found faults: $(tail -n 1 "$dir/read")"
	tests/lib/ipfix_wire.py --elements conf/xflow-ie.xml "$dir/all" >"$dir/wire" 2>&1 ||
		fail "$capture: not sound on the wire: $(cat "$dir/wire")"
	elements "$dir/printed" >"$dir/a"
	elements "$dir/read" >"$dir/b"
	diff "$dir/a" "$dir/b" >"$dir/diff" || fail "$capture: $(head -c 4000 "$dir/diff")"
	n=$((n + $(wc -l <"$dir/a")))
done
[ "$n" -ge 20 ] || fail "$n records compared"

cat >"$dir/two.yaml" <<END
exporters:
  - {name: plain, transport: file, address: $dir/plain}
  - {name: tcp, transport: file, address: $dir/tcp, fields: [base, tcp]}
output_fields: [base, l2]
END
capture=$(printf '%s\n' "$dir"/*.pcap | head -n 1)
./xflow-probe -c "$dir/two.yaml" -r "$capture" -o json >"$dir/printed" 2>"$dir/log"
for name in plain tcp; do
	./xflow-collector-test --read "$dir/$name" --elements conf/xflow-ie.xml >"$dir/$name.read"
done
# has_element FILE NAME: yes, no or both of its Flow Records of UDP and TCP
has_element()
{
	jq -r "select(.type == \"flow\" and (.protocolIdentifier | IN(6, 17))) |
		has(\"$2\")" "$1" | sort -u | tr '\n' ' '
}
for row in plain.read:false,false tcp.read:false,true printed:true,false; do
	file=${row%%:*} expected=${row#*:}
	got=$(has_element "$dir/$file" sourceMacAddress),$(has_element "$dir/$file" tcpWindowSize)
	[ "${got// /}" = "$expected" ] || fail "$file has l2, tcp: $got, not $expected"
done
