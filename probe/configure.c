/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective configuration. See configure.h. */
#include "probe/configure.h"

int configure(struct config *cfg, const struct options *opt, struct config_places *places)
{
	int err = 0;

	config_init(cfg);
	if (opt->config_path)
		err = config_load_places(cfg, opt->config_path, places);
	if (err)
		return err;
	options_apply(cfg, opt);
	return config_check(cfg);
}
