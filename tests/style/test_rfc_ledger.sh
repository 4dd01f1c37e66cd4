#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The ledger of what RFCs ask of the probe has no empty place and no id twice; every
# test it names is there; every rule of the wire checker stands in it.
# root: no
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
rules=tests/lib/ipfix_requirements.py
failures=0

complain()
{
	echo "$*"
	failures=$((failures + 1))
}

# check_reference WHERE REFERENCE: PATH:test_name, PATH of a script, or wire:ID.
check_reference()
{
	local path=${2%%:*} name=${2#*:}

	if [ "$path" = wire ]; then
		grep -q "^    \"$name\": " $rules || complain "$1: the wire checker has no rule $name"
	elif [ ! -f "$path" ]; then
		complain "$1: there is no $path"
	elif [[ $path == *.c ]]; then
		grep -q "^static void $name(void" "$path" || complain "$1: $path has no $name"
	elif [ "$name" != "$path" ]; then
		grep -q "    def $name(" "$path" || complain "$1: $path has no $name"
	fi
}

# check_tests WHERE LIST: references separated by ", "; a reason ends the list.
check_tests()
{
	local where=$1 list=$2

	while [ -n "$list" ]; do
		case $list in
		"not applicable: "?* | "not met: "?*)
			return
			;;
		esac
		check_reference "$where" "${list%%, *}"
		[[ $list == *", "* ]] || return
		list=${list#*, }
	done
	complain "$where: neither tests nor a reason"
}

for file in tests/rfc/*.tsv; do
	n=0 ids=" "
	while IFS=$'\t' read -r id section requirement tests rest; do
		[[ $id != "#"* ]] || continue
		n=$((n + 1))
		if [ -z "$section" ] || [ -z "$requirement" ] || [ -n "$rest" ]; then
			complain "$file: $id: not four columns"
		fi
		[[ $ids != *" $id "* ]] || complain "$file: $id is there twice"
		ids+="$id "
		check_tests "$file: $id" "$tests"
	done <"$file"
	[ $n -gt 0 ] || complain "$file is empty"
done
while read -r rule; do
	grep -q "wire:$rule\b" tests/rfc/*.tsv || complain "no requirement names the rule wire:$rule"
done < <(sed -n 's/^    "\([A-Z0-9]*\)": .*/\1/p' $rules)
[ $failures -eq 0 ]
