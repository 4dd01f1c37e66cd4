/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that calls libfixbuf to encode; GError stops here. */
#include "probe/exporter_templates.h"

#include <errno.h>
#include <stdbool.h>

#include "probe/exporter_encode.h"
#include "probe/log.h"
#include "probe/template.h"

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

/* libfixbuf's spec has a writable name it never writes to. */
static bool append(fbTemplate_t *t, const char *name, uint16_t octets, GError **err)
{
	union {
		const char *name;
		char *as_spec;
	} u = {.name = name};
	fbInfoElementSpec_t spec = {u.as_spec, octets, 0};

	return fbTemplateAppendSpec(t, &spec, 0, err);
}

static bool append_reversed(fbTemplate_t *t, enum template_kind kind, uint32_t groups, GError **err)
{
	char name[IE_NAME_MAX + 1];
	bool ok = true;

	for (int i = 0; ok && i < N_IES; i++) {
		if (!ie_is_reversed_in(&ie_table[i], kind, groups))
			continue;
		ie_reverse_name(ie_sent(i, groups), name);
		ok = append(t, name, ie_sent(i, groups)->octets, err);
	}
	return ok;
}

fbTemplate_t *templates_alloc(fbInfoModel_t *model, enum template_kind kind, uint32_t groups,
			      GError **err)
{
	fbTemplate_t *t = fbTemplateAlloc(model);
	bool ok = append_reversed(t, kind, groups, err);

	for (int i = 0; ok && i < N_IES; i++) {
		if (ie_is_in(&ie_table[i], kind, groups))
			ok = append(t, ie_sent(i, groups)->name, ie_sent(i, groups)->octets, err);
	}
	if (ok)
		return t;
	fbTemplateFreeUnused(t);
	return NULL;
}

static int check_elements(fbInfoModel_t *model, const struct template_scheme *scheme)
{
	for (int i = 0; i < ie_count(scheme->groups); i++) {
		const struct ie *ie = ie_sent(i, scheme->groups);
		int err = ie_check(ie, model, scheme->enterprise_number);

		if (err)
			return log_errno(err, "look up element %s in libfixbuf's registry",
					 ie->name);
	}
	return 0;
}

/* The Templates of one Message. */
struct batch {
	int first; /* layout */
	int end; /* the first not in it */
};

static size_t layout_octets(int layout, uint32_t groups)
{
	return template_octets(layout_kind(layout), layout_groups(layout, groups));
}

static uint16_t layout_id(int layout, uint32_t groups)
{
	return template_id(layout_kind(layout), layout_groups(layout, groups));
}

/* As many as a Message takes, and one at least. */
static struct batch next_batch(int first, uint32_t groups)
{
	struct batch b = {first, first + 1};
	size_t octets = MESSAGE_DATA_OFFSET + layout_octets(first, groups);

	while (b.end < template_layouts(groups) &&
	       octets + layout_octets(b.end, groups) <= TEMPLATES_MESSAGE_OCTETS)
		octets += layout_octets(b.end++, groups);
	return b;
}

static int add_templates(fbSession_t *session, fbInfoModel_t *model, struct batch batch,
			 uint32_t groups)
{
	for (int i = batch.first; i < batch.end; i++) {
		GError *err = NULL;
		fbTemplate_t *t =
			templates_alloc(model, layout_kind(i), layout_groups(i, groups), &err);

		if (!t)
			return fail(err, "build a Template");
		if (!fbSessionAddTemplate(session, FALSE, layout_id(i, groups), t, &err))
			return fail(err, "add a Template");
	}
	return 0;
}

/* Frees the session. A Template added before there is an fBuf is not written at once. */
static int emit_templates(fbSession_t *session, uint8_t *message, size_t room, struct batch batch,
			  uint32_t groups)
{
	fbExporter_t *exporter = fbExporterAllocBuffer(message, (uint32_t)room);
	fBuf_t *fbuf = fBufAllocForExport(session, exporter);
	GError *err = NULL;
	bool ok = true;

	for (int i = batch.first; ok && i < batch.end; i++)
		ok = fbSessionExportTemplate(session, layout_id(i, groups), &err);
	ok = ok && fBufEmit(fbuf, &err);
	int octets = ok ? (int)fbExporterGetMsgLen(exporter) : fail(err, "write the Templates");

	fBufFree(fbuf);
	return octets;
}

static int encode_batch(uint8_t *message, size_t room, fbInfoModel_t *model, struct batch batch,
			const struct template_scheme *scheme)
{
	fbSession_t *session = fbSessionAlloc(model);

	fbSessionSetDomain(session, scheme->domain_id); /* before Templates, which belong to one */
	int err = add_templates(session, model, batch, scheme->groups);

	if (!err)
		return emit_templates(session, message, room, batch, scheme->groups);
	fbSessionFree(session);
	return err;
}

int templates_encode(uint8_t *messages, size_t room, const struct template_scheme *scheme)
{
	fbInfoModel_t *model = fbInfoModelAlloc();
	struct batch batch = {0, 0};
	size_t used = 0;

	g_log_set_default_handler(log_from_glib, NULL);
	ie_register_own(model, scheme->enterprise_number);
	int result = check_elements(model, scheme);

	while (result >= 0 && batch.end < template_layouts(scheme->groups)) {
		batch = next_batch(batch.end, scheme->groups);
		result = encode_batch(messages + used, room - used, model, batch, scheme);
		used += result > 0 ? (size_t)result : 0;
	}
	fbInfoModelFree(model);
	return result < 0 ? result : (int)used;
}
