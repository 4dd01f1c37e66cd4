/* SPDX-License-Identifier: BSD-2-Clause */
/* Templates of Flow Records, made from ie_table. */
#include "probe/template.h"

#include <netinet/in.h>
#include <stdbool.h>

static bool has(enum template_kind kind, const struct ie *ie)
{
	return ie->templates & (1 << kind);
}

enum template_kind template_of_record(const struct flow_record *r)
{
	if (r->is_ipv6)
		return r->protocol == IPPROTO_ICMPV6 ? TEMPLATE_ICMP6 : TEMPLATE_V6;
	return r->protocol == IPPROTO_ICMP ? TEMPLATE_ICMP4 : TEMPLATE_V4;
}

size_t template_field_offset(enum template_kind kind, int ie)
{
	size_t offset = 0;

	for (int i = 0; i < ie; i++)
		offset += has(kind, &ie_table[i]) ? ie_table[i].octets : 0;
	return offset;
}

size_t template_record_octets(enum template_kind kind)
{
	return template_field_offset(kind, N_IES);
}

/* libfixbuf's spec has a writable name it never writes to. */
static bool append(fbTemplate_t *t, const char *name, size_t octets, GError **err)
{
	union {
		const char *name;
		char *as_spec;
	} u = {.name = name};
	fbInfoElementSpec_t spec = {u.as_spec, (uint16_t)octets, 0};

	return fbTemplateAppendSpec(t, &spec, 0, err);
}

fbTemplate_t *template_alloc_external(fbInfoModel_t *model, enum template_kind kind, GError **err)
{
	fbTemplate_t *t = fbTemplateAlloc(model);

	for (int i = 0; i < N_IES; i++) {
		if (!has(kind, &ie_table[i]))
			continue;
		if (!append(t, ie_table[i].name, ie_table[i].octets, err)) {
			fbTemplateFreeUnused(t);
			return NULL;
		}
	}
	return t;
}

/* The element of this kind that starts at `offset` of struct flow_record, or NULL. */
static const struct ie *element_at(enum template_kind kind, size_t offset)
{
	for (int i = 0; i < N_IES; i++) {
		if (has(kind, &ie_table[i]) && ie_table[i].offset == offset)
			return &ie_table[i];
	}
	return NULL;
}

fbTemplate_t *template_alloc_internal(fbInfoModel_t *model, enum template_kind kind, GError **err)
{
	fbTemplate_t *t = fbTemplateAlloc(model);
	size_t padding = 0;
	size_t offset = 0;
	bool ok = true;

	while (ok && offset < sizeof(struct flow_record)) {
		const struct ie *ie = element_at(kind, offset);

		if (ie && padding)
			ok = append(t, "paddingOctets", padding, err);
		if (ie && ok)
			ok = append(t, ie->name, ie->size, err);
		padding = ie ? 0 : padding + 1;
		offset += ie ? ie->size : 1;
	}
	if (ok && padding)
		ok = append(t, "paddingOctets", padding, err);
	if (ok)
		return t;
	fbTemplateFreeUnused(t);
	return NULL;
}
