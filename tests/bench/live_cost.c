/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a packet costs more than XDP_PASS when it is metered on its way into a
 * veth device, with the project's table and with BPF_MAP_TYPE_HASH. Generator and
 * receiver share one CPU, so that the difference of their CPU time is the answer.
 *
 *	live_cost SEND_IFACE RECEIVE_IFACE [ROUNDS [PACKETS [FLOWS]]]
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/log.h"
#include "tests/bench/report.h"
#include "tests/lib/kernel_table.h"
#include "tests/lib/livegen.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/bench/bench.skel.h"
#include "tests/bench/bench_hash.skel.h"
#pragma GCC diagnostic pop

#define MAX_ROUNDS 99

enum variant { PASS, TABLE, HASH, N_VARIANTS };

struct live_cost {
	struct livegen *generator;
	struct kernel_table table;
	struct kernel_table hash;
	int program[N_VARIANTS];
	int receiver; /* ifindex */
	int softirq_pid;
	uint64_t packets;
};

/* The kernel thread that takes over what a CPU's interrupts cannot finish. */
static int softirq_pid(long cpu)
{
	char wanted[32], path[64], name[32] = "";
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int pid = 0;

	snprintf(wanted, sizeof(wanted), "ksoftirqd/%ld\n", cpu);
	while (proc && !pid && (entry = readdir(proc))) {
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		comm = fopen(path, "r");
		if (!comm)
			continue;
		if (fgets(name, sizeof(name), comm) && !strcmp(name, wanted))
			pid = atoi(entry->d_name);
		fclose(comm);
	}
	if (proc)
		closedir(proc);
	return pid;
}

static uint64_t softirq_ns(int pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static void ledger_read(const struct kernel_table *k, uint64_t *seen, uint64_t *overflow)
{
	*seen = 0;
	*overflow = 0;
	for (uint32_t i = 0; i < k->cache.n_rows; i++) {
		*seen += k->cache.rows[i].seen.packets;
		*overflow += k->cache.rows[i].overflow[IPPROTO_TCP].packets;
	}
}

/* CPU time per packet sent, in ns; negative errno on failure. */
static double variant_run(struct live_cost *l, enum variant variant, uint64_t packets)
{
	uint64_t start;
	struct livegen_sent sent;
	int err, link = bpf_link_create(l->program[variant], l->receiver, BPF_XDP, NULL);

	if (link < 0)
		return log_errno(link, "attach a program to the receiving interface");
	start = report_cpu_ns() + softirq_ns(l->softirq_pid);
	err = livegen_send(l->generator, packets, &sent);
	start = report_cpu_ns() + softirq_ns(l->softirq_pid) - start;
	close(link);
	return err ? err : (double)start / packets;
}

static int table_open(struct kernel_table *k, bool is_hash, uint32_t flows)
{
	struct flow_cache_params params;
	struct kernel_table_options options = {
		.params = &params,
		.max_flows = flows,
		.programs = "xfp_xdp_frags",
	};
	int err = flow_cache_params_init(&params, flows, 1);

	options.elf = is_hash ? bench_hash_bpf__elf_bytes(&options.elf_octets)
			      : bench_bpf__elf_bytes(&options.elf_octets);
	return err ? err : kernel_table_open(k, &options);
}

static int live_cost_open(struct live_cost *l, char **argv, uint32_t flows)
{
	struct livegen_options options = {
		.ifindex = if_nametoindex(argv[1]),
		.destination = {2, 0, 0, 0, 0, 99}, /* nobody's: received, then let go */
		.flows = flows,
	};
	int err;

	l->receiver = (int)if_nametoindex(argv[2]);
	l->softirq_pid = softirq_pid(report_pin_to_last_cpu());
	err = livegen_open(&l->generator, &options);
	if (!err)
		err = table_open(&l->table, false, flows);
	if (!err)
		err = table_open(&l->hash, true, flows);
	if (err)
		return err;
	l->program[PASS] = livegen_pass_fd(l->generator);
	l->program[TABLE] = kernel_table_program(&l->table, "xfp_xdp_frags");
	l->program[HASH] = kernel_table_program(&l->hash, "xfp_xdp_frags");
	/* every Flow is born before anything is measured */
	for (int v = 0; v < N_VARIANTS && !err; v++)
		err = variant_run(l, v, 2ULL * flows) < 0 ? -EIO : 0;
	return err;
}

static int live_cost_run(struct live_cost *l, unsigned int rounds)
{
	static double cost[N_VARIANTS][MAX_ROUNDS], added[2][MAX_ROUNDS], ratio[MAX_ROUNDS];
	uint64_t seen_before, overflow_before, seen, overflow;
	double table;

	ledger_read(&l->table, &seen_before, &overflow_before);
	for (unsigned int i = 0; i < rounds; i++) {
		for (int v = 0; v < N_VARIANTS; v++) {
			cost[v][i] = variant_run(l, v, l->packets);
			if (cost[v][i] < 0)
				return -EIO;
		}
		added[0][i] = cost[TABLE][i] - cost[PASS][i];
		added[1][i] = cost[HASH][i] - cost[PASS][i];
		ratio[i] = added[0][i] / added[1][i];
	}
	table = report_median(added[0], rounds);
	report_print(&(struct report_line){"live: generator and XDP_PASS",
					   report_median(cost[PASS], rounds), "ns/packet", 0, 0,
					   0});
	report_print(&(struct report_line){"live: added by the hash variant",
					   report_median(added[1], rounds), "ns/packet", 0, 0, 0});
	report_print(&(struct report_line){"live: added by the program / hash variant", table,
					   "ns/packet", report_median(ratio, rounds), 0.60, 0});
	report_print(&(struct report_line){"live: share of one core at 1 Mpps", table / 10, "%", 0,
					   0, 0});
	ledger_read(&l->table, &seen, &overflow);
	seen -= seen_before;
	overflow -= overflow_before;
	report_print(&(struct report_line){"live: packets that reached the program",
					   100.0 * seen / ((double)l->packets * rounds), "%", 0, 0,
					   0});
	report_print(&(struct report_line){"live: of them without a place",
					   100.0 * overflow / (double)seen, "%", 0, 0.1, 0});
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 3 ? (unsigned int)atoi(argv[3]) : 5;
	uint32_t flows = argc > 5 ? (uint32_t)atoi(argv[5]) : 1000000;
	struct live_cost l = {.packets = argc > 4 ? (uint64_t)atoll(argv[4]) : 3000000};
	int err;

	if (argc < 3 || rounds < 1 || rounds > MAX_ROUNDS || !l.packets || !flows) {
		log_error("usage: live_cost SEND_IFACE RECEIVE_IFACE [ROUNDS [PACKETS [FLOWS]]]");
		return 2;
	}
	err = live_cost_open(&l, argv, flows);
	if (!err)
		err = live_cost_run(&l, rounds);
	livegen_close(l.generator);
	kernel_table_close(&l.table);
	kernel_table_close(&l.hash);
	return err ? 1 : 0;
}
