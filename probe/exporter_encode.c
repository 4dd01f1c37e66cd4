/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that calls libfixbuf to encode; GError stops here. */
#include "probe/exporter_encode.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "probe/log.h"
#include "probe/template.h"

/* Offsets in the Message header (RFC 7011 3.1). */
enum { LENGTH_OFFSET = 2, EXPORT_TIME_OFFSET = 4, SEQUENCE_OFFSET = 8 };

/* Internal Templates never travel; their ids only have to differ. */
#define INTERNAL_ID(kind) ((uint16_t)(TEMPLATE_ID_BASE + N_TEMPLATES + (kind)))
#define EXTERNAL_ID(kind) ((uint16_t)(TEMPLATE_ID_BASE + (kind)))

static void put16(uint8_t *p, size_t value)
{
	uint16_t be = htobe16((uint16_t)value);

	memcpy(p, &be, sizeof(be));
}

static void put32(uint8_t *p, uint32_t value)
{
	uint32_t be = htobe32(value);

	memcpy(p, &be, sizeof(be));
}

void message_stamp(uint8_t *message, uint32_t export_time_s, uint32_t sequence)
{
	put32(message + EXPORT_TIME_OFFSET, export_time_s);
	put32(message + SEQUENCE_OFFSET, sequence);
}

void message_set_length(uint8_t *message, size_t octets)
{
	put16(message + LENGTH_OFFSET, MESSAGE_DATA_OFFSET + octets);
	put16(message + MESSAGE_HEADER_OCTETS + 2, SET_HEADER_OCTETS + octets);
}

static int fail(GError *err, const char *what)
{
	log_error("encode IPFIX: %s: %s", what, err ? err->message : "no reason given");
	g_clear_error(&err);
	return -EPROTO;
}

static void log_from_glib(const gchar *domain, GLogLevelFlags level, const gchar *text,
			  gpointer arg)
{
	(void)domain;
	(void)arg;
	log_print(level & G_LOG_LEVEL_ERROR ? LOG_ERROR : LOG_WARNING, "libfixbuf: %s", text);
}

static int add_template(struct encoder *enc, enum template_kind kind)
{
	GError *err = NULL;
	fbTemplate_t *internal = template_alloc_internal(enc->model, kind, &err);
	fbTemplate_t *external = internal ? template_alloc_external(enc->model, kind, &err) : NULL;

	if (!external) {
		if (internal)
			fbTemplateFreeUnused(internal);
		return fail(err, "build a Template");
	}
	if (!fbSessionAddTemplate(enc->session, TRUE, INTERNAL_ID(kind), internal, &err)) {
		fbTemplateFreeUnused(external);
		return fail(err, "add an internal Template");
	}
	if (!fbSessionAddTemplate(enc->session, FALSE, EXTERNAL_ID(kind), external, &err))
		return fail(err, "add a Template");
	return 0;
}

static int check_elements(fbInfoModel_t *model)
{
	for (int i = 0; i < N_IES; i++) {
		int err = ie_check(&ie_table[i], model);

		if (err)
			return log_errno(err, "look up element %s in libfixbuf's registry",
					 ie_table[i].name);
	}
	return 0;
}

int encoder_open(struct encoder *enc, uint32_t domain_id)
{
	*enc = (struct encoder){0};
	g_log_set_default_handler(log_from_glib, NULL);
	enc->model = fbInfoModelAlloc();
	enc->session = fbSessionAlloc(enc->model);
	fbSessionSetDomain(enc->session, domain_id); /* Templates belong to a domain */
	int err = check_elements(enc->model);

	/* Added before the fBuf exists: with one, libfixbuf would write them at once. */
	for (int kind = 0; !err && kind < N_TEMPLATES; kind++)
		err = add_template(enc, (enum template_kind)kind);
	if (err) {
		fbSessionFree(enc->session);
		fbInfoModelFree(enc->model);
		*enc = (struct encoder){0};
		return -EPROTO;
	}
	enc->exporter = fbExporterAllocBuffer(enc->message, sizeof(enc->message));
	enc->fbuf = fBufAllocForExport(enc->session, enc->exporter);
	fBufSetAutomaticMode(enc->fbuf, FALSE);
	return 0;
}

static int emit(struct encoder *enc)
{
	GError *err = NULL;

	if (!fBufEmit(enc->fbuf, &err))
		return fail(err, "finish a Message");
	return (int)fbExporterGetMsgLen(enc->exporter);
}

/*
 * libfixbuf never mixes Templates and data in a Message: the first write after
 * the other kind is refused as "end of message" until the (empty) Message that
 * is open has been emitted.
 */
static bool must_retry(struct encoder *enc, GError **err)
{
	if (!g_error_matches(*err, FB_ERROR_DOMAIN, FB_ERROR_EOM))
		return false;
	g_clear_error(err);
	return fBufEmit(enc->fbuf, err);
}

static bool write_template(struct encoder *enc, uint16_t id, GError **err)
{
	return fbSessionExportTemplate(enc->session, id, err) ||
	       (must_retry(enc, err) && fbSessionExportTemplate(enc->session, id, err));
}

static bool write_record(struct encoder *enc, struct flow_record *r, GError **err)
{
	return fBufAppend(enc->fbuf, (uint8_t *)r, sizeof(*r), err) ||
	       (must_retry(enc, err) && fBufAppend(enc->fbuf, (uint8_t *)r, sizeof(*r), err));
}

int encoder_templates(struct encoder *enc)
{
	GError *err = NULL;

	for (int kind = 0; kind < N_TEMPLATES; kind++) {
		if (!write_template(enc, EXTERNAL_ID(kind), &err))
			return fail(err, "write a Template");
	}
	return emit(enc);
}

int encoder_records(struct encoder *enc, enum template_kind kind, struct flow_record *records,
		    size_t n)
{
	GError *err = NULL;

	if (!fBufSetInternalTemplate(enc->fbuf, INTERNAL_ID(kind), &err) ||
	    !fBufSetExportTemplate(enc->fbuf, EXTERNAL_ID(kind), &err))
		return fail(err, "choose a Template");
	for (size_t i = 0; i < n; i++) {
		if (!write_record(enc, &records[i], &err))
			return fail(err, "write a Data Record");
	}
	int octets = emit(enc);

	/* One Set of exactly these records: nothing padded, no empty Set behind it. */
	assert(octets < 0 ||
	       (size_t)octets == MESSAGE_DATA_OFFSET + n * template_record_octets(kind));
	return octets;
}

void encoder_close(struct encoder *enc)
{
	if (!enc->fbuf)
		return;
	fBufFree(enc->fbuf);
	fbInfoModelFree(enc->model);
	*enc = (struct encoder){0};
}
