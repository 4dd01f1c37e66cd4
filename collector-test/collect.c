/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libfixbuf is given one Message at a time from our own buffer. The internal
 * Template is the external one without its lists of records, so that a record is decoded to
 * what was sent: lengths kept, integers in host order, variable-length fields as
 * fbVarfield_t. Lists are left out as libfixbuf 2.4.1 crashes on malformed ones; list.h
 * reads those of values.
 */
#include "collector-test/collect.h"

#include "collector-test/jsonl.h"
#include "collector-test/list.h"
#include "collector-test/template.h"
#include "collector-test/value.h"

#include <errno.h>
#include <string.h>

#define INTERNAL_TEMPLATE_ID 999 /* any: internal and external IDs are apart */
#define KEY_OCTETS	     160

/* What libfixbuf warns about (sequence, missing Templates) our walk counts already. */
static void log_library(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer arg)
{
	(void)domain;
	(void)arg;
	if (!(level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_DEBUG)))
		fprintf(stderr, "xflow-collector-test: libfixbuf: %s\n", text);
}

int collect_open_model(const char *const files[], size_t n_files, fbInfoModel_t **out)
{
	fbInfoModel_t *model = fbInfoModelAlloc();
	GError *error = NULL;

	g_log_set_default_handler(log_library, NULL);
	for (size_t i = 0; i < n_files; i++) {
		if (fbInfoModelReadXMLFile(model, files[i], &error))
			continue;
		fprintf(stderr, "xflow-collector-test: read elements from %s: %s\n", files[i],
			error->message);
		g_clear_error(&error);
		fbInfoModelFree(model);
		return -EINVAL;
	}
	list_take_over(model);
	*out = model;
	return 0;
}

/* A new Template may come to live at the address of one that is gone. */
static void forget_template(fbSession_t *session, uint16_t id, fbTemplate_t *template, void *arg,
			    void **context, fbTemplateCtxFree_fn *free_context)
{
	struct collect *collect = arg;

	(void)session;
	(void)id;
	(void)template;
	(void)context;
	(void)free_context;
	collect->external = NULL;
}

void collect_open(struct collect *collect, fbInfoModel_t *model)
{
	collect->session = fbSessionAlloc(model);
	collect->buf = fBufAllocForCollection(collect->session, NULL);
	collect->external = NULL;
	fbSessionAddNewTemplateCallback(collect->session, forget_template, collect);
	fBufSetAutomaticMode(collect->buf, FALSE);
}

void collect_close(struct collect *collect)
{
	if (collect->buf)
		fBufFree(collect->buf);
	collect->buf = NULL;
	collect->session = NULL;
}

void collect_begin(struct collect *collect, const uint8_t header[static MESSAGE_HEADER_OCTETS])
{
	memcpy(collect->message, header, MESSAGE_HEADER_OCTETS);
	collect->len = MESSAGE_HEADER_OCTETS;
}

void collect_add_set(void *arg, const uint8_t *set, size_t octets)
{
	struct collect *collect = arg;

	memcpy(collect->message + collect->len, set, octets);
	collect->len += (uint16_t)octets;
}

/* Elements named like a member that each line has of its Message. */
static bool is_taken(const fbInfoElement_t *canon)
{
	return strcmp(canon->ref.name, "templateId") == 0 ||
	       strcmp(canon->ref.name, "observationDomainId") == 0;
}

/* IANA's name, "PEN:ID" if there is none, and "#2" and so on if the key is taken. */
static const char *make_key(const fbInfoElement_t *ie, char key[static KEY_OCTETS])
{
	const fbInfoElement_t *canon = ie->ref.canon;
	unsigned int nth = ie->midx + 1 + is_taken(canon);
	const char *name = canon->ref.name;
	char number[32];

	if (canon->flags & FB_IE_F_ALIEN) {
		snprintf(number, sizeof(number), "%u:%u", ie->ent, ie->num);
		name = number;
	} else if (nth == 1) {
		return name;
	}
	if (nth == 1)
		snprintf(key, KEY_OCTETS, "%s", name);
	else
		snprintf(key, KEY_OCTETS, "%s#%u", name, nth);
	return key;
}

static bool is_list(const fbInfoElement_t *ie)
{
	uint8_t type = ie->ref.canon->type;

	return type == FB_BASIC_LIST || type == FB_SUB_TMPL_LIST || type == FB_SUB_TMPL_MULTI_LIST;
}

