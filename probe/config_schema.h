/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema of xflow.yaml: one row per key. Loading, printing, defaults, the
 * options that stand for a key and the check of the man page all follow it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum config_type {
	CONFIG_U32, /* whole decimal number                         */
	CONFIG_SECONDS, /* decimal number, fraction allowed; a double   */
	CONFIG_BOOL, /* true or false, not in quotes                 */
	CONFIG_ENUM, /* one of the words; an int, or a bool of two   */
	CONFIG_WORDS, /* list of the words; an OR of 1 << place       */
	CONFIG_PROTOCOLS, /* list of names and numbers, or one word; a struct protocol_set */
	CONFIG_NETWORKS, /* list of addresses and networks; a struct network_list */
	CONFIG_STRING, /* text without control characters; a char[]    */
};

/* What a new value needs when the configuration is read again. */
enum config_reload {
	CONFIG_RESTART, /* the probe has to be started anew: such a file is refused */
	CONFIG_SESSION, /* the exporter begins a new Transport Session              */
	CONFIG_AT_ONCE, /* nothing                                                  */
};

#define CONFIG_KEYS_MAX	      128
#define CONFIG_PATH_TEXT_MAX  96 /* octets of a key's path with its list index   */
#define CONFIG_VALUE_TEXT_MAX 1600 /* octets of a value as YAML, quotes escaped   */

struct config_key {
	const char *path; /* as in xflow.yaml(5), items of a list as `interfaces[].name` */
	enum config_type type;
	size_t offset; /* of the member in struct config, or in the item of its list    */
	size_t size; /* octets of the member; 0 = the value is checked but not kept   */
	enum config_reload reload;
	const char *fallback; /* the default, as written in YAML; NULL = required              */
	double min; /* least value, or octets of a string                            */
	double max; /* largest value, or octets of a string                          */
	const char *words; /* "a | b", an enum's in the order of its C values;
			       * of a number: the one word that stands for 0                   */
	const char *later; /* words (or any text for a number's other values) that mean a
			       * thing this version cannot do                                  */
	const char *doc;
};

struct config;

struct config_list {
	const char *path; /* "interfaces"; its keys begin with "interfaces[]." */
	size_t offset; /* of the array in struct config                     */
	size_t count_offset; /* of the size_t that says how many are used         */
	size_t item_size; /* octets                                            */
	size_t max; /* items                                             */
	size_t name_size; /* 0, or octets of the name each item begins with: then
			   * they are a mapping from it                          */
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* The row of `path`, NULL if there is none. */
const struct config_key *config_key_find(const char *path);

/* True for a word that means a thing this version cannot do. */
bool config_key_is_later(const struct config_key *key, const char *word);

/* The part of the key's path behind the first `length` octets of `at`, NULL if it lies elsewhere. */
const char *config_key_below(const struct config_key *key, const char *at, size_t length);

/* Its path within the item of its list, the whole path of a key outside lists. */
const char *config_key_name(const struct config_key *key);

/* True for a threshold of a detector, that a group of networks may have another one of. */
bool config_key_is_threshold(const struct config_key *key);

/*
 * Index of the first key that is, or lies below, `name` at the place that the
 * first `length` octets of `at` say (as `exporters[].`); -1 if there is none.
 */
int config_find_child(const char *at, size_t length, const char *name, bool thresholds_only);

/* Write the names there are at a place, `a, b, c`, into out[size]. */
void config_names_at(const char *at, size_t length, bool thresholds_only, char *out, size_t size);

/* Add them to those that are there. */
void config_names_add(const char *at, size_t length, bool thresholds_only, char *out, size_t size);

/* Write the name at a place that `name` may be a misspelling of; false if none is. */
bool config_find_nearest(const char *at, size_t length, bool thresholds_only, const char *name,
			 char nearest[static CONFIG_PATH_TEXT_MAX]);

/* The list whose items `key` belongs to, NULL for a key outside lists. */
const struct config_list *config_list_of(const struct config_key *key);

/* True for a name an item can have: letters, digits, _ and -, so that it is plain YAML. */
bool config_list_allows(const struct config_list *list, const char *name);

/* True when the configuration has an item of this name. */
bool config_list_has(const struct config_list *list, const struct config *cfg, const char *name);

/* Set all keys of one list item (or, with list NULL, all outside lists) to their defaults. */
void config_set_defaults(const struct config_list *list, void *base);

/*
 * Check a value and keep it.
 *
 * base      the struct config, or the list item `key` belongs to; untouched on failure
 * text      the value as written, without quotes; of CONFIG_WORDS, CONFIG_NETWORKS and
 *           CONFIG_PROTOCOLS one item, which is added to those kept
 * is_plain  false when it was in quotes
 * reason    set on failure: why not, static
 *
 * Returns 0 or -EINVAL.
 */
int config_key_set(const struct config_key *key, void *base, const char *text, bool is_plain,
		   const char **reason);

/* The same for all words of a CONFIG_WORDS, as `a,b` or `[a, b]`: they replace those kept. */
int config_key_set_words(const struct config_key *key, void *base, const char *list,
			 const char **reason);

/* The same for a CONFIG_NETWORKS; `[]` is a list of none. */
int config_key_set_networks(const struct config_key *key, void *base, const char *list,
			    const char **reason);

/* True when the values kept in both bases are the same. */
bool config_key_equals(const struct config_key *key, const void *a, const void *b);

/* Take the value kept in one base over into another. */
void config_key_copy(const struct config_key *key, void *to, const void *from);

/* What `key` may be, for people: `1 .. 86400`, `udp | tcp | file`. */
void config_key_allowed(const struct config_key *key, char out[static CONFIG_VALUE_TEXT_MAX]);

/* The value kept in `base`, as YAML text that config_key_set() reads back equal. */
void config_key_format(const struct config_key *key, const void *base,
		       char out[static CONFIG_VALUE_TEXT_MAX]);
