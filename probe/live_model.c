/* SPDX-License-Identifier: BSD-2-Clause */
/* Saves of a learned model. See live_model.h. */
#include "probe/live_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/anomaly_model.h"
#include "probe/clock.h"
#include "probe/log.h"
#include "probe/model_file.h"

#define LOOK_NS NS_PER_S /* the configuration may have changed */

static void *write_copy(void *arg)
{
	struct live_model *m = arg;

	m->err = model_file_write(m->path, m->octets, m->n_octets);
	atomic_store(&m->is_written, true);
	return NULL;
}

/* A copy of what is learned now. False: there is none to be made, which is printed. */
static bool copy(struct live_model *m)
{
	if (!m->anomaly || !m->cfg->enabled || !m->cfg->path[0])
		return false;
	m->octets = malloc(anomaly_model_max());
	if (!m->octets) {
		log_errno(-ENOMEM, "save what is learned to %s", m->cfg->path);
		return false;
	}
	m->n_octets = anomaly_model_save(m->anomaly, m->octets);
	memcpy(m->path, m->cfg->path, sizeof(m->path));
	return true;
}

/* What came of a save; a failure is told until one succeeds, not each time. */
static void note(struct live_model *m)
{
	free(m->octets);
	m->octets = NULL;
	if (!m->err) {
		m->saves++;
		m->failed = 0;
		return;
	}
	if (!m->failed++)
		log_warning("save what is learned to %s: %s; a restart begins without it, unless "
			    "the probe's user may write to that folder and there is room",
			    m->path, strerror(-m->err));
}

static void wait_written(struct live_model *m)
{
	if (!m->is_writing)
		return;
	pthread_join(m->thread, NULL);
	m->is_writing = false;
	note(m);
}

/* Begin a save beside the loop. */
static void save(struct live_model *m, uint64_t now_ns)
{
	m->saved_ns = now_ns;
	if (!copy(m))
		return;
	atomic_store(&m->is_written, false);
	m->is_writing = !pthread_create(&m->thread, NULL, write_copy, m);
	if (m->is_writing)
		return;
	write_copy(m);
	note(m);
}

/* False while a save is still being written. */
static bool settle(struct live_model *m)
{
	if (m->is_writing && !atomic_load(&m->is_written))
		return false;
	wait_written(m);
	return true;
}

static void on_timer(void *arg, uint64_t now_ns)
{
	struct live_model *m = arg;

	if (settle(m) && now_ns >= m->saved_ns + m->cfg->save_s * NS_PER_S)
		save(m, now_ns);
}

void live_model_leave(struct live_model *m, uint64_t now_ns)
{
	if (settle(m)) /* else that is a moment old */
		save(m, now_ns);
}

void live_model_load(struct live_model *m)
{
	wait_written(m); /* it may be the file that is read */
	m->saved_ns = clock_monotonic_ns(); /* what is read is not replaced before its time */
	if (m->anomaly && m->cfg->enabled && m->cfg->path[0])
		model_file_load(m->anomaly, m->cfg->path,
				"and the next save replaces the file: keep a copy before, if it "
				"matters");
}

int live_model_open(struct live_model *m, struct loop *loop, const struct learning_config *cfg,
		    struct anomaly *anomaly, uint64_t now_ns)
{
	int err;

	if (!anomaly)
		return 0;
	m->cfg = cfg;
	m->anomaly = anomaly;
	m->timer = (struct loop_timer){.fn = on_timer, .arg = m};
	err = loop_timer_open(loop, &m->timer);
	if (err)
		return log_errno(err, "set up the timer that saves what is learned");
	live_model_load(m);
	loop_timer_set(&m->timer, now_ns + LOOK_NS, LOOK_NS);
	return 0;
}

void live_model_finish(struct live_model *m)
{
	wait_written(m);
	if (!copy(m))
		return;
	write_copy(m);
	note(m);
}

void live_model_close(struct live_model *m, struct loop *loop)
{
	if (!m->anomaly)
		return;
	wait_written(m);
	loop_timer_close(loop, &m->timer);
	m->anomaly = NULL;
}
