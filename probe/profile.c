/* SPDX-License-Identifier: BSD-2-Clause */
/* profile.def as data, and its values into an exporter's configuration. */
#include "probe/profile.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "probe/config_schema.h"
#include "probe/log.h"
#include "probe/record.h"

static const struct {
	const char *name;
	uint32_t unread; /* OR of GROUP_* */
	enum log_level level;
	const char *consequence;
} profiles[N_PROFILES] = {
#define PROFILE(NAME, word, unread, level, consequence, doc) {#word, unread, level, consequence},
#include "probe/profile.def"
#undef PROFILE
};

static const struct decision {
	const char *key; /* below exporters[] */
	const char *value[N_PROFILES];
} decisions[] = {
#define DECISION(key, ...) {key, {__VA_ARGS__}},
#include "probe/profile.def"
#undef DECISION
};

#define N_DECISIONS (sizeof(decisions) / sizeof(*decisions))

const char *profile_name(enum profile profile)
{
	return profiles[profile].name;
}

const char *profile_key(size_t i)
{
	return i < N_DECISIONS ? decisions[i].key : NULL;
}

const char *profile_value(enum profile profile, const char *key)
{
	for (size_t i = 0; i < N_DECISIONS; i++)
		if (!strcmp(decisions[i].key, key))
			return decisions[i].value[profile];
	return NULL;
}

static void decide(struct exporter_config *e, const struct decision *d, const bool *is_given)
{
	/* NetFlow has no choice in most of it */
	enum profile profile = e->protocol == EXPORT_IPFIX ? e->profile : PROFILE_NFCAPD;
	const char *value = d->value[profile], *reason;
	char path[CONFIG_PATH_TEXT_MAX];

	snprintf(path, sizeof(path), "exporters[].%s", d->key);
	const struct config_key *key = config_key_find(path);

	if (is_given && is_given[key - config_keys])
		return;
	if (key->type == CONFIG_WORDS)
		config_key_set_words(key, e, value, &reason);
	else
		config_key_set(key, e, value, true, &reason);
}

void profile_apply(struct exporter_config *e, const bool *is_given)
{
	for (size_t i = 0; i < N_DECISIONS; i++)
		decide(e, &decisions[i], is_given);
}

void profile_check_fields(const struct exporter_config *e, size_t i)
{
	struct exporter_config lost = {.fields = e->fields & profiles[e->profile].unread};
	char words[CONFIG_VALUE_TEXT_MAX];

	if (!lost.fields || e->protocol != EXPORT_IPFIX)
		return;
	config_key_format(config_key_find("exporters[].fields"), &lost, words);
	log_print(profiles[e->profile].level, "exporters[%zu].fields: %s: %s (profile: %s)", i,
		  words, profiles[e->profile].consequence, profiles[e->profile].name);
}
