/* SPDX-License-Identifier: BSD-2-Clause */
/* ie.def as data, and its comparison with the IANA registry. */
#include "probe/ie.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "probe/record.h"

#define FIELD_SIZE(field) sizeof(((struct flow_record *)0)->field)

const struct ie ie_table[N_IES] = {
#define IE(name, pen, id, octets, field, kind, templates)                                          \
	[IE_##name] = {#name,                                                                      \
		       pen,                                                                        \
		       id,                                                                         \
		       octets,                                                                     \
		       offsetof(struct flow_record, field),                                        \
		       FIELD_SIZE(field),                                                          \
		       IE_KIND_##kind,                                                             \
		       templates},
#include "probe/ie.def"
#undef IE
};

/* A field never holds more than its element can say, nor a size no integer has. */
#define SIZE_OK_U(size)	 ((size) == 1 || (size) == 2 || (size) == 4 || (size) == 8)
#define SIZE_OK_T(size)	 ((size) == 8)
#define SIZE_OK_A4(size) ((size) == 4)
#define SIZE_OK_A6(size) ((size) == 16)
#define IE(name, pen, id, octets, field, kind, templates)                                          \
	_Static_assert(SIZE_OK_##kind(FIELD_SIZE(field)), #name ": size of the field");            \
	_Static_assert((octets) <= FIELD_SIZE(field), #name ": longer on the wire than the "       \
							    "field");
#include "probe/ie.def"
#undef IE

static bool type_matches(const struct ie *ie, fbInfoElementDataType_t type)
{
	switch (ie->kind) {
	case IE_KIND_U:
		return type == FB_UINT_8 || type == FB_UINT_16 || type == FB_UINT_32 ||
		       type == FB_UINT_64;
	case IE_KIND_T:
		return type == FB_DT_MILSEC;
	case IE_KIND_A4:
		return type == FB_IP4_ADDR;
	default:
		return type == FB_IP6_ADDR;
	}
}

int ie_check(const struct ie *ie, fbInfoModel_t *model)
{
	const fbInfoElement_t *known = fbInfoModelGetElementByName(model, ie->name);

	if (!known || known->ent != ie->pen || known->num != ie->id)
		return -ENOENT;
	if (!type_matches(ie, (fbInfoElementDataType_t)known->type))
		return -EPROTOTYPE;
	if (ie->octets < 1 || ie->octets > known->len || ie->size > known->len)
		return -EMSGSIZE;
	if (ie->kind != IE_KIND_U && ie->octets != known->len)
		return -EMSGSIZE;
	return 0;
}
