/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles: what an exporter's entry leaves open, by the Collector it is for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "probe/config.h"

/* In the order of the words of exporters[].profile. */
enum profile {
#define PROFILE(NAME, word, unread, level, consequence, doc) PROFILE_##NAME,
#include "probe/profile.def"
#undef PROFILE
	N_PROFILES,
};

/* Its word in xflow.yaml. */
const char *profile_name(enum profile profile);

/* The keys that profiles decide on, one after another, as below exporters[]; NULL at the end. */
const char *profile_key(size_t i);

/*
 * What a profile says of a key (`biflow`, a child of exporters[]), as written in YAML;
 * NULL: nothing.
 */
const char *profile_value(enum profile profile, const char *key);

/*
 * Give the exporter what its profile decides; one of NetFlow, what the default does.
 *
 * is_given  by index of config_keys, the keys that stay as they are; NULL = none
 */
void profile_apply(struct exporter_config *e, const bool *is_given);

/* Tell of fields of exporter number i that the Collector of its profile does not read. */
void profile_check_fields(const struct exporter_config *e, size_t i);
