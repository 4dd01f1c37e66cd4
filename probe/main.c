/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xflow-probe: options, configuration, run. Exit status 0, 1 (failed while
 * running), 2 (usage or configuration).
 */
#include <errno.h>
#include <stdio.h>

#include "probe/config.h"
#include "probe/configure.h"
#include "probe/live.h"
#include "probe/log.h"
#include "probe/offline.h"
#include "probe/options.h"

#define EXIT_RUNNING 1
#define EXIT_USAGE   2

/* What the user has to change, not the machine: a name, a file, a missing right. */
static bool is_usage(int err)
{
	return err == -ENODEV || err == -ENOENT || err == -EPERM || err == -EACCES ||
	       err == -EINVAL || err == -EISDIR || err == -EPROTONOSUPPORT || err == -EBADMSG ||
	       err == -EBUSY || err == -EEXIST || err == -EADDRINUSE || err == -EOPNOTSUPP ||
	       err == -ENOTDIR || err == -EROFS;
}

int main(int argc, char **argv)
{
	static struct config cfg;
	static struct options opt;
	static struct config_places places;
	int err;

	if (options_parse(&opt, argc, argv))
		return EXIT_USAGE;
	if (opt.wants_help) {
		options_print_help(stdout);
		return 0;
	}
	if (opt.wants_version) {
		puts("xflow-probe " XFP_VERSION);
		return 0;
	}
	if (configure(&cfg, &opt, &places))
		return EXIT_USAGE;
	if (opt.is_check_only)
		return config_print(&cfg, stdout) ? EXIT_RUNNING : 0;

	log_setup((enum log_level)cfg.log_level, cfg.log_json);
	err = cfg.read_path[0] ? offline_run(&cfg) : live_run(&cfg, &opt);
	configure_end(&places);
	if (!err)
		return 0;
	return is_usage(err) ? EXIT_USAGE : EXIT_RUNNING;
}
