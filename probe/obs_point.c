/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observation Points: open the skeleton, set its constants, size and share the
 * maps, load. Attaching is obs_attach.c. See obs_point.h.
 */
#include "probe/obs_point.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/bpf_arrays.h"
#include "probe/clock.h"
#include "probe/grace.h"
#include "probe/log.h"
#include "probe/obs_private.h"

static int libbpf_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[2048];

	if (!log_enabled(LOG_DEBUG) || level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

/* ARPHRD_* of the device, or -errno. */
static int link_type(const char *name)
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", IFNAMSIZ - 1, name);
	err = ioctl(fd, SIOCGIFHWADDR, &request) ? -errno : 0;
	close(fd);
	return err ? err : request.ifr_hwaddr.sa_family;
}

/*
 * CLOCK_MONOTONIC at jiffies64 == 0: the least of many readings of their
 * difference, so that a tick's time is never ahead of the packet's.
 */
static int tick_origin_measure(struct flow_bpf *skeleton, uint64_t tick_ns, uint64_t *origin_ns)
{
	unsigned char frame[64] = {};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 64; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
			    .repeat = 1);
		int err = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.xfp_clock), &run);
		uint64_t origin;

		if (err)
			return err;
		origin = skeleton->bss->xfp_clock_ktime_ns -
			 skeleton->bss->xfp_clock_jiffies * tick_ns;
		if (origin < least)
			least = origin;
		usleep(200);
	}
	*origin_ns = least;
	return 0;
}

/* The clock program alone, loaded before the others need its result. */
static int clock_measure(uint64_t *tick_ns, uint64_t *origin_ns)
{
	struct flow_bpf *skeleton = flow_bpf__open();
	struct bpf_program *program;
	int err;

	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, program == skeleton->progs.xfp_clock);
	err = flow_bpf__load(skeleton);
	if (!err) {
		*tick_ns = clock_tick_ns();
		err = tick_origin_measure(skeleton, *tick_ns, origin_ns);
	}
	flow_bpf__destroy(skeleton);
	return err;
}

/* Later instances use the maps of the first. */
static int maps_share(struct flow_bpf *s, const struct flow_bpf *first)
{
	struct bpf_map *map, *mine;
	int err = 0;

	bpf_object__for_each_map(map, first->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		mine = bpf_object__find_map_by_name(s->obj, bpf_map__name(map));
		if (mine && !err)
			err = bpf_map__reuse_fd(mine, bpf_map__fd(map));
	}
	return err;
}

static void constants_set(struct flow_bpf *s, const struct obs_loader *loader,
			  const struct obs_point *point, uint32_t index)
{
	const struct flow_cache_params *params = &loader->cache->params;

	memcpy((void *)s->rodata->xfp_hash_words, params->hash_words, sizeof(params->hash_words));
	s->rodata->xfp_hash_spread = params->hash_spread;
	s->rodata->xfp_buckets4 = params->n_buckets[FLOW_IPV4];
	s->rodata->xfp_buckets6 = params->n_buckets[FLOW_IPV6];
	s->rodata->xfp_tick_ns = loader->tick_ns;
	s->rodata->xfp_tick_origin_ns = loader->tick_origin_ns;
	s->rodata->xfp_is_precise = loader->is_precise;
	s->rodata->xfp_opens_tunnels = loader->opens_tunnels;
	s->rodata->xfp_is_rt = grace_is_rt_kernel();
	s->rodata->xfp_is_ordered = FLOW_CACHE_ORDERED;
	s->rodata->xfp_obs_point = index << 1;
	s->rodata->xfp_is_raw_ip = point->is_raw_ip;
	s->rodata->xfp_deduplicates = params->joins_points;
	s->rodata->xfp_has_switches = params->has_switches;
	s->rodata->xfp_counts_unseen = params->is_watched;
	s->rodata->xfp_unseen_seed = params->unseen_seed;
	s->rodata->xfp_has_no_plain = point->is_raw_ip || params->joins_points;
	s->rodata->xfp_asks_protocol = loader->opens_tunnels || params->has_switches;
	s->rodata->xfp_n_cpus = loader->n_cpus;
	memcpy((void *)&s->rodata->xfp_detail, &params->detail, sizeof(params->detail));
}

int obs_instance_load(const struct obs_loader *loader, struct obs_point *point, uint32_t index,
		      const struct flow_bpf *first)
{
	struct flow_bpf *s = flow_bpf__open();
	bool is_flat = bpf_arrays_are_flat(loader->cache);
	int err = 0;

	if (!s)
		return -errno;
	constants_set(s, loader, point, index);
	bpf_program__set_autoload(s->progs.xfp_clock, false);
	obs_xdp_choose(s, point);
	bpf_program__set_autoload(s->progs.xfp_tc_ingress, !point->wants_xdp);
	bpf_program__set_autoload(s->progs.xfp_tc_egress, point->wants_egress);
	s->rodata->xfp_is_flat = is_flat;
	bpf_arrays_size(s->obj, loader->cache, loader->n_cpus, is_flat);
	if (first)
		err = maps_share(s, first);
	if (!err)
		err = bpf_arrays_load(s->obj, is_flat);
	if (err) {
		flow_bpf__destroy(s);
		return err;
	}
	point->skeleton = s;
	return 0;
}

static int load_failed(int err, const char *name)
{
	if (err == -EPERM || err == -EACCES)
		return log_errno(err,
				 "load the flow program for %s (needs CAP_BPF, CAP_NET_ADMIN and "
				 "CAP_PERFMON: run as root, or grant them with setcap or the "
				 "systemd unit)",
				 name);
	return log_errno(err, "load the flow program for %s (run with -v for the verifier's word)",
			 name);
}

