/* SPDX-License-Identifier: BSD-2-Clause */
/* basicLists as JSON; see list.h. */
#include "collector-test/list.h"

#include "collector-test/jsonl.h"
#include "collector-test/template.h"
#include "collector-test/value.h"

#include <errno.h>

#define MAX_LISTS      64
#define HEAD_OCTETS    5 /* semantic, element, length */
#define ENTERPRISE_BIT 0x8000

void list_take_over(fbInfoModel_t *model)
{
	fbInfoElement_t lists[MAX_LISTS];
	const fbInfoElement_t *ie;
	fbInfoModelIter_t iter;
	size_t n = 0;

	fbInfoModelIterInit(&iter, model);
	while (n < MAX_LISTS && (ie = fbInfoModelIterNext(&iter)))
		if (ie->type == FB_BASIC_LIST)
			lists[n++] = *ie;
	for (size_t i = 0; i < n; i++) {
		fbInfoElement_t octets =
			FB_IE_INIT_FULL(lists[i].ref.name, lists[i].ent, lists[i].num, FB_IE_VARLEN,
					FB_IE_LIST, 0, 0, FB_OCTET_ARRAY, NULL);

		fbInfoModelAddElement(model, &octets);
	}
}

bool list_is(const fbInfoElement_t *canon)
{
	return canon->type == FB_OCTET_ARRAY && FB_IE_SEMANTIC(canon->flags) == FB_IE_LIST >> 8;
}

/* The next value of a list, up to its end; false: there is no whole one. */
static bool next_value(const uint8_t **at, const uint8_t *end, struct value *value)
{
	size_t left = (size_t)(end - *at), prefix = 0;

	if (value->is_varlen) {
		prefix = **at < 255 ? 1 : 3;
		if (prefix > left)
			return false;
		value->len = prefix == 1 ? **at : read_be16(*at + 1);
	}
	if (value->len > left - prefix)
		return false;
	value->octets = *at + prefix;
	*at += prefix + value->len;
	return true;
}

/* True when the list is filled by whole values. */
static bool is_whole(const uint8_t *at, const uint8_t *end, struct value value)
{
	while (at < end)
		if (!next_value(&at, end, &value))
			return false;
	return true;
}

/* Octets of the head, 0 if it is malformed; sets the type and length of the values. */
static size_t read_head(fbInfoModel_t *model, const uint8_t *octets, size_t len,
			struct value *value)
{
	static const fbInfoElement_t unknown = {.type = FB_OCTET_ARRAY};

	if (len < HEAD_OCTETS)
		return 0;
	uint16_t id = read_be16(octets + 1);
	size_t head = HEAD_OCTETS + (id & ENTERPRISE_BIT ? 4 : 0);

	if (len < head)
		return 0;
	uint32_t enterprise = head > HEAD_OCTETS ? read_be32(octets + HEAD_OCTETS) : 0;

	value->element = fbInfoModelGetElementByID(model, id & ~ENTERPRISE_BIT, enterprise);
	if (!value->element)
		value->element = &unknown;
	value->len = read_be16(octets + 3);
	value->is_varlen = value->len == FB_IE_VARLEN;
	return value->len ? head : 0;
}

int list_write(struct jsonl *out, const char *key, fbInfoModel_t *model, const uint8_t *octets,
	       size_t len)
{
	struct value value = {0};
	size_t head = read_head(model, octets, len, &value);
	const uint8_t *at = octets + head, *end = octets + len;
	int err = 0;

	if (!head || !is_whole(at, end, value)) {
		jsonl_hex(out, key, octets, len);
		return -EBADMSG;
	}
	jsonl_array_begin(out, key);
	while (at < end && next_value(&at, end, &value))
		if (value_write(out, NULL, &value))
			err = -EBADMSG;
	jsonl_array_end(out);
	return err;
}
