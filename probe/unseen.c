/* SPDX-License-Identifier: BSD-2-Clause */
/* What no Flow tells the detectors. See unseen.h. */
#include "probe/unseen.h"

#include <string.h>

_Static_assert(XFP_UNSEEN_REGISTERS == DISTINCT_REGISTERS, "both sides count alike");

static void entry_read(struct xfp_unseen_entry *e, struct unseen_news *news)
{
	memcpy(news->host.octets, e->host, sizeof(news->host.octets));
	memcpy(news->other.octets, e->other, sizeof(news->other.octets));
	news->what = e->what;
	news->protocol = __atomic_load_n(&e->protocol, __ATOMIC_RELAXED);
	news->obs_point = __atomic_load_n(&e->obs_point, __ATOMIC_RELAXED);
}

/* Packets before octets: the kernel adds them the other way round. */
static void counts_take(struct xfp_unseen_entry *e, struct unseen_news *news)
{
	news->packets = __atomic_exchange_n(&e->packets, 0, __ATOMIC_ACQ_REL);
	news->octets = __atomic_exchange_n(&e->octets, 0, __ATOMIC_RELAXED);
	news->answers = __atomic_exchange_n(&e->answers, 0, __ATOMIC_RELAXED);
	for (int i = 0; i < XFP_UNSEEN_KINDS; i++)
		news->kind[i] = __atomic_exchange_n(&e->kind[i], 0, __ATOMIC_RELAXED);
	news->last_ns = __atomic_load_n(&e->last_ns, __ATOMIC_RELAXED);
	news->first_ns = __atomic_exchange_n(&e->first_ns, 0, __ATOMIC_RELAXED);
	if (!news->first_ns || news->first_ns > news->last_ns)
		news->first_ns = news->last_ns;
	memcpy(news->distinct, e->distinct, sizeof(news->distinct));
	memset(e->distinct, 0, sizeof(e->distinct));
}

/* False: nothing, or it is becoming somebody else's right now. */
static bool entry_take(struct xfp_unseen_bucket *b, int i, struct unseen_news *news)
{
	uint32_t tag = __atomic_load_n(&b->tag[i], __ATOMIC_ACQUIRE);
	struct xfp_unseen_entry *e = &b->entry[i];

	if (tag == XFP_UNSEEN_FREE || tag == XFP_UNSEEN_BUSY)
		return false;
	/* who was there before has to get much again to stay */
	__atomic_store_n(&b->guard[i], __atomic_load_n(&b->guard[i], __ATOMIC_RELAXED) / 2,
			 __ATOMIC_RELAXED);
	if (!__atomic_load_n(&e->packets, __ATOMIC_ACQUIRE)) {
		/* answers to nothing are of no second but this */
		__atomic_store_n(&e->answers, 0, __ATOMIC_RELAXED);
		memset(e->distinct[XFP_UNSEEN_ACKS], 0, sizeof(e->distinct[XFP_UNSEEN_ACKS]));
		return false;
	}
	entry_read(e, news);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&b->tag[i], __ATOMIC_RELAXED) != tag)
		return false;
	counts_take(e, news);
	return news->packets;
}

void unseen_take(struct xfp_unseen_bucket *buckets, uint64_t now_ns,
		 void (*fn)(void *arg, const struct unseen_news *news), void *arg)
{
	struct unseen_news news = {.now_ns = now_ns};

	for (int bucket = 0; bucket < XFP_UNSEEN_ALL; bucket++) {
		news.view = (uint8_t)(bucket / XFP_UNSEEN_BUCKETS);
		for (int i = 0; i < XFP_UNSEEN_WAYS; i++)
			if (entry_take(&buckets[bucket], i, &news))
				fn(arg, &news);
	}
}