int obs_instance_open(const struct obs_loader *loader, struct obs_point *point, uint32_t index,
		      const struct flow_bpf *first)
{
	int type = link_type(point->name);
	int err;

	if (type < 0 || !(point->ifindex = if_nametoindex(point->name)))
		return log_errno(type < 0 ? type : -ENODEV,
				 "observe interface %s (see `ip link` for what there is)",
				 point->name);
	point->is_raw_ip = type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK;
	if (point->is_raw_ip)
		point->wants_xdp = false;
	err = obs_instance_load(loader, point, index, first);
	while (err && err != -EPERM && point->wants_xdp && obs_xdp_next(point, err))
		err = obs_instance_load(loader, point, index, first);
	return err ? load_failed(err, point->name) : 0;
}

static void *map_mmap(struct obs_points *o, const struct bpf_map *map)
{
	size_t octets = (size_t)bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7u) & ~7u);
	void *at;

	octets = (octets + 4095) & ~(size_t)4095;
	at = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (at == MAP_FAILED)
		return NULL;
	o->mapping[o->n_mappings++] = (struct obs_mapping){.at = at, .octets = octets};
	return at;
}

static int cache_map(struct obs_points *o, struct flow_cache *cache, uint32_t n_cpus)
{
	struct flow_bpf *s = o->point[0].skeleton;
	struct flow_table *t = cache->table;
	void *unseen = map_mmap(o, s->maps.xfp_unseen);

	cache->unseen = cache->params.is_watched ? unseen : NULL;
	t[0].tags = map_mmap(o, s->maps.xfp_tags4);
	t[1].tags = map_mmap(o, s->maps.xfp_tags6);
	t[0].slots = map_mmap(o, s->maps.xfp_slots4);
	t[1].slots = map_mmap(o, s->maps.xfp_slots6);
	t[0].hints = map_mmap(o, s->maps.xfp_hints4);
	t[1].hints = map_mmap(o, s->maps.xfp_hints6);
	t[0].news = map_mmap(o, s->maps.xfp_marks4);
	t[1].news = map_mmap(o, s->maps.xfp_marks6);
	t[0].details = map_mmap(o, s->maps.xfp_details4);
	t[1].details = map_mmap(o, s->maps.xfp_details6);
	cache->rows = map_mmap(o, s->maps.xfp_ledger);
	cache->n_rows = n_cpus;
	cache->switches = map_mmap(o, s->maps.xfp_switches);
	if (o->n_mappings != sizeof(o->mapping) / sizeof(o->mapping[0]))
		return log_errno(-ENOMEM, "map the Flow Cache");
	return 0;
}

int obs_instance_replace(const struct obs_loader *loader, struct obs_point *point, uint32_t index)
{
	struct flow_bpf *old = point->skeleton;
	int err;

	point->skeleton = NULL;
	err = obs_instance_open(loader, point, index, old);
	flow_bpf__destroy(old);
	return err;
}

static void point_configure(struct obs_point *p, const struct interface_config *cfg)
{
	snprintf(p->name, sizeof(p->name), "%s", cfg->name);
	p->wants_xdp = cfg->ingress == INGRESS_XDP || cfg->ingress == INGRESS_XDP_GENERIC ||
		       (cfg->ingress == INGRESS_AUTO && obs_wants_xdp(cfg->name));
	p->xdp = obs_xdp_first(cfg->name, cfg->ingress == INGRESS_XDP_GENERIC);
	p->wants_egress = cfg->egress == EGRESS_TC;
}

int obs_points_open(struct obs_points *o, const struct config *cfg, struct flow_cache *cache)
{
	struct obs_loader *loader = &o->loader;
	int err;

	libbpf_set_print(libbpf_message);
	loader->cache = cache;
	loader->n_cpus = (uint32_t)libbpf_num_possible_cpus();
	loader->is_precise = cfg->flow_cache.timestamps == TIMESTAMPS_PRECISE;
	loader->opens_tunnels = cfg->flow_cache.tunnels == TUNNELS_INNER;
	err = bpf_arrays_register();
	if (!err)
		err = clock_measure(&loader->tick_ns, &loader->tick_origin_ns);
	if (err)
		return load_failed(err, "the clock");

	for (uint32_t i = 0; i < cfg->n_interfaces; i++) {
		struct obs_point *p = &o->point[i];
		struct obs_entry *entry = &o->table.entry[i];

		point_configure(p, &cfg->interfaces[i]);
		err = obs_instance_open(loader, p, i, i ? o->point[0].skeleton : NULL);
		if (err) {
			obs_points_close(o);
			return err;
		}
		o->n = o->table.n = i + 1;
		memcpy(entry->name, p->name, sizeof(entry->name));
		entry->ifindex = p->ifindex;
		entry->has_egress = p->wants_egress && cfg->interfaces[i].ingress != INGRESS_OFF;
	}
	err = cache_map(o, cache, loader->n_cpus);
	if (err)
		obs_points_close(o);
	return err;
}

int obs_points_grace_fd(const struct obs_points *o)
{
	return bpf_map__fd(o->point[0].skeleton->maps.xfp_grace);
}

void obs_points_close(struct obs_points *o)
{
	obs_points_detach(o);
	for (uint32_t i = 0; i < o->n_mappings; i++)
		munmap(o->mapping[i].at, o->mapping[i].octets);
	for (uint32_t i = 0; i < CONFIG_MAX_INTERFACES; i++)
		flow_bpf__destroy(o->point[i].skeleton);
	memset(o, 0, sizeof(*o));
}
