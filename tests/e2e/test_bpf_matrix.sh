#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The BPF source compiles without warnings under the oldest, a middle and the
# newest clang we support.
# root: no
cd "$(dirname "$0")/../.." || exit 1
exec make --no-print-directory bpf-matrix
