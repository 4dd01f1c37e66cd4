/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exporters that come, go and change while the probe runs. In two steps: what may fail,
 * and what may not.
 */
#pragma once

#include "probe/reload.h"
#include "probe/sinks.h"

/* Exporters that came to be and are not in use yet. */
struct sinks_fresh {
	struct exporter *exporter[CONFIG_MAX_EXPORTERS]; /* by place in the next configuration */
	bool waits[CONFIG_MAX_EXPORTERS]; /* another one has to leave first: not begun */
	struct output_stream output; /* stdout, for events that had no need of it before */
	bool has_output;
	uint32_t heirs[CONFIG_MAX_EXPORTERS]; /* by place in the one in force: of its failover
					       * group those that stay, bits by place in the next */
};

/*
 * Open the exporters that the plan adds, and those that take the place of one that is
 * changed. Nothing else changes yet.
 *
 * Returns 0, -ENOMEM or -errno of a file or spool, printed; then nothing stays open.
 */
int sinks_reload_prepare(struct sinks *s, const struct config *next, const struct reload_plan *plan,
			 struct sinks_fresh *fresh);

void sinks_reload_abandon(struct sinks_fresh *fresh);

/* The moment of a reload. */
struct sinks_moment {
	struct exporter_volume exported; /* Flow Records handed to the sinks so far */
	uint64_t now_ns; /* as of sinks_run() */
	uint32_t time_s;
	uint64_t interval_ns; /* as of sinks_flush() */
};

/*
 * Use them from now on, and let others leave. No record is lost or told twice: those so
 * far are the old exporters', those from now on the new ones'.
 *
 * cfg  what sinks_reload_prepare() was told of as next; outlives the sinks
 */
void sinks_reload_commit(struct sinks *s, const struct config *cfg, const struct reload_plan *plan,
			 struct sinks_fresh *fresh, const struct sinks_moment *at);
