#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every checker there is, each run to its end; exit status 1 if one complained.
# LINT_TIDY=no leaves out clang-tidy, which takes minutes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
shopt -s nullglob

failures=0
user_c=(probe/*.c collector-test/*.c tests/lib/*.c)
read -ra flags < <(pkg-config --cflags libfixbuf)
flags+=(-std=gnu11 -D_GNU_SOURCE '-DXFP_VERSION=""' -I. -I.output)
# Sources that include it compile only with the skeleton there.
make --no-print-directory .output/bpf/flow.skel.h || exit 1

run()
{
	echo "lint: $1"
	"${@:2}" || failures=$((failures + 1))
}

# Every header compiles alone.
headers()
{
	local header status=0

	for header in {bpf,probe,collector-test,tests/lib,tests/fuzz}/*.h; do
		[[ $header == *.bpf.h ]] || cc -fsyntax-only "${flags[@]}" -include "$header" \
			-x c /dev/null || status=1
	done
	return $status
}

tidy()
{
	clang-tidy --quiet --warnings-as-errors='*' "${user_c[@]}" -- "${flags[@]}" 2>/dev/null
}

run clang-format clang-format --dry-run -Werror {bpf,probe,collector-test}/*.[ch] \
	tests/{unit,bpf,lib,bench,e2e,full,fuzz}/*.[ch]
# BPF programs have one compiler, clang, which defines arithmetic on void pointers.
run cppcheck cppcheck --quiet -j2 --std=c11 --enable=warning,performance,portability \
	--library=tests/style/cppcheck.cfg --suppress='arithOperationsOnVoidPointer:*.bpf.c' \
	--inline-suppr --error-exitcode=1 -I. -DXFP_VERSION='""' "${user_c[@]}"
run shellcheck shellcheck -x .ci/run tests/*.sh tests/*/*.sh
# What fuzzing has found is spelled as it was found.
run codespell codespell --skip='tests/fuzz/corpus' \
	Makefile README.md bpf probe collector-test conf man tests
manuals=(man/*.[1-8])
[ ${#manuals[@]} -eq 0 ] || run mandoc mandoc -Tlint -Wwarning "${manuals[@]}"
run headers headers
run style tests/style/check.sh
[ "${LINT_TIDY:-yes}" = no ] || run clang-tidy tidy
[ $failures -eq 0 ]
