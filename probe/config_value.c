/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One value of the configuration as its row of the schema wants it: checked
 * and kept, printed, and described.
 */
#include "probe/config_schema.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/network.h"
#include "probe/protocol.h"

#define WORD_MAX     31 /* octets of a word; longer ones are none known */
#define DECIMALS_MAX 20 /* enough for every double a key may hold */

/* Position of `text` among words "a | b", -1 if it is none of them. */
static int word_index(const char *words, const char *text)
{
	size_t n = strlen(text);

	for (int i = 0; words; i++) {
		if (strcspn(words, " ") == n && !strncmp(words, text, n))
			return i;
		words = strchr(words, '|');
		if (words)
			words += 2;
	}
	return -1;
}

bool config_key_is_later(const struct config_key *key, const char *word)
{
	return word_index(key->later, word) >= 0;
}

static const char *word_at(const char *words, int index, int *length)
{
	while (index--)
		words = strchr(words, '|') + 2;
	*length = strcspn(words, " ");
	return words;
}

static int refuse(const char **reason, const char *why)
{
	*reason = why;
	return -EINVAL;
}

/* Digits, no leading zero; with_fraction allows a point and more digits. */
static bool is_decimal(const char *text, bool with_fraction)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || (text[0] == '0' && n > 1))
		return false;
	if (with_fraction && text[n] == '.') {
		text += n + 1;
		n = strspn(text, "0123456789");
		if (n == 0 || n > DECIMALS_MAX)
			return false;
	}
	return text[n] == '\0';
}

static int set_number(const struct config_key *key, void *member, const char *text,
		      const char **reason)
{
	bool is_word = key->words && !strcmp(text, key->words);
	double value = is_word ? 0 : strtod(text, NULL);

	if (!is_word && !is_decimal(text, key->type == CONFIG_SECONDS))
		return refuse(reason, key->type == CONFIG_SECONDS ? "not a decimal number"
								  : "not a whole decimal number");
	if (!is_word && (value < key->min || value > key->max))
		return refuse(reason,
			      key->later ? "not available in this version" : "out of range");
	if (key->size == sizeof(double))
		*(double *)member = value;
	else if (key->size)
		*(uint32_t *)member = value;
	return 0;
}

/* Why this version cannot do what a word means, and what to do instead, where there is a way. */
static const char *why_later(const char *word)
{
	static const struct {
		const char *word, *why;
	} ways[] = {
		{"sctp",
		 "not available in this version: Debian's libfixbuf is built without SCTP; set "
		 "transport: tcp, through WireGuard or stunnel where the path is not trusted"},
		{"tls",
		 "not available in this version: Debian's libfixbuf is built without OpenSSL; "
		 "set transport: tcp to a stunnel on this host, or send through WireGuard"},
		{"dtls",
		 "not available in this version: Debian's libfixbuf is built without OpenSSL; "
		 "send through WireGuard, or set transport: tcp to a stunnel on this host"},
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(word, ways[i].word))
			return ways[i].why;
	return "not available in this version";
}

static int set_word(const struct config_key *key, void *member, const char *text,
		    const char **reason)
{
	int index = word_index(key->words, text);

	if (config_key_is_later(key, text))
		return refuse(reason, why_later(text));
	if (index < 0)
		return refuse(reason, key->type == CONFIG_BOOL ? "neither true nor false"
							       : "not one of the words known here");
	if (key->size && key->type == CONFIG_WORDS)
		*(uint32_t *)member |= 1u << index;
	else if (key->size == sizeof(bool))
		*(bool *)member = index;
	else if (key->size)
		*(int *)member = index;
	return 0;
}

static int set_network(void *member, const char *text, const char **reason)
{
	struct network_list *list = member;
	struct network network;

	if (network_parse(text, &network, reason))
		return -EINVAL;
	if (list->n == NETWORKS_MAX)
		return refuse(reason, "one too many");
	list->item[list->n++] = network;
	return 0;
}

