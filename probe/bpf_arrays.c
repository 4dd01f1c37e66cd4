/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of the Flow Cache as single values. See bpf_arrays.h.
 */
#include "probe/bpf_arrays.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* BPF_MAX_VAR_OFF of the verifier (include/linux/bpf_verifier.h, Linux 6.1 .. 6.18). */
#define FLAT_OCTETS_MAX (1ULL << 29)

#define N_TABLE_ARRAYS 10

/* A map without values there is not. */
#define DETAIL_OCTETS(t) ((t)->detail_octets ? (t)->detail_octets : 8)

#define LEDGER	  "xfp_ledger"
#define FRAGMENTS "xfp_fragments"
#define SWITCHES  "xfp_switches"
#define UNSEEN	  "xfp_unseen"

struct array {
	const char *name;
	uint32_t entries;
	uint32_t octets; /* of one entry */
};

static void table_arrays(const struct flow_cache *cache, struct array out[N_TABLE_ARRAYS])
{
	const struct flow_table *t = cache->table;
	const struct array all[N_TABLE_ARRAYS] = {
		{"xfp_tags4", t[0].n_buckets, sizeof(struct xfp_bucket)},
		{"xfp_tags6", t[1].n_buckets, sizeof(struct xfp_bucket)},
		{"xfp_slots4", t[0].n_slots, sizeof(struct xfp_slot4)},
		{"xfp_slots6", t[1].n_slots, sizeof(struct xfp_slot6)},
		{"xfp_hints4", t[0].n_buckets, sizeof(uint64_t)},
		{"xfp_hints6", t[1].n_buckets, sizeof(uint64_t)},
		{"xfp_marks4", t[0].n_chunks, sizeof(uint64_t)},
		{"xfp_marks6", t[1].n_chunks, sizeof(uint64_t)},
		{"xfp_details4", t[0].detail_octets ? t[0].n_slots : 1, DETAIL_OCTETS(&t[0])},
		{"xfp_details6", t[1].detail_octets ? t[1].n_slots : 1, DETAIL_OCTETS(&t[1])},
	};

	memcpy(out, all, sizeof(all));
}

bool bpf_arrays_are_flat(const struct flow_cache *cache)
{
	struct array array[N_TABLE_ARRAYS];

	table_arrays(cache, array);
	for (int i = 0; i < N_TABLE_ARRAYS; i++)
		if ((uint64_t)array[i].entries * array[i].octets >= FLAT_OCTETS_MAX)
			return false;
	return true;
}

static void array_size(struct bpf_object *object, const struct array *array, bool is_flat)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, array->name);

	if (!map)
		return;
	bpf_map__set_max_entries(map, is_flat ? 1 : array->entries);
	bpf_map__set_value_size(map, is_flat ? array->entries * array->octets : array->octets);
}

void bpf_arrays_size(struct bpf_object *object, const struct flow_cache *cache, uint32_t n_cpus,
		     bool is_flat)
{
	const struct array ledger = {LEDGER, n_cpus, sizeof(struct xfp_ledger_row)};
	/* where nothing is counted there, no more than a map has to have */
	const struct array unseen = {UNSEEN, cache->params.is_watched ? XFP_UNSEEN_ALL : 1,
				     cache->params.is_watched ? sizeof(struct xfp_unseen_bucket)
							      : 8};
	struct array array[N_TABLE_ARRAYS];

	table_arrays(cache, array);
	for (int i = 0; i < N_TABLE_ARRAYS; i++)
		array_size(object, &array[i], is_flat);
	array_size(object, &ledger, true);
	array_size(object, &unseen, true);
}

/* ---- load --------------------------------------------------------------------- */

/* What is being loaded: libbpf's callback is told the program only. */
static struct {
	const struct bpf_object *object;
	bool is_flat;
} loading;

static bool is_flat_array(int fd)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, loading.object)
	{
		if (bpf_map__fd(map) != fd || bpf_map__type(map) != BPF_MAP_TYPE_ARRAY)
			continue;
		return (loading.is_flat && !strncmp(bpf_map__name(map), "xfp_", 4)) ||
		       !strcmp(bpf_map__name(map), LEDGER) ||
		       !strcmp(bpf_map__name(map), FRAGMENTS) ||
		       !strcmp(bpf_map__name(map), UNSEEN) || !strcmp(bpf_map__name(map), SWITCHES);
	}
	return false;
}

/* Each reference to such a map becomes the address of its value's first octet. */
static int program_rewrite(struct bpf_program *program, struct bpf_prog_load_opts *opts,
			   long prog_flags)
{
	size_t n = bpf_program__insn_cnt(program);
	struct bpf_insn *insns;
	int err;

	opts->prog_flags |= (__u32)prog_flags;
	if (!loading.object)
		return 0;
	insns = calloc(n, sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), n * sizeof(*insns));
	for (size_t i = 0; i + 1 < n; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (insns[i].src_reg == BPF_PSEUDO_MAP_FD && is_flat_array(insns[i].imm))
			insns[i].src_reg = BPF_PSEUDO_MAP_VALUE;
		i++; /* the upper half */
	}
	err = bpf_program__set_insns(program, insns, n);
	free(insns);
	return err;
}

/* For the section names of bpf/flow.bpf.c, what libbpf's own handlers set and the rewriting. */
int bpf_arrays_register(void)
{
	static const struct {
		const char *section;
		enum bpf_prog_type type;
		enum bpf_attach_type attach_type;
		long flags;
	} handlers[] = {
		{"xdp", BPF_PROG_TYPE_XDP, BPF_XDP, 0},
		{"xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, BPF_F_XDP_HAS_FRAGS},
		{"tc", BPF_PROG_TYPE_SCHED_CLS, 0, 0},
	};
	static bool is_done;

	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers) && !is_done; i++) {
		LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = handlers[i].flags,
			    .prog_prepare_load_fn = program_rewrite);
		int id = libbpf_register_prog_handler(handlers[i].section, handlers[i].type,
						      handlers[i].attach_type, &opts);

		if (id < 0)
			return id;
	}
	is_done = true;
	return 0;
}

int bpf_arrays_load(struct bpf_object *object, bool is_flat)
{
	int err;

	loading.object = object;
	loading.is_flat = is_flat;
	err = bpf_object__load(object);
	loading.object = NULL;
	return err;
}
