/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Flow Cache in the kernel without an interface. See kernel_table.h.
 */
#include "tests/lib/kernel_table.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/bpf_arrays.h"
#include "probe/clock.h"
#include "probe/log.h"

#define CLOCK_READINGS 64

/* ---- global variables of an object, by section and name --------------------- */

static struct bpf_map *section_map(const struct bpf_object *object, const char *section)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) if (strstr(bpf_map__name(map), section)) return map;
	return NULL;
}

/* Offset of a variable in its section, or -ENOENT. */
static long variable_offset(const struct bpf_object *object, const char *section, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);
	const struct btf_type *type;

	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, id);
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_var_secinfo *var = btf_var_secinfos(type) + i;
		const struct btf_type *variable = btf__type_by_id(btf, var->type);

		if (!strcmp(btf__name_by_offset(btf, variable->name_off), name))
			return var->offset;
	}
	return -ENOENT;
}

/* Give a constant its value before the object is loaded. */
static int constant_set(const struct bpf_object *object, const char *name, const void *value,
			size_t octets)
{
	struct bpf_map *map = section_map(object, ".rodata");
	long offset = variable_offset(object, ".rodata", name);
	char section[1024];
	size_t total;
	const void *initial;

	if (!map || offset < 0)
		return log_errno(-ENOENT, "find the constant %s of the BPF object", name);
	initial = bpf_map__initial_value(map, &total);
	if (total > sizeof(section))
		return -E2BIG;
	memcpy(section, initial, total);
	memcpy(section + offset, value, octets);
	return bpf_map__set_initial_value(map, section, total);
}

static void *map_mmap(const struct bpf_map *map, size_t *octets)
{
	size_t value = (bpf_map__value_size(map) + 7) / 8 * 8, page = (size_t)getpagesize();
	void *at;

	*octets = (bpf_map__max_entries(map) * value + page - 1) / page * page;
	at = mmap(NULL, *octets, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return at == MAP_FAILED ? NULL : at;
}

/* ---- the clock ----------------------------------------------------------------- */

static struct bpf_object *object_open(const struct kernel_table_options *options,
				      const char *programs)
{
	struct bpf_object *object = bpf_object__open_mem(options->elf, options->elf_octets, NULL);
	struct bpf_program *program;

	if (!object)
		return NULL;
	bpf_object__for_each_program(program, object) bpf_program__set_autoload(
		program, !strncmp(bpf_program__name(program), programs, strlen(programs)));
	return object;
}

/* CLOCK_MONOTONIC at jiffies64 == 0, as the daemon measures it. */
static int tick_origin_read(const struct bpf_object *object, uint64_t tick_ns, uint64_t *origin_ns)
{
	long ktime = variable_offset(object, ".bss", "xfp_clock_ktime_ns");
	long jiffies = variable_offset(object, ".bss", "xfp_clock_jiffies");
	int fd = bpf_program__fd(bpf_object__find_program_by_name(object, "xfp_clock"));
	const unsigned char frame[64] = {};
	uint64_t least = UINT64_MAX, origin;
	size_t octets;
	char *bss = map_mmap(section_map(object, ".bss"), &octets);
	int err = 0;

	if (!bss || ktime < 0 || jiffies < 0)
		return -ENOENT;
	for (int i = 0; i < CLOCK_READINGS && err >= 0; i++) {
		err = kernel_table_run(fd, frame, sizeof(frame), 1);
		origin = *(uint64_t *)(bss + ktime) - *(uint64_t *)(bss + jiffies) * tick_ns;
		if (origin < least)
			least = origin;
		usleep(200);
	}
	munmap(bss, octets);
	*origin_ns = least;
	return err < 0 ? err : 0;
}

static int clock_measure(const struct kernel_table_options *options, uint64_t tick_ns,
			 uint64_t *origin_ns)
{
	struct bpf_object *object = object_open(options, "xfp_clock");
	int err;

	if (!object)
		return -errno;
	err = bpf_object__load(object);
	if (!err)
		err = tick_origin_read(object, tick_ns, origin_ns);
	bpf_object__close(object);
	return err;
}

/* ---- open ------------------------------------------------------------------------ */

/* What is off in an object as it is built. */
static int switches_set(const struct kernel_table *k, const struct kernel_table_options *options)
{
	const struct flow_cache_params *params = options->params;
	const struct {
		const char *name;
		bool is_on;
	} switches[] = {
		{"xfp_opens_tunnels", options->opens_tunnels},
		{"xfp_has_switches", params->has_switches},
		{"xfp_deduplicates", params->joins_points},
		{"xfp_counts_unseen", params->is_watched},
		{"xfp_has_no_plain", params->joins_points},
		{"xfp_asks_protocol", options->opens_tunnels || params->has_switches},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches) && !err; i++)
		if (switches[i].is_on)
			err = constant_set(k->object, switches[i].name, &switches[i].is_on,
					   sizeof(switches[i].is_on));
	return err;
}

