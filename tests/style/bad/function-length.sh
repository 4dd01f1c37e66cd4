# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A function one line too long.
echo 'void f(void)'
echo '{'
yes '	g();' | head -n 71
echo '}'
