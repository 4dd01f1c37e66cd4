#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No input that fuzzing has kept makes a parser crash or break its promises, nor
# does one found in XFLOW_FUZZ_S seconds of processor time (default 60) more.
# root: no
# timeout: 180
cd "$(dirname "$0")/../.." || exit 1
exec tests/fuzz/fuzz.sh check "${XFLOW_FUZZ_S:-60}"
