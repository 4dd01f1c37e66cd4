/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exporter sends, for people: its profile's decisions as they hold, and its Templates. */
#include <string.h>

#include "probe/config_schema.h"
#include "probe/exporter_private.h"
#include "probe/ie.h"
#include "probe/profile.h"

/* The value of a key below exporters[]. */
static json_t *value_of(const struct exporter *e, const char *name)
{
	char path[CONFIG_PATH_TEXT_MAX], text[CONFIG_VALUE_TEXT_MAX], *word, *rest = NULL;

	snprintf(path, sizeof(path), "exporters[].%s", name);
	const struct config_key *key = config_key_find(path);

	if (key->type == CONFIG_U32)
		return json_integer(*(const uint32_t *)((const char *)&e->cfg + key->offset));
	config_key_format(key, &e->cfg, text);
	if (key->type == CONFIG_BOOL)
		return json_boolean(!strcmp(text, "true"));
	if (key->type != CONFIG_WORDS)
		return json_string(text);
	json_t *words = json_array();

	for (word = strtok_r(text, "[, ]", &rest); word; word = strtok_r(NULL, "[, ]", &rest))
		json_array_append_new(words, json_string(word));
	return words;
}

/* True when records of this protocol have the element, other things being equal. */
static bool protocol_has(const struct exporter *e, int i)
{
	const struct ie *ie = &ie_table[i];

	return e->cfg.protocol != EXPORT_NETFLOW9 ||
	       ie_netflow9(i, ie->owner, ie->id, ie->octets).type;
}

/* In the order of the record. */
static json_t *elements_of(const struct exporter *e, int layout)
{
	uint32_t groups = layout_groups(layout, e->groups);
	enum template_kind kind = layout_kind(layout);
	char reverse[IE_NAME_MAX + 1];
	json_t *names = json_array();

	for (int i = 0; i < N_IES; i++) {
		if (!ie_is_reversed_in(&ie_table[i], kind, groups))
			continue;
		ie_reverse_name(ie_sent(i, groups), reverse);
		json_array_append_new(names, json_string(reverse));
	}
	for (int i = 0; i < N_IES; i++)
		if (ie_is_in(&ie_table[i], kind, groups) && protocol_has(e, i))
			json_array_append_new(names, json_string(ie_sent(i, groups)->name));
	return names;
}

static json_t *describe_layout(const struct exporter *e, int layout)
{
	enum template_kind kind = layout_kind(layout);
	uint32_t groups = layout_groups(layout, e->groups);

	return json_pack("{s:i, s:i, s:o}", "id", (int)template_id(kind, groups), "octets",
			 (int)e->protocol->record_octets(kind, groups), "elements",
			 elements_of(e, layout));
}

json_t *exporter_describe(const struct exporter *e)
{
	json_t *object = json_pack("{s:s, s:s}", "type", "templates", "exporter", e->cfg.name);
	json_t *ids = json_array(), *templates = json_array();
	bool has_templates = e->protocol->has_templates;
	const char *key;

	json_object_set_new(object, "protocol", value_of(e, "protocol"));
	json_object_set_new(object, "profile", value_of(e, "profile"));
	for (size_t i = 0; (key = profile_key(i)); i++)
		json_object_set_new(object, key, value_of(e, key));
	for (size_t i = 0; has_templates && i < exporter_templates(e); i++)
		json_array_append_new(ids, json_integer(exporter_template_id(e, i)));
	for (int i = 0; has_templates && i < template_layouts(e->groups); i++)
		json_array_append_new(templates, describe_layout(e, i));
	json_object_set_new(object, "template_ids", ids);
	json_object_set_new(object, "templates", templates);
	return object;
}
