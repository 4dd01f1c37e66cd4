/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that calls libfixbuf to encode; GError stops here. */
#include "probe/exporter_templates.h"

#include <errno.h>
#include <stdbool.h>

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
static bool append(fbTemplate_t *t, const struct ie *ie, GError **err)
{
	union {
		const char *name;
		char *as_spec;
	} u = {.name = ie->name};
	fbInfoElementSpec_t spec = {u.as_spec, ie->octets, 0};

	return fbTemplateAppendSpec(t, &spec, 0, err);
}

fbTemplate_t *templates_alloc(fbInfoModel_t *model, enum template_kind kind, GError **err)
{
	fbTemplate_t *t = fbTemplateAlloc(model);

	for (int i = 0; i < N_IES; i++) {
		if (!(ie_table[i].templates & (1 << kind)))
			continue;
		if (!append(t, &ie_table[i], err)) {
			fbTemplateFreeUnused(t);
			return NULL;
		}
	}
	return t;
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

static int add_templates(fbSession_t *session, fbInfoModel_t *model)
{
	for (int i = 0; i < N_TEMPLATES; i++) {
		enum template_kind kind = (enum template_kind)i;
		GError *err = NULL;
		fbTemplate_t *t = templates_alloc(model, kind, &err);

		if (!t)
			return fail(err, "build a Template");
		if (!fbSessionAddTemplate(session, FALSE, TEMPLATE_ID(kind), t, &err))
			return fail(err, "add a Template");
	}
	return 0;
}

/* Frees the session. A Template added before there is an fBuf is not written at once. */
static int emit_templates(fbSession_t *session, uint8_t *message, size_t room)
{
	fbExporter_t *exporter = fbExporterAllocBuffer(message, (uint32_t)room);
	fBuf_t *fbuf = fBufAllocForExport(session, exporter);
	GError *err = NULL;
	bool ok = true;

	for (int kind = 0; ok && kind < N_TEMPLATES; kind++)
		ok = fbSessionExportTemplate(session, TEMPLATE_ID(kind), &err);
	ok = ok && fBufEmit(fbuf, &err);
	int octets = ok ? (int)fbExporterGetMsgLen(exporter) : fail(err, "write the Templates");

	fBufFree(fbuf);
	return octets;
}

int templates_encode(uint8_t *message, size_t room, uint32_t domain_id)
{
	g_log_set_default_handler(log_from_glib, NULL);
	fbInfoModel_t *model = fbInfoModelAlloc();
	fbSession_t *session = fbSessionAlloc(model);

	fbSessionSetDomain(session, domain_id); /* before Templates, which belong to one */
	int result = check_elements(model);

	if (!result)
		result = add_templates(session, model);
	if (!result)
		result = emit_templates(session, message, room);
	else
		fbSessionFree(session);
	fbInfoModelFree(model);
	return result;
}
