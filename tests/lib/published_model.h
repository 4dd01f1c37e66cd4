/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libfixbuf's information model with the elements that the project publishes. Included
 * once in a test.
 */
#pragma once

#include "probe/exporter_templates.h"

static fbInfoModel_t *model; /* with what we publish */

static int setup_model(void **state)
{
	GError *err = NULL;

	*state = NULL;
	model = fbInfoModelAlloc();
	return fbInfoModelReadXMLFile(model, "conf/xflow-ie.xml", &err) ? 0 : -1;
}

static int free_model(void **state)
{
	(void)state;
	fbInfoModelFree(model);
	return 0;
}