static int constants_set(const struct kernel_table *k, const struct kernel_table_options *options,
			 bool is_flat)
{
	const struct flow_cache_params *params = options->params;
	uint64_t tick_ns = clock_tick_ns(), origin_ns;
	bool is_ordered = FLOW_CACHE_ORDERED && !options->is_unordered;
	uint32_t n_cpus = (uint32_t)libbpf_num_possible_cpus();
	int err = clock_measure(options, tick_ns, &origin_ns);

	if (err)
		return log_errno(err, "measure the tick clock by BPF_PROG_TEST_RUN");
	const struct {
		const char *name;
		const void *value;
		size_t octets;
	} constants[] = {
		{"xfp_hash_words", params->hash_words, sizeof(params->hash_words)},
		{"xfp_hash_spread", &params->hash_spread, sizeof(params->hash_spread)},
		{"xfp_buckets4", &params->n_buckets[FLOW_IPV4], sizeof(uint32_t)},
		{"xfp_buckets6", &params->n_buckets[FLOW_IPV6], sizeof(uint32_t)},
		{"xfp_is_ordered", &is_ordered, sizeof(is_ordered)},
		{"xfp_tick_ns", &tick_ns, sizeof(tick_ns)},
		{"xfp_tick_origin_ns", &origin_ns, sizeof(origin_ns)},
		{"xfp_is_flat", &is_flat, sizeof(is_flat)},
		{"xfp_n_cpus", &n_cpus, sizeof(n_cpus)},
		{"xfp_detail", &params->detail, sizeof(params->detail)},
	};
	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants) && !err; i++)
		err = constant_set(k->object, constants[i].name, constants[i].value,
				   constants[i].octets);
	return err ? err : switches_set(k, options);
}

/* The hash maps of the bench. */
static void hash_maps_size(const struct kernel_table *k, uint32_t max_flows)
{
	struct bpf_map *v4 = bpf_object__find_map_by_name(k->object, "bench_flows4");
	struct bpf_map *v6 = bpf_object__find_map_by_name(k->object, "bench_flows6");

	if (v4)
		bpf_map__set_max_entries(v4, max_flows);
	if (v6)
		bpf_map__set_max_entries(v6, k->cache.table[FLOW_IPV6].max_flows);
}

static int maps_map(struct kernel_table *k)
{
	struct flow_table *t = k->cache.table;

	t[0].tags = kernel_table_mmap(k, "xfp_tags4");
	t[1].tags = kernel_table_mmap(k, "xfp_tags6");
	t[0].slots = kernel_table_mmap(k, "xfp_slots4");
	t[1].slots = kernel_table_mmap(k, "xfp_slots6");
	t[0].hints = kernel_table_mmap(k, "xfp_hints4");
	t[1].hints = kernel_table_mmap(k, "xfp_hints6");
	t[0].news = kernel_table_mmap(k, "xfp_marks4");
	t[1].news = kernel_table_mmap(k, "xfp_marks6");
	t[0].details = kernel_table_mmap(k, "xfp_details4");
	t[1].details = kernel_table_mmap(k, "xfp_details6");
	k->cache.rows = kernel_table_mmap(k, "xfp_ledger");
	k->cache.n_rows = (uint32_t)libbpf_num_possible_cpus();
	if (k->cache.params.is_watched)
		k->cache.unseen = kernel_table_mmap(k, "xfp_unseen");
	k->cache.switches = kernel_table_mmap(k, "xfp_switches");
	for (int f = 0; f < FLOW_FAMILIES; f++)
		if (!t[f].tags || !t[f].slots || !t[f].hints || !t[f].news)
			return -ENOMEM;
	return k->cache.rows ? 0 : -ENOMEM;
}

int kernel_table_open(struct kernel_table *k, const struct kernel_table_options *options)
{
	int err = flow_cache_open(&k->cache, options->params, options->max_flows,
				  options->max_flows_ipv6 ? options->max_flows_ipv6 : 1, false);
	bool is_flat;

	if (err)
		return err;
	is_flat = !options->is_lookup && bpf_arrays_are_flat(&k->cache);
	err = bpf_arrays_register();
	if (!err)
		k->object = object_open(options, options->programs);
	if (!k->object)
		err = log_errno(err ? err : -errno, "open the BPF object");
	if (!err) {
		bpf_arrays_size(k->object, &k->cache, (uint32_t)libbpf_num_possible_cpus(),
				is_flat);
		hash_maps_size(k, options->max_flows);
		err = constants_set(k, options, is_flat);
	}
	if (!err) {
		err = bpf_arrays_load(k->object, is_flat);
		if (!err)
			err = maps_map(k);
		if (err)
			log_errno(err, "load the BPF object and map its tables (needs root)");
	}
	if (err)
		kernel_table_close(k);
	return err;
}

int kernel_table_program(const struct kernel_table *k, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(k->object, name));
}

int kernel_table_map(const struct kernel_table *k, const char *name)
{
	return bpf_object__find_map_fd_by_name(k->object, name);
}

void *kernel_table_mmap(struct kernel_table *k, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(k->object, name);
	size_t octets;
	void *at = map ? map_mmap(map, &octets) : NULL;

	if (!at)
		return NULL;
	k->mapping[k->n_mappings].at = at;
	k->mapping[k->n_mappings++].octets = octets;
	return at;
}

int kernel_table_run(int program, const void *frame, uint32_t frame_octets, uint32_t n_runs)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = frame_octets,
		    .repeat = (int)n_runs);
	int err = bpf_prog_test_run_opts(program, &run);

	return err ? err : (int)run.duration;
}

void kernel_table_close(struct kernel_table *k)
{
	for (unsigned int i = 0; i < k->n_mappings; i++)
		munmap(k->mapping[i].at, k->mapping[i].octets);
	bpf_object__close(k->object);
	flow_cache_close(&k->cache);
	memset(k, 0, sizeof(*k));
}