/* key->words is the word for no set at all. */
static int set_protocol(const struct config_key *key, struct protocol_set *set, const char *text,
			const char **reason)
{
	bool is_none = !strcmp(text, key->words);

	if (is_none && set->is_given)
		return refuse(reason, "stands alone, not in a list");
	if (!is_none && protocol_set_add(set, text))
		return refuse(reason, "no IP protocol that is known here");
	return 0;
}

static int set_string(const struct config_key *key, void *member, const char *text,
		      const char **reason)
{
	size_t n = strlen(text);

	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return refuse(reason, "has a control character in it");
	if (n < key->min)
		return refuse(reason, "empty");
	if (n > key->max)
		return refuse(reason, "too long");
	memcpy(member, text, n + 1);
	return 0;
}

int config_key_set(const struct config_key *key, void *base, const char *text, bool is_plain,
		   const char **reason)
{
	void *member = (char *)base + key->offset;

	if (is_plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null")))
		return refuse(reason, "has no value");
	switch (key->type) {
	case CONFIG_STRING:
		return set_string(key, member, text, reason);
	case CONFIG_ENUM:
	case CONFIG_WORDS:
		return set_word(key, member, text, reason);
	case CONFIG_NETWORKS:
		return set_network(member, text, reason);
	case CONFIG_PROTOCOLS:
		return set_protocol(key, member, text, reason);
	case CONFIG_BOOL:
	case CONFIG_U32:
	case CONFIG_SECONDS:
		break;
	}
	if (!is_plain)
		return refuse(reason, "text in quotes where none belong");
	return key->type == CONFIG_BOOL ? set_word(key, member, text, reason)
					: set_number(key, member, text, reason);
}

int config_key_set_words(const struct config_key *key, void *base, const char *list,
			 const char **reason)
{
	uint32_t *member = (uint32_t *)((char *)base + key->offset);
	uint32_t words = 0;

	do {
		char word[WORD_MAX + 1] = "";
		size_t start = strspn(list, "[ "), n = strcspn(list + start, ",] ");

		snprintf(word, sizeof(word), "%.*s", (int)n, list + start);
		list += start + n;
		list += strspn(list, " ]");
		if (*list && *list != ',')
			return refuse(reason, "words without a comma between them");
		if (set_word(key, &words, word, reason))
			return -EINVAL;
	} while (*list++);
	if (key->size)
		*member = words;
	return 0;
}

int config_key_set_networks(const struct config_key *key, void *base, const char *list,
			    const char **reason)
{
	struct network_list networks = {0};

	list += strspn(list, "[ ");
	while (*list && *list != ']') {
		char text[NETWORK_TEXT_MAX + 1] = "";
		size_t n = strcspn(list, ",] ");

		snprintf(text, sizeof(text), "%.*s", (int)n, list);
		if (set_network(&networks, text, reason))
			return -EINVAL;
		list += n + strspn(list + n, ", ");
	}
	if (key->size)
		memcpy((char *)base + key->offset, &networks, sizeof(networks));
	return 0;
}

bool config_key_equals(const struct config_key *key, const void *a, const void *b)
{
	const char *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;

	if (key->type == CONFIG_STRING && key->size)
		return !strcmp(x, y);
	return !memcmp(x, y, key->size); /* no padding in any, nothing behind the end of a list */
}

void config_key_copy(const struct config_key *key, void *to, const void *from)
{
	if (key->size)
		memcpy((char *)to + key->offset, (const char *)from + key->offset, key->size);
}

static void format_seconds(double value, char out[static CONFIG_VALUE_TEXT_MAX])
{
	for (int decimals = 0; decimals <= DECIMALS_MAX; decimals++) {
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "%.*f", decimals, value);
		if (strtod(out, NULL) == value)
			return;
	}
}

static void format_string(const char *text, char out[static CONFIG_VALUE_TEXT_MAX])
{
	*out++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = *text;
	}
	strcpy(out, "\"");
}

static void format_word(const struct config_key *key, const void *member,
			char out[static CONFIG_VALUE_TEXT_MAX])
{
	int index = key->size == sizeof(bool) ? *(const bool *)member : *(const int *)member;
	int length;
	const char *word = word_at(key->words, index, &length);

	snprintf(out, CONFIG_VALUE_TEXT_MAX, "%.*s", length, word);
}

