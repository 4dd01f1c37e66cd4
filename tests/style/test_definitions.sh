#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What conf/ tells Collectors of the probe's elements is what probe/ie.def and
# probe/event_ie.def say, and is noticed when it is not; the files agree with
# conf/xflow-ie.xml on names and numbers.
# root: no
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "FAILED: $*"
	exit 1
}

conf/make_definitions.py --check || fail "conf/ is out of date"

# A changed element, or a changed file, does not pass.
mkdir "$work/probe"
cp -r conf "$work"
cp probe/ie.def probe/event_ie.def probe/config_schema.c "$work/probe"
"$work/conf/make_definitions.py" --check || fail "the copy is out of date"
sed -i 's/\(tcpMaximumSegmentSize, *OWN, *1004, *\)2/\14/' "$work/probe/ie.def"
"$work/conf/make_definitions.py" --check >"$work/said" && fail "a changed element is not noticed"
for name in pmacct-primitives.lst logstash-xflow.yml nprobe-fields.txt; do
	grep -q "conf/$name is not" "$work/said" || fail "$name: a changed element is not noticed"
done
cp probe/ie.def "$work/probe"
sed -i 's/\(severity, *OWN, *1106, *U\)8/\116/' "$work/probe/event_ie.def"
"$work/conf/make_definitions.py" --check >"$work/said" && fail "a changed element of events is not noticed"
for name in logstash-xflow.yml nprobe-fields.txt; do
	grep -q "conf/$name is not" "$work/said" || fail "$name: a changed element of events is not noticed"
done
cp probe/event_ie.def "$work/probe"
sed -i 's/varint/string/' "$work/conf/goflow2-mapping.yaml"
"$work/conf/make_definitions.py" --check >"$work/said" && fail "a changed file is not noticed"

# Name and id of each of our own elements, by the published XML and by the others. Those of
# events, 1100 and up, only for Collectors that read fields of options records; the codec of
# Logstash can call no field "class" or "value".
all=$(tr -d '\n' <conf/xflow-ie.xml | grep -oP '<record>.*?</record>' |
	sed -E 's/.*<name>(\w+)<.*<elementId>([0-9]+)<.*/\1 \2/' | sort)
of_flows=$(grep -v ' 11[0-9][0-9]$' <<<"$all")
for_logstash=$(sed -E 's/^(class|value) /event\u\1 /' <<<"$all" | sort)
if [ "$(wc -l <<<"$of_flows")" -lt 28 ] || [ "$(wc -l <<<"$all")" -lt 74 ]; then
	fail "conf/xflow-ie.xml is not understood"
fi
compare()
{
	local published=$2

	diff <(echo "$published") <(sort) >"$work/diff" || fail "$1: $(cat "$work/diff")"
}
sed -nE 's/^name=(\w+)\tfield_type=32473:([0-9]+)\t.*/\1 \2/p' conf/pmacct-primitives.lst | compare pmacct "$of_flows"
sed -nE 's/^(\w+)\tNONE\t32473\t([0-9]{4})\t.*/\1 \2/p' conf/nprobe-fields.txt | compare nProbe "$all"
paste - - - < <(grep '^  [^#]' conf/logstash-xflow.yml) |
	sed -nE 's/^  ([0-9]{4}):\t  - :\w+\t  - :(\w+)$/\2 \1/p' | compare Logstash "$for_logstash"
sed -nE 's/^ .*pen: 32473, field: ([0-9]{4}), destination: (\w+)\}$/\2 \1/p' conf/goflow2-mapping.yaml |
	compare goflow2 "$of_flows"
