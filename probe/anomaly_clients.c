/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of services. See anomaly_clients.h. */
#include "probe/anomaly_clients.h"

#include <stddef.h>

#include "probe/clock.h"
#include "probe/distinct.h"

#define DAY_NS (86400 * NS_PER_S)

static uint32_t count_of(const struct clients_service *s)
{
	uint64_t either = s->bits[0] | s->bits[1];

	return distinct_estimate(&either, 1);
}

static int bits_of(const struct clients_service *s)
{
	return __builtin_popcountll(s->bits[0] | s->bits[1]);
}

static void service_age(struct clients_service *s, uint32_t day)
{
	if (day <= s->day)
		return; /* time that runs backwards, too */
	s->bits[1] = day - s->day == 1 ? s->bits[0] : 0;
	s->bits[0] = 0;
	s->day = day;
}

static struct clients_service *service_find(struct clients *c, uint64_t service, uint32_t day)
{
	struct clients_service *set = &c->service[service % CLIENTS_SETS * CLIENTS_WAYS];

	for (int i = 0; i < CLIENTS_WAYS; i++)
		if (set[i].name == distinct_name(service)) {
			service_age(&set[i], day);
			return &set[i];
		}
	return NULL;
}

static struct clients_service *service_place(struct clients *c, uint64_t service, uint32_t day)
{
	struct clients_service *set = &c->service[service % CLIENTS_SETS * CLIENTS_WAYS];
	struct clients_service *least = set;

	for (int i = 0; i < CLIENTS_WAYS && least->name; i++) {
		service_age(&set[i], day);
		if (!set[i].name || bits_of(&set[i]) < bits_of(least))
			least = &set[i];
	}
	*least = (struct clients_service){.name = distinct_name(service), .day = day};
	return least;
}

uint32_t clients_add(struct clients *c, uint64_t service, uint64_t client, uint64_t now_ns)
{
	uint32_t day = (uint32_t)(now_ns / DAY_NS);
	struct clients_service *s = service_find(c, service, day);

	if (!s)
		s = service_place(c, service, day);
	s->bits[0] |= 1ULL << client % 64;
	return count_of(s);
}

uint32_t clients_count(struct clients *c, uint64_t service, uint64_t now_ns)
{
	struct clients_service *s = service_find(c, service, (uint32_t)(now_ns / DAY_NS));

	return s ? count_of(s) : 0;
}
