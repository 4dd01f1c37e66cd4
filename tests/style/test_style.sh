#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The project's own style rules hold, and each of them can fail.
# root: no
exec "$(dirname "$0")/check.sh"
