/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mutant that the race test must catch: it shows a tag before the slot behind
 * it is filled.
 */
#define XFP_MUTANT_PUBLISH_FIRST
#include "tests/bpf/race.bpf.c"