/* Returns the octets that the field takes in the decoded record. */
static size_t write_field(struct collect *collect, struct jsonl *out, const fbInfoElement_t *ie,
			  const uint8_t *at, struct counts *counts)
{
	struct value value = {.element = ie->ref.canon, .octets = at, .len = ie->len};
	size_t octets = ie->len;
	char key[KEY_OCTETS];

	value.is_host_order = (ie->ref.canon->flags & FB_IE_F_ENDIAN) != 0;
	if (is_list(ie)) {
		jsonl_null(out, make_key(ie, key));
		return 0;
	}
	if (ie->len == FB_IE_VARLEN) {
		fbVarfield_t field;

		/* Points into the Message, in network order. */
		memcpy(&field, at, sizeof(field));
		value.octets = field.len > 0 ? field.buf : (const uint8_t *)"";
		value.len = field.len;
		value.is_host_order = false;
		value.is_varlen = true;
		octets = sizeof(field);
	}
	int err = list_is(ie->ref.canon) ? list_write(out, make_key(ie, key),
						      fbSessionGetInfoModel(collect->session),
						      value.octets, value.len)
					 : value_write(out, make_key(ie, key), &value);

	counts->bad_values += err != 0;
	return octets;
}

static void write_record(struct collect *collect, fbTemplate_t *template, uint16_t template_id,
			 struct jsonl *out, struct counts *counts)
{
	const uint8_t *header = collect->message;
	size_t offset = 0;

	jsonl_begin(out);
	jsonl_string(out, "type", fbTemplateGetOptionsScope(template) > 0 ? "options" : "flow");
	jsonl_uint(out, "templateId", template_id);
	jsonl_uint(out, "observationDomainId", read_be32(header + 12));
	jsonl_time(out, "exportTime", read_be32(header + 4), 0, 0);
	jsonl_uint(out, "sequence", read_be32(header + 8));
	for (uint32_t i = 0; i < fbTemplateCountElements(template); i++) {
		const fbInfoElement_t *ie = fbTemplateGetIndexedIE(template, i);

		offset += write_field(collect, out, ie, collect->record + offset, counts);
	}
	jsonl_end(out);
}

static bool append_fields(fbTemplate_t *internal, fbTemplate_t *external, GError **error)
{
	for (uint32_t i = 0; i < fbTemplateCountElements(external); i++) {
		const fbInfoElement_t *from = fbTemplateGetIndexedIE(external, i);
		/* No more than this: libfixbuf looks the element up by all else it finds. */
		fbInfoElement_t ie = {.ent = from->ent, .num = from->num, .len = from->len};

		if (!is_list(from) && !fbTemplateAppend(internal, &ie, error))
			return false;
	}
	return true;
}

static bool set_template(struct collect *collect, fbTemplate_t *external, GError **error)
{
	fbTemplate_t *internal;

	if (collect->external == external)
		return true;
	internal = fbTemplateAlloc(fbSessionGetInfoModel(collect->session));
	if (!append_fields(internal, external, error) ||
	    !fbSessionAddTemplate(collect->session, TRUE, INTERNAL_TEMPLATE_ID, internal, error)) {
		fbTemplateFreeUnused(internal);
		return false;
	}
	collect->external = external;
	return fBufSetInternalTemplate(collect->buf, INTERNAL_TEMPLATE_ID, error);
}

uint64_t collect_decode(struct collect *collect, struct jsonl *out, struct counts *counts)
{
	GError *error = NULL;
	uint64_t n_records = 0;

	collect->message[2] = (uint8_t)(collect->len >> 8);
	collect->message[3] = (uint8_t)collect->len;
	fBufSetBuffer(collect->buf, collect->message, collect->len);
	if (!fBufNextMessage(collect->buf, &error))
		goto out;
	for (;;) {
		size_t len = sizeof(collect->record);
		uint16_t template_id;
		fbTemplate_t *template;

		template = fBufNextCollectionTemplate(collect->buf, &template_id, &error);
		if (!template || !set_template(collect, template, &error) ||
		    !fBufNext(collect->buf, collect->record, &len, &error))
			break;
		write_record(collect, template, template_id, out, counts);
		n_records++;
	}
out:
	if (!g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOM))
		fprintf(stderr, "xflow-collector-test: decode a Message with libfixbuf: %s\n",
			error ? error->message : "no reason given");
	g_clear_error(&error);
	return n_records;
}
