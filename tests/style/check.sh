#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The project's own rules, those no off-the-shelf checker knows. Each rule names
# the files it watches, the files it spares and what it forbids, and must catch
# its example, bad/NAME.c (bad/NAME.sh prints one). A rule that watches no file
# is an error too. Violations are printed as FILE:LINE: TEXT.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
shopt -s nullglob

C_FILES='bpf/*.[ch] probe/*.[ch] collector-test/*.[ch]'
C_FILES+=' tests/{unit,bpf,lib,bench,e2e,full,fuzz}/*.[ch]'
SCRIPTS='tests/*.sh tests/*/*.sh .ci/run'
FILE_LINES=500
FUNCTION_LINES=70
failures=0

complain()
{
	echo "style: $*"
	failures=$((failures + 1))
}

# Prints the files of a list of globs (braces and all).
expand()
{
	local globs=$1
	eval "printf '%s\n' $globs"
}

# rule NAME WATCHED SPARED CHECK ARG WHY
rule()
{
	local name=$1 check=$4 argument=$5 why=$6 files found example=tests/style/bad/$1.c

	mapfile -t files < <(expand "$2" | grep -vxFf <(expand "${3:-none}"))
	if [ ${#files[@]} -eq 0 ] || [ -z "${files[0]}" ]; then
		complain "$name watches no file"
		return
	fi
	found=$("$check" "$argument" "${files[@]}")
	[ -z "$found" ] || complain "$name: $why"$'\n'"$found"

	if [ -e "${example%.c}.sh" ]; then
		example=$(mktemp)
		bash "tests/style/bad/$name.sh" >"$example"
	fi
	[ -n "$("$check" "$argument" "$example")" ] || complain "$name does not catch its bad example"
	[ "$example" = "tests/style/bad/$name.c" ] || rm -f "$example"
}

forbid()
{
	grep -nHE -e "$1" -- "${@:2}"
}

require_first()
{
	awk -v want="$1" 'FNR <= 2 && index($0, want) { seen[FILENAME] = 1 }
		FNR == 1 { files[++n] = FILENAME }
		END { for (i = 1; i <= n; i++) if (!(files[i] in seen)) print files[i] ":1:" }' "${@:2}"
}

require_line()
{
	grep -LxF -e "$1" -- "${@:2}"
}

limit_file()
{
	awk -v max="$1" 'FNR == max + 1 { print FILENAME ":" FNR ":" }' "${@:2}"
}

# In this style a function's braces are the only ones alone in the first column.
limit_function()
{
	awk -v max="$1" '/^{$/ { start = FNR }
		/^}$/ && start { if (FNR - start - 1 > max) print FILENAME ":" start ":"; start = 0 }' \
		"${@:2}"
}

# Walls: each library is known to few files, which are all that a change of it touches.
rule libfixbuf-wall 'probe/*.[ch] tests/{unit,bpf,lib,bench}/*.[ch]' \
	'probe/{template,exporter,ie,ipfix}*.[ch] tests/unit/test_{template,exporter,ie,ipfix,collector}*.c' \
	forbid '^#include <fixbuf/' 'libfixbuf is for template, exporter, ie and ipfix'
rule libyaml-wall "$C_FILES" 'probe/config_yaml.c' \
	forbid '^#include <yaml\.h>' 'libyaml is for probe/config_yaml.c'
rule libbpf-wall 'probe/*.[ch] collector-test/*.[ch]' \
	'probe/bpf_arrays.c probe/obs_{point,attach,xdp}.c probe/obs_private.h probe/grace.c' \
	forbid '^#include (<bpf/|".*\.skel\.h")' 'libbpf is for bpf_arrays, obs_point, obs_attach, obs_xdp and grace'
rule bpf-source-wall 'probe/*.[ch] collector-test/*.[ch]' 'probe/native_meter.c' \
	forbid '^#include "bpf/.*\.bpf\.[ch]"' 'the BPF source is built by bpf/, native_meter and tests'
rule collector-wall 'collector-test/*.[ch]' '' \
	forbid '^#include "(probe|bpf)/' 'the collector shares no code with the probe it judges'
rule include-from-root "$C_FILES" '' \
	forbid '^#include "[^/"]+"' 'includes are relative to the root'

rule stderr 'probe/*.[ch]' 'probe/{log,main,options,xflowctl}.c' \
	forbid '(fprintf|fputs|fputc|vfprintf|perror)\(.*\bstderr\b|\bperror\(' 'messages go through probe/log.h'
rule errno-sign 'bpf/*.[ch] probe/*.[ch]' '' \
	forbid '\breturn E[A-Z0-9]+;' 'errors are returned negative'
rule sleep-in-unit 'tests/unit/*.c' '' \
	forbid '\b(u|nano|clock_nano)?sleep\(' 'time in unit tests is scripted'
rule map-name 'bpf/*.[ch] tests/bpf/*.[ch]' '' \
	forbid '(^\} |_ARRAY\(|_MAP\()[a-z0-9_]{16,}( SEC\("\.maps|,)' \
	'the kernel cuts a map name after 15 characters'
rule to-do "$C_FILES $SCRIPTS Makefile" 'tests/style/check.sh' \
	forbid '\b(TODO|FIXME|XXX)\b' 'what is to be done is not kept in the source'

rule licence "$C_FILES $SCRIPTS" '' \
	require_first 'SPDX-License-Identifier: BSD-2-Clause' 'the first line names the licence'
rule pragma-once '{bpf,probe,collector-test,tests/lib,tests/fuzz}/*.h' '' \
	require_line '#pragma once' 'a header guards itself with #pragma once'
rule file-length "$C_FILES $SCRIPTS" '' \
	limit_file $FILE_LINES "a file has at most $FILE_LINES lines"
rule function-length "$C_FILES $SCRIPTS" '' \
	limit_function $FUNCTION_LINES "a function has at most $FUNCTION_LINES lines"

[ $failures -eq 0 ]
