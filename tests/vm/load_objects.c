/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Load every program of BPF objects built from bpf/flow.bpf.c, as the daemon
 * does: with flat tables and with look-ups, without details and with all of them.
 * One JSON line for each object and way.
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

static void object_load(const char *path, const void *elf, size_t elf_octets, bool is_lookup,
			bool with_details)
{
	static const char *const programs[] = {"xfp_xdp", "xfp_xdp_frags", "xfp_tc_ingress",
					       "xfp_tc_egress"};
	struct flow_cache_params params;
	int err = flow_cache_params_init(&params, 4096, 1024);

	params.detail = detail_layout(with_details ? (1u << XFP_N_DETAILS) - 1 : 0);
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs) && !err; i++) {
		struct kernel_table table = {};

		err = kernel_table_open(&table, &(struct kernel_table_options){
							.elf = elf,
							.elf_octets = elf_octets,
							.params = &params,
							.max_flows = 4096,
							.programs = programs[i],
							.is_lookup = is_lookup,
						});
		if (!err && kernel_table_program(&table, programs[i]) < 0)
			err = -ENOENT;
		kernel_table_close(&table);
	}
	printf("{\"type\":\"object\",\"name\":\"%s\",\"tables\":\"%s\",\"details\":%s,"
	       "\"exit\":%d}\n",
	       path, is_lookup ? "looked up" : "flat", with_details ? "true" : "false", err);
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
		for (int way = 0; way < 4; way++)
			object_load(argv[i], elf, octets, way & 1, way & 2);
		free(elf);
	}
	return 0;
}
