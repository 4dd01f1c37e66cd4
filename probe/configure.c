/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective configuration. See configure.h. */
#include "probe/configure.h"

#include "probe/config_complain.h"

int configure(struct config *cfg, const struct options *opt, struct config_places *places)
{
	int err = 0;

	config_init(cfg);
	if (opt->config_path)
		err = config_load_places(cfg, opt->config_path, places);
	if (err)
		return err;
	options_apply(cfg, opt);
	/* lists are those of the command line, if it has any of it */
	if (opt->n_exporters)
		config_places_forget(places, "exporters");
	if (opt->n_interfaces)
		config_places_forget(places, "interfaces");
	config_complain_in(opt->config_path, places);
	return config_check(cfg);
}

void configure_end(struct config_places *places)
{
	config_complain_in(NULL, NULL);
	config_places_free(places);
}
