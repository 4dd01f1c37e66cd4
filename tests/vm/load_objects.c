/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Load every program of BPF objects built from bpf/flow.bpf.c, as the daemon
 * does: flat tables with tunnels closed and opened, then with all details, then
 * looked up in, then flat with protocols switched, then deduplicating, too. One JSON
 * line for each program and way.
 *
 *	load_objects FILE...
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/detail_layout.h"
#include "tests/lib/kernel_table.h"

/* The whole file, or NULL. */
static void *file_read(const char *path, size_t *octets)
{
	FILE *file = fopen(path, "rb");
	void *content = NULL;
	long size;

	if (!file)
		return NULL;
	if (!fseek(file, 0, SEEK_END) && (size = ftell(file)) > 0 && !fseek(file, 0, SEEK_SET)) {
		*octets = (size_t)size;
		content = malloc(*octets);
		if (content && fread(content, 1, *octets, file) != *octets) {
			free(content);
			content = NULL;
		}
	}
	fclose(file);
	return content;
}

/* Instructions the verifier followed, over all ways. */
static uint32_t verified_instructions(int program)
{
	struct bpf_prog_info info = {};
	uint32_t octets = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &octets) ? 0 : info.verified_insns;
}

static void program_load(const char *path, struct kernel_table_options options)
{
	struct kernel_table table = {};
	uint32_t verified = 0;
	int program, err = kernel_table_open(&table, &options);

	if (!err) {
		program = kernel_table_program(&table, options.programs);
		err = program < 0 ? -ENOENT : 0;
		verified = verified_instructions(program);
	}
	kernel_table_close(&table);
	printf("{\"type\":\"program\",\"object\":\"%s\",\"name\":\"%s\",\"tables\":\"%s\","
	       "\"tunnels\":\"%s\",\"details\":%u,\"protocols\":\"%s\","
	       "\"deduplicate\":%s,\"verified\":%u,\"exit\":%d}\n",
	       path, options.programs, options.is_lookup ? "looked up" : "flat",
	       options.opens_tunnels ? "inner" : "outer", options.params->detail.octets,
	       options.params->has_switches ? "switched" : "fixed",
	       options.params->joins_points ? "true" : "false", verified, err);
}

#define N_WAYS 7

static void object_load(const char *path, const void *elf, size_t elf_octets)
{
	static const char *const programs[] = {"xfp_xdp", "xfp_xdp_frags", "xfp_tc_ingress",
					       "xfp_tc_egress"};
	struct flow_cache_params params;

	if (flow_cache_params_init(&params, 4096, 1024)) {
		perror("flow_cache_params_init");
		exit(1);
	}
	for (size_t i = 0; i < N_WAYS * sizeof(programs) / sizeof(*programs); i++) {
		size_t way = i % N_WAYS;

		params.detail = detail_layout(way >= 2 && way < 6 ? (1u << XFP_N_DETAILS) - 1 : 0);
		params.is_watched = way >= 4;
		params.has_switches = way >= 4;
		params.joins_points = way == 5;
		program_load(path, (struct kernel_table_options){
					   .elf = elf,
					   .elf_octets = elf_octets,
					   .params = &params,
					   .max_flows = 4096,
					   .programs = programs[i / N_WAYS],
					   .is_lookup = way == 3,
					   .opens_tunnels = way > 0,
				   });
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t octets = 0;
		void *elf = file_read(argv[i], &octets);

		if (!elf) {
			perror(argv[i]);
			return 1;
		}
		object_load(argv[i], elf, octets);
		free(elf);
	}
	return 0;
}
