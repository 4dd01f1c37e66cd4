/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads xflow.yaml: walks libyaml's events and the schema side by side, without
 * a tree in between. Goes on after an error, so that one run tells them all;
 * only broken YAML ends it. Aliases, anchors and tags are refused: a value
 * stands where it is used.
 */
#include "probe/config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "probe/config_groups.h"
#include "probe/config_places.h"
#include "probe/config_schema.h"
#include "probe/log.h"
#include "probe/profile.h"

#define REASON_MAX 1024

struct loader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one being looked at */
	const char *file;
	const char *text; /* whole file, for the position of a bad octet */
	struct config cfg;
	struct config_places *places; /* of its values; NULL: not wanted */
	size_t n_errors;
	bool is_broken; /* no more events: not YAML */
};

/* Where in schema, file and structs the walk is. */
struct place {
	const char *schema; /* a path of the schema that begins with ours    */
	size_t length; /* octets of it that are ours                    */
	char shown[CONFIG_PATH_TEXT_MAX]; /* the same with list indexes, for messages      */
	void *base; /* struct config, or a list item                 */
	bool thresholds_only; /* in a group of networks: no other keys are here */
};

static void __attribute__((format(printf, 4, 5)))
report(struct loader *l, yaml_mark_t mark, const char *path, const char *fmt, ...)
{
	char reason[REASON_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	log_error("%s:%zu:%zu: %s%s%s", l->file, mark.line + 1, mark.column + 1, path,
		  *path ? ": " : "", reason);
	l->n_errors++;
}

/* The current event is the value of `path`. */
static void note_place(struct loader *l, const char *path)
{
	yaml_mark_t mark = l->event.start_mark;

	if (l->places)
		config_places_add(l->places, path, mark.line + 1, mark.column + 1);
}

/* libyaml gives an octet that is not UTF-8 an offset only. */
static yaml_mark_t mark_of_offset(const char *text, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset; i++) {
		unsigned char c = text[i];

		if (c == '\n') {
			mark.line++;
			mark.column = 0;
		} else if ((c & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static void report_broken(struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "out of memory";

	l->is_broken = true;
	if (p->error == YAML_READER_ERROR)
		report(l, mark_of_offset(l->text, p->problem_offset), "",
		       "%s (allowed: UTF-8 text)", problem);
	else
		report(l, p->problem_mark, "", "not YAML: %s%s%s", p->context ? p->context : "",
		       p->context ? ", " : "", problem);
}

static const char *event_anchor(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)e->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)e->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)e->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static const char *event_tag(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return (const char *)e->data.mapping_start.tag;
	default:
		return NULL;
	}
}

/* Go to the next event; false when there is none. */
static bool advance(struct loader *l)
{
	const char *anchor, *tag;

	if (l->is_broken)
		return false;
	yaml_event_delete(&l->event);
	if (!yaml_parser_parse(&l->parser, &l->event)) {
		report_broken(l);
		return false;
	}
	anchor = event_anchor(&l->event);
	if (anchor)
		report(l, l->event.start_mark, "",
		       "anchor &%.64s; write the value where it is used", anchor);
	tag = event_tag(&l->event);
	if (tag)
		report(l, l->event.start_mark, "", "tag %.64s; write the value without it", tag);
	return true;
}

/* Leave the value at the current event, with all it contains, unread. */
static void skip_value(struct loader *l)
{
	size_t depth = 0;

	do {
		yaml_event_type_t type = l->event.type;

		if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
			depth++;
		else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
			depth--;
	} while (depth && advance(l));
}

static bool is_plain(const yaml_event_t *e)
{
	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool is_empty(const yaml_event_t *e)
{
	return e->type == YAML_SCALAR_EVENT && is_plain(e) && !e->data.scalar.length;
}

/* A value that cannot be used where it stands; it is skipped. */
static void refuse_value(struct loader *l, const char *path, const char *allowed)
{
	static const char *const names[] = {
		[YAML_SCALAR_EVENT] = "a single value",
		[YAML_SEQUENCE_START_EVENT] = "a list",
		[YAML_MAPPING_START_EVENT] = "a mapping",
		[YAML_ALIAS_EVENT] = "an alias",
	};

	report(l, l->event.start_mark, path, "%s (allowed: %s)", names[l->event.type], allowed);
	skip_value(l);
}

static void load_scalar(struct loader *l, const struct config_key *key, const struct place *at)
{
	char allowed[CONFIG_VALUE_TEXT_MAX];
	const char *reason = "has a control character in it", *text;
	int err = -EINVAL;

	config_key_allowed(key, allowed);
	if (l->event.type != YAML_SCALAR_EVENT) {
		refuse_value(l, at->shown, allowed);
		return;
	}
	text = (const char *)l->event.data.scalar.value;
	if (strlen(text) == l->event.data.scalar.length)
		err = config_key_set(key, at->base, text, is_plain(&l->event), &reason);
	if (!err && key->type == CONFIG_NETWORKS)
		err = config_group_check(key, &l->cfg, at->base, &reason);
	if (err)
		report(l, l->event.start_mark, at->shown, "%.64s: %s (allowed: %s)", text, reason,
		       allowed);
}

/* Items of a CONFIG_WORDS, CONFIG_NETWORKS or CONFIG_PROTOCOLS. */
static void load_words(struct loader *l, const struct config_key *key, const struct place *at)
{
	char allowed[CONFIG_VALUE_TEXT_MAX];
	yaml_mark_t start = l->event.start_mark;
	size_t n = 0;

	if (key->size)
		memset((char *)at->base + key->offset, 0, key->size);
	config_key_allowed(key, allowed);
	if (l->event.type != YAML_SEQUENCE_START_EVENT) {
		refuse_value(l, at->shown, allowed);
		return;
	}
	if (key->type == CONFIG_PROTOCOLS) /* no single word from here on */
		((struct protocol_set *)((char *)at->base + key->offset))->is_given = true;
	for (; advance(l) && l->event.type != YAML_SEQUENCE_END_EVENT; n++)
		load_scalar(l, key, at);
	if (!n && !l->is_broken && (key->type != CONFIG_NETWORKS || key->min > 0))
		report(l, start, at->shown, "empty list (allowed: %s)", allowed);
}

static void load_mapping(struct loader *l, const struct place *at);

/* Make room for the next item of a list; items too many go to `spare` and are told of. */
static void *next_item(struct loader *l, const struct config_list *list, size_t i,
		       const struct place *item, struct config *spare)
{
	size_t *count = (size_t *)((char *)&l->cfg + list->count_offset);
	void *base = spare;

	if (i < list->max)
		base = (char *)&l->cfg + list->offset + (*count)++ * list->item_size;
	else if (i == list->max)
		report(l, l->event.start_mark, item->shown, "one too many (allowed: %zu entries)",
		       list->max);
	note_place(l, item->shown);
	memset(base, 0, list->item_size);
	config_set_defaults(list, base);
	return base;
}

static void load_items(struct loader *l, const struct config_list *list, const struct place *at)
{
	struct place item = *at;
	struct config spare; /* takes items there is no room for */

	*(size_t *)((char *)&l->cfg + list->count_offset) = 0;
	for (size_t i = 0; advance(l) && l->event.type != YAML_SEQUENCE_END_EVENT; i++) {
		snprintf(item.shown, sizeof(item.shown), "%s[%zu]", list->path, i);
		item.base = next_item(l, list, i, &item, &spare);
		if (l->event.type == YAML_MAPPING_START_EVENT)
			load_mapping(l, &item);
		else
			refuse_value(l, item.shown, "a mapping with the keys of the entry");
	}
}

static void append(char shown[static CONFIG_PATH_TEXT_MAX], const char *text)
{
	strncat(shown, text, CONFIG_PATH_TEXT_MAX - 1 - strlen(shown));
}

/* Make `child` the place of key `name` in `at`, for messages so far. */
static void enter(struct place *child, const struct place *at, const char *name)
{
	*child = *at;
	append(child->shown, *at->shown ? "." : "");
	append(child->shown, name);
}

/* An item whose name is `name`; its value is the current event. */
static void load_named(struct loader *l, const struct config_list *list, const struct place *at,
		       const char *name, size_t i)
{
	struct place item;
	struct config spare;

	enter(&item, at, name);
	item.base = next_item(l, list, i, &item, &spare);
	snprintf(item.base, list->name_size, "%s", name);
	if (l->event.type == YAML_MAPPING_START_EVENT)
		load_mapping(l, &item);
	else if (!is_empty(&l->event))
		refuse_value(l, item.shown, "a mapping with the keys of the entry");
}

/* The items of a mapping from their names. */
static void load_names(struct loader *l, const struct config_list *list, const struct place *at)
{
	size_t i = 0;

	*(size_t *)((char *)&l->cfg + list->count_offset) = 0;
	while (advance(l) && l->event.type != YAML_MAPPING_END_EVENT) {
		char name[CONFIG_PATH_TEXT_MAX] = "";
		bool is_good = l->event.type == YAML_SCALAR_EVENT;

		if (is_good)
			snprintf(name, sizeof(name), "%s", (char *)l->event.data.scalar.value);
		if (is_good && config_list_has(list, &l->cfg, name)) {
			report(l, l->event.start_mark, at->shown, "%s is here a second time", name);
			is_good = false;
		} else if (!config_list_allows(list, name)) {
			report(l, l->event.start_mark, at->shown,
			       "%s: no name (allowed: letters, digits, _ and -, at most %zu)", name,
			       list->name_size - 1);
			is_good = false;
			skip_value(l);
		}
		if (!advance(l))
			return;
		if (is_good)
			load_named(l, list, at, name, i++);
		else
			skip_value(l);
	}
}

/*
 * In a group of networks thresholds stand under the names they have outside: their place
 * is that of the schema, their values are in the group. False: it is no such group.
 */
static bool enter_thresholds(struct place *thresholds, const struct place *at)
{
	if (!config_is_in_group(at->schema, at->length))
		return false;
	*thresholds = *at;
	thresholds->schema = CONFIG_THRESHOLDS_AT;
	thresholds->length = strlen(CONFIG_THRESHOLDS_AT);
	thresholds->base = config_group_base(at->base);
	thresholds->thresholds_only = true;
	return true;
}

static void report_unknown(struct loader *l, const struct place *at, const char *name)
{
	char allowed[REASON_MAX / 2], nearest[CONFIG_PATH_TEXT_MAX];
	struct place child;

	enter(&child, at, name);
	if (config_group_help(at->schema, at->length, at->thresholds_only, name, allowed,
			      sizeof(allowed), nearest))
		report(l, l->event.start_mark, child.shown,
		       "unknown key, perhaps %s is meant (allowed: %s)", nearest, allowed);
	else
		report(l, l->event.start_mark, child.shown, "unknown key (allowed: %s)", allowed);
}

static void load_value(struct loader *l, const struct config_key *key, const struct place *at)
{
	struct place inner = *at;
	const char *rest = key->path + at->length;

	if (!*rest && (key->type == CONFIG_WORDS || key->type == CONFIG_NETWORKS ||
		       (key->type == CONFIG_PROTOCOLS && l->event.type != YAML_SCALAR_EVENT))) {
		load_words(l, key, at);
	} else if (!*rest) {
		load_scalar(l, key, at);
	} else if (*rest == '[') {
		const struct config_list *list = config_list_of(key);

		inner.length += strlen("[].");
		if (list->name_size && l->event.type == YAML_MAPPING_START_EVENT)
			load_names(l, list, &inner);
		else if (!list->name_size && l->event.type == YAML_SEQUENCE_START_EVENT)
			load_items(l, list, &inner);
		else if (!is_empty(&l->event))
			refuse_value(l, at->shown, list->name_size ? "a mapping" : "a list");
	} else {
		inner.length += strlen(".");
		if (l->event.type == YAML_MAPPING_START_EVENT)
			load_mapping(l, &inner);
		else if (!is_empty(&l->event))
			refuse_value(l, at->shown, "a mapping");
	}
}

/* One key and its value; the current event is the key. */
static void load_pair(struct loader *l, const struct place *at, bool *seen)
{
	struct place inner, thresholds;
	const char *name;
	int index;

	if (l->event.type != YAML_SCALAR_EVENT) {
		refuse_value(l, at->shown, "the name of a key");
		if (advance(l))
			skip_value(l);
		return;
	}
	name = (const char *)l->event.data.scalar.value;
	index = config_find_child(at->schema, at->length, name, at->thresholds_only);
	if (index < 0 && enter_thresholds(&thresholds, at)) {
		index = config_find_child(thresholds.schema, thresholds.length, name, true);
		at = index < 0 ? at : &thresholds;
	}
	if (index < 0) {
		report_unknown(l, at, name);
		if (advance(l))
			skip_value(l);
		return;
	}
	enter(&inner, at, name);
	inner.schema = config_keys[index].path;
	inner.length = at->length + strlen(name);
	if (seen[index]) {
		report(l, l->event.start_mark, inner.shown, "the key is here a second time");
		if (advance(l))
			skip_value(l);
		return;
	}
	seen[index] = true;
	if (!advance(l))
		return;
	note_place(l, inner.shown);
	load_value(l, &config_keys[index], &inner);
}

static bool is_exporter(const struct place *at)
{
	static const char path[] = "exporters[].";

	return at->length == strlen(path) && !strncmp(at->schema, path, strlen(path));
}

static void load_mapping(struct loader *l, const struct place *at)
{
	yaml_mark_t start = l->event.start_mark;
	bool seen[CONFIG_KEYS_MAX] = {}; /* key i, or the mapping or list that begins with it */

	while (advance(l) && l->event.type != YAML_MAPPING_END_EVENT)
		load_pair(l, at, seen);
	for (size_t i = 0; i < config_n_keys && !l->is_broken; i++) {
		const struct config_key *key = &config_keys[i];
		const char *name = config_key_below(key, at->schema, at->length);

		if (name && !strpbrk(name, ".[") && !key->fallback && !seen[i])
			report(l, start, at->shown, "the key %s is missing", name);
	}
	if (is_exporter(at))
		profile_apply(at->base, seen);
}

static void load_stream(struct loader *l)
{
	struct place root = {.schema = "", .base = &l->cfg};
	bool has_document = false;

	while (advance(l) && l->event.type != YAML_STREAM_END_EVENT) {
		if (l->event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (has_document) {
			report(l, l->event.start_mark, "", "a second document (allowed: one)");
			return;
		}
		has_document = true;
		if (!advance(l))
			return;
		if (l->event.type == YAML_MAPPING_START_EVENT)
			load_mapping(l, &root);
		else if (!is_empty(&l->event))
			refuse_value(l, "", "a mapping of keys");
	}
}

int config_parse(struct config *cfg, const char *path, struct config_places *places,
		 const char *text, size_t length)
{
	struct loader *l = calloc(1, sizeof(*l));
	int err = 0;

	if (!l || !yaml_parser_initialize(&l->parser)) {
		free(l);
		return log_errno(-ENOMEM, "read %s", path);
	}
	l->file = path;
	l->text = text;
	l->cfg = *cfg;
	l->places = places;
	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)text, length);
	load_stream(l);
	if (l->n_errors)
		err = -EINVAL;
	else
		*cfg = l->cfg;
	yaml_event_delete(&l->event);
	yaml_parser_delete(&l->parser);
	free(l);
	return err;
}
