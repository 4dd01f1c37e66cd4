#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The same as tests/e2e/test_fuzz.sh for 20 minutes of processor time (or, given
# XFLOW_FUZZ_LONG_S, so many seconds; more than 2400 take tests/fuzz/fuzz.sh).
# root: no
# timeout: 1500
cd "$(dirname "$0")/../.." || exit 1
exec tests/fuzz/fuzz.sh check "${XFLOW_FUZZ_LONG_S:-1200}"
