# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A file one line too long.
yes ';' | head -n 501
