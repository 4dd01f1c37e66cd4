/* SPDX-License-Identifier: BSD-2-Clause */
/* ie.def as data, and its comparison with the registries. */
#include "probe/ie.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "probe/record.h"

#define FIELD_SIZE(field) sizeof(((struct flow_record *)0)->field)

const struct ie ie_table[N_IES] = {
#define IE(name, owner, id, octets, field, kind, templates, group)                                 \
	[IE_##name] = {#name,                                                                      \
		       id,                                                                         \
		       octets,                                                                     \
		       offsetof(struct flow_record, field),                                        \
		       FIELD_SIZE(field),                                                          \
		       IE_KIND_##kind,                                                             \
		       IE_OWNER_##owner,                                                           \
		       templates,                                                                  \
		       GROUP_INDEX_##group},
#include "probe/ie.def"
#undef IE
};

static const struct ie precise_table[N_IES] = {
#define PRECISE(replaced, name, id, octets, type)                                                  \
	[IE_##replaced] = {#name, id, octets, .size = octets, .kind = IE_KIND_##type},
#include "probe/ie.def"
#undef PRECISE
};

const struct ie *ie_sent(int ie, uint32_t groups)
{
	return groups & GROUP_PRECISE && precise_table[ie].name ? &precise_table[ie]
								: &ie_table[ie];
}

/* A field never holds more than its element can say, nor a size no integer has. */
#define SIZE_OK_U(size)	 ((size) == 1 || (size) == 2 || (size) == 4 || (size) == 8)
#define SIZE_OK_T(size)	 ((size) == 8)
#define SIZE_OK_A4(size) ((size) == 4)
#define SIZE_OK_A6(size) ((size) == 16)
#define SIZE_OK_M(size)	 ((size) == 6)
#define SIZE_OK_O(size)	 ((size) > 0)
/* Our own ids are fixed for ever, and no other element's. */
#define ID_OK_IANA(id) ((id) > 0)
#define ID_OK_OWN(id)  ((id) > 1000 && (id) < 0x4000)
#define IE(name, owner, id, octets, field, kind, templates, group)                                 \
	_Static_assert(ID_OK_##owner(id), #name ": id");                                           \
	_Static_assert(SIZE_OK_##kind(FIELD_SIZE(field)), #name ": size of the field");            \
	_Static_assert((octets) <= FIELD_SIZE(field), #name ": longer on the wire than the "       \
							    "field");
#include "probe/ie.def"
#undef IE

_Static_assert(N_BASE_IES == 0
#define IE(name, owner, id, octets, field, kind, templates, group) +(GROUP_INDEX_##group == 0)
#include "probe/ie.def"
#undef IE
	       ,
	       "base comes first");

static uint8_t type_of(const struct ie *ie)
{
	if (ie->kind == IE_KIND_A4)
		return FB_IP4_ADDR;
	if (ie->kind == IE_KIND_A6)
		return FB_IP6_ADDR;
	switch (ie->size) {
	case 1:
		return FB_UINT_8;
	case 2:
		return FB_UINT_16;
	case 4:
		return FB_UINT_32;
	default:
		return FB_UINT_64;
	}
}

static const struct {
	uint8_t semantics;
	uint8_t units;
} own_types[N_IES] = {
#define IE_OWN(name, semantics, units) [IE_##name] = {IE_##semantics, IE_##units},
#include "probe/ie_own.def"
#undef IE_OWN
};

struct ie_type ie_own_type(const struct ie *ie)
{
	ptrdiff_t i = ie - ie_table;

	/* libfixbuf's numbers of the data types are those of RFC 5610 */
	return (struct ie_type){type_of(ie), own_types[i].semantics, own_types[i].units};
}

void ie_register_own(fbInfoModel_t *model, uint32_t enterprise_number)
{
	for (int i = 0; i < N_IES; i++) {
		const struct ie *ie = &ie_table[i];
		uint32_t flags = FB_IE_F_REVERSIBLE;

		if (ie->owner != IE_OWNER_OWN)
			continue;
		if (ie->size > 1 && ie->kind != IE_KIND_A6)
			flags |= FB_IE_F_ENDIAN;
		fbInfoElement_t element = FB_IE_INIT_FULL(ie->name, enterprise_number, ie->id,
							  ie->size, flags, 0, 0, type_of(ie), NULL);

		fbInfoModelAddElement(model, &element);
	}
}

void ie_reverse_name(const struct ie *ie, char name[static IE_NAME_MAX + 1])
{
	snprintf(name, IE_NAME_MAX + 1, "reverse%c%s", ie->name[0] & ~('a' ^ 'A'), ie->name + 1);
}

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
	case IE_KIND_M:
		return type == FB_MAC_ADDR;
	case IE_KIND_O:
		return type == FB_OCTET_ARRAY;
	case IE_KIND_N:
		return type == FB_DT_NANOSEC;
	default:
		return type == FB_IP6_ADDR;
	}
}

int ie_check(const struct ie *ie, fbInfoModel_t *model, uint32_t enterprise_number)
{
	const fbInfoElement_t *known = fbInfoModelGetElementByName(model, ie->name);

	if (!known || known->ent != ie_pen(ie, enterprise_number) || known->num != ie->id)
		return -ENOENT;
	if (!type_matches(ie, (fbInfoElementDataType_t)known->type))
		return -EPROTOTYPE;
	if (ie->octets < 1 || ie->octets > known->len || ie->size > known->len)
		return -EMSGSIZE;
	if (ie->kind == IE_KIND_O)
		return ie->octets == ie->size ? 0 : -EMSGSIZE;
	if (ie->kind != IE_KIND_U && ie->octets != known->len)
		return -EMSGSIZE;
	return 0;
}