static void format_words(const struct config_key *key, const void *member,
			 char out[static CONFIG_VALUE_TEXT_MAX])
{
	const char *separator = "[";
	size_t n = 0;
	int length;

	for (int i = 0; *(const uint32_t *)member >> i; i++) {
		if (!(*(const uint32_t *)member >> i & 1))
			continue;
		const char *word = word_at(key->words, i, &length);

		n += (size_t)snprintf(out + n, CONFIG_VALUE_TEXT_MAX - n, "%s%.*s", separator,
				      length, word);
		separator = ", ";
	}
	snprintf(out + n, CONFIG_VALUE_TEXT_MAX - n, "]");
}

/* In quotes: colons have a meaning in YAML. */
static void format_networks(const struct network_list *list, char out[static CONFIG_VALUE_TEXT_MAX])
{
	char text[NETWORK_TEXT_MAX + 1];
	size_t n = 0;

	out[n++] = '[';
	for (size_t i = 0; i < list->n; i++) {
		network_put(text, &list->item[i]);
		n += (size_t)snprintf(out + n, CONFIG_VALUE_TEXT_MAX - n, "%s\"%s\"", i ? ", " : "",
				      text);
	}
	snprintf(out + n, CONFIG_VALUE_TEXT_MAX - n, "]");
}

static void format_protocols(const struct config_key *key, const struct protocol_set *set,
			     char out[static CONFIG_VALUE_TEXT_MAX])
{
	if (set->is_given)
		protocol_set_format(set, out, CONFIG_VALUE_TEXT_MAX);
	else
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "%s", key->words);
}

void config_key_format(const struct config_key *key, const void *base,
		       char out[static CONFIG_VALUE_TEXT_MAX])
{
	const void *member = (const char *)base + key->offset;

	if (!key->size) {
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "%s", key->fallback);
		return;
	}
	switch (key->type) {
	case CONFIG_STRING:
		format_string(member, out);
		break;
	case CONFIG_SECONDS:
		format_seconds(*(const double *)member, out);
		break;
	case CONFIG_U32:
		if (key->words && !*(const uint32_t *)member)
			snprintf(out, CONFIG_VALUE_TEXT_MAX, "%s", key->words);
		else
			snprintf(out, CONFIG_VALUE_TEXT_MAX, "%u", *(const uint32_t *)member);
		break;
	case CONFIG_NETWORKS:
		format_networks(member, out);
		break;
	case CONFIG_PROTOCOLS:
		format_protocols(key, member, out);
		break;
	case CONFIG_WORDS:
		format_words(key, member, out);
		break;
	case CONFIG_BOOL:
	case CONFIG_ENUM:
		format_word(key, member, out);
		break;
	}
}

void config_key_allowed(const struct config_key *key, char out[static CONFIG_VALUE_TEXT_MAX])
{
	const char *also = key->words ? key->words : "";

	switch (key->type) {
	case CONFIG_STRING:
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "text of %.0f .. %.0f octets", key->min,
			 key->max);
		break;
	case CONFIG_U32:
	case CONFIG_SECONDS:
		if (key->min == key->max)
			snprintf(out, CONFIG_VALUE_TEXT_MAX, "%.0f", key->min);
		else
			snprintf(out, CONFIG_VALUE_TEXT_MAX, "%s%s%.10g .. %.10g", also,
				 *also ? " | " : "", key->min, key->max);
		break;
	case CONFIG_NETWORKS:
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "list of ADDRESS or ADDRESS/LENGTH");
		break;
	case CONFIG_PROTOCOLS:
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "%s | all | list of names or 0 .. 255",
			 key->words);
		break;
	case CONFIG_WORDS:
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "list of %s", key->words);
		break;
	case CONFIG_BOOL:
	case CONFIG_ENUM:
		snprintf(out, CONFIG_VALUE_TEXT_MAX, "%s", key->words);
		break;
	}
}
