#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What conf/ tells Collectors of the probe's elements is what probe/ie.def says, and is
# noticed when it is not; the files agree with conf/xflow-ie.xml on names and numbers.
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
cp probe/ie.def probe/config_schema.c "$work/probe"
"$work/conf/make_definitions.py" --check || fail "the copy is out of date"
sed -i 's/\(tcpMaximumSegmentSize, *OWN, *1004, *\)2/\14/' "$work/probe/ie.def"
"$work/conf/make_definitions.py" --check >"$work/said" && fail "a changed element is not noticed"
for name in pmacct-primitives.lst logstash-xflow.yml nprobe-fields.txt; do
	grep -q "conf/$name is not" "$work/said" || fail "$name: a changed element is not noticed"
done
cp probe/ie.def "$work/probe"
sed -i 's/varint/string/' "$work/conf/goflow2-mapping.yaml"
"$work/conf/make_definitions.py" --check >"$work/said" && fail "a changed file is not noticed"

# Name and id of each of our own elements of Flow Records, by the published XML and by the
# others; those of events, 1100 and up, are for Collectors that read the XML.
published=$(tr -d '\n' <conf/xflow-ie.xml | grep -oP '<record>.*?</record>' |
	sed -E 's/.*<name>(\w+)<.*<elementId>([0-9]+)<.*/\1 \2/' | grep -v ' 11[0-9][0-9]$' | sort)
[ "$(wc -l <<<"$published")" -ge 28 ] || fail "conf/xflow-ie.xml is not understood"
compare()
{
	diff <(echo "$published") <(sort) >"$work/diff" || fail "$1: $(cat "$work/diff")"
}
sed -nE 's/^name=(\w+)\tfield_type=32473:([0-9]+)\t.*/\1 \2/p' conf/pmacct-primitives.lst | compare pmacct
sed -nE 's/^(\w+)\tNONE\t32473\t([0-9]{4})\t.*/\1 \2/p' conf/nprobe-fields.txt | compare nProbe
paste - - - < <(grep '^  ' conf/logstash-xflow.yml) |
	sed -nE 's/^  ([0-9]{4}):\t  - :\w+\t  - :(\w+)$/\2 \1/p' | compare Logstash
sed -nE 's/^ .*pen: 32473, field: ([0-9]{4}), destination: (\w+)\}$/\2 \1/p' conf/goflow2-mapping.yaml |
	compare goflow2
