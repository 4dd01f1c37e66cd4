/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that waits, sent at the speed a Collector takes: of a capture file, and at the end of
 * an exporter. What cannot be sent then is counted.
 */
#include "probe/exporter_private.h"

#include <poll.h>

#include "probe/clock.h"
#include "probe/log.h"

/*
 * Over UDP without a pace, in a millisecond. A Collector's socket has room for some 90 datagrams
 * if it did not ask for more: it may be held up for 5 or 10 ms.
 */
#define FILE_MESSAGES 16 /* from a capture file */
#define END_MESSAGES  8 /* at the end of a run */
#define END_MS	      5000 /* ... or as many as it takes to end by then */

/* Wait 1 ms, less when a blocked TCP collector reads on. */
static void wait_a_moment(const struct exporter *e)
{
	struct pollfd p = {.fd = exporter_fd(e), .events = POLLOUT};

	poll(&p, 1, 1);
}

/* True while there is something to send, or, at the end, to wait for. */
static bool is_busy(const struct exporter *e)
{
	return exporter_has_queued(e) || (exporter_options_under_way(e) && !exporter_is_held(e)) ||
	       (e->is_ending && e->under_way.n_messages);
}

/* A machine that is busy makes the milliseconds longer: it holds the Collector up as well. */
static uint64_t unpaced_burst(const struct exporter *e)
{
	uint64_t in_time = e->queue.n_messages / END_MS + 1;

	if (e->cfg.transport != TRANSPORT_UDP)
		return PACE_BURST_MESSAGES;
	if (!e->is_ending)
		return FILE_MESSAGES;
	return in_time > END_MESSAGES ? in_time : END_MESSAGES;
}

void exporter_send_all(struct exporter *e, int stall_ms)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t origin_ns = e->now_ns;
	uint32_t origin_s = e->time_s;
	uint64_t progress_ns = start_ns, last_ns = start_ns;
	uint64_t most = unpaced_burst(e), n = 1;

	for (;;) {
		uint64_t clock = clock_monotonic_ns();

		e->waited_ns += n ? 0 : clock - last_ns;
		last_ns = clock;
		e->now_ns = origin_ns + (clock - start_ns);
		if (e->cfg.transport != TRANSPORT_FILE) /* which is the same whatever it took */
			e->time_s = origin_s + clock_round_s(clock - start_ns);
		n = exporter_make_ready(e) ? exporter_send_burst(e, most) : 0;
		exporter_confirm(e);
		if (!is_busy(e))
			break;
		if (n) {
			progress_ns = clock;
		} else if ((e->spool && exporter_is_held(e)) ||
			   clock - progress_ns >= (uint64_t)stall_ms * NS_PER_MS) {
			e->is_stalled |= stall_ms > 0;
			break;
		}
		if (!n || e->cfg.transport == TRANSPORT_UDP)
			wait_a_moment(e);
	}
}

/* What no more time is left for. */
static void give_up_queue(struct exporter *e)
{
	if (exporter_has_queued(e))
		log_warning(
			"exporter %s: %llu records and %llu events for %s not sent: no more time",
			e->cfg.name, (unsigned long long)e->stats.queued.records,
			(unsigned long long)e->stats.queued.events, e->cfg.address);
	while (exporter_has_queued(e)) {
		struct queue *q = exporter_turn(e);

		/* what is on the disk still stays there, whatever became of the rest */
		if (!exporter_is_data_begun(e) && exporter_put_back(e, queue_first(q)))
			exporter_withdraw_first(e, q);
		else
			exporter_drop_first(e, e->spool ? &e->stats.not_sent_spool_full
							: exporter_account_of(e, e->session.error));
	}
}

/* Everything, and then the counts of it. */
static void send_rest(struct exporter *e, int timeout_ms)
{
	exporter_send_all(e, timeout_ms);
	if (exporter_has_queued(e))
		return;
	exporter_options_finish(e);
	exporter_send_all(e, timeout_ms);
}

static void begin_end(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	exporter_set_time(e, now_ns, time_s);
	e->waited_ns = 0;
	pace_init(&e->pace, 0); /* a cap on the rate could hold the end up for hours */
	e->is_ending = true;
	exporter_queue_stages(e);
}

static void finish_end(struct exporter *e)
{
	exporter_end_under_way(e);
	e->store_failed_ns = 0; /* there is no later time to try again */
	exporter_store(e);
	give_up_queue(e);
	e->is_ending = false;
}

uint64_t exporter_drain(struct exporter *e, uint64_t now_ns, uint32_t time_s, int timeout_ms)
{
	begin_end(e, now_ns, time_s);
	if (!e->spool || !exporter_is_away(e))
		send_rest(e, timeout_ms);
	finish_end(e);
	return e->waited_ns;
}

void exporter_hurry(struct exporter *e, uint64_t now_ns)
{
	uint64_t n = e->queue.n_messages, in_time_ms = n / END_MESSAGES + 1;

	pace_init(&e->pace, 0);
	pace_spread(&e->pace, now_ns, (in_time_ms < END_MS ? in_time_ms : END_MS) * NS_PER_MS, n);
}

static void send_burst_at_once(struct exporter *e)
{
	if (exporter_make_ready(e))
		exporter_send_burst(e, PACE_BURST_MESSAGES);
	if (!exporter_has_queued(e)) {
		exporter_options_finish(e);
		exporter_make_ready(e);
	}
	exporter_confirm(e);
}

void exporter_end(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	begin_end(e, now_ns, time_s);
	if (e->cfg.transport == TRANSPORT_FILE)
		send_rest(e, 0); /* takes all there is */
	else if (!e->spool || !exporter_is_away(e))
		send_burst_at_once(e);
	finish_end(e);
}
