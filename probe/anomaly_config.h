/* SPDX-License-Identifier: BSD-2-Clause */
/* `anomaly:` of xflow.yaml(5); ranges and defaults are in the schema. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/network.h"

struct scan_config {
	bool enabled;
	uint32_t window_s; /* over which contacts count                               */
	uint32_t contacts; /* different failed contacts                               */
	uint32_t stealth; /* ... of segments that no stack sends                     */
	uint32_t udp; /* ... by UDP, in silence                                  */
	uint32_t unreachable; /* ICMP messages that make fewer suffice for UDP           */
	uint32_t protocols; /* IP protocols tried                                      */
	uint32_t slow; /* different failed contacts in a day                      */
	uint32_t local_factor; /* times as many addresses for a host of local_networks    */
	uint32_t distributed_hosts; /* addresses of one block, tried by many                 */
	uint32_t distributed; /* ports of one host, tried by many                        */
};

struct syn_flood_config {
	bool enabled;
	uint32_t syn_per_s; /* to one address and port */
	uint32_t completed_pct; /* handshakes completed, of 100 SYN, below which it is one */
};

struct ddos_config {
	bool enabled;
	uint32_t packets_per_s; /* to one address */
	uint32_t mbit_per_s;
	uint32_t flows_per_s;
	uint32_t reflectors; /* servers that answer what was not asked */
};

struct violation_config {
	bool enabled;
	uint32_t packets; /* in a minute, of what may happen now and then */
};

struct beacon_config {
	bool enabled;
	uint32_t connections; /* of one host to one service, evenly apart               */
	uint32_t jitter_pct; /* of the interval: how far they may be off, in the median */
	uint32_t span_s; /* they go on for                                         */
	uint32_t score; /* of 100                                                 */
	uint32_t clients; /* of one service, above which it is everybody's          */
	struct network_list allow; /* services                                            */
};

struct exfiltration_config {
	bool enabled;
	uint32_t mbyte_per_hour; /* 10^6 octets from one host of ours to one elsewhere  */
	uint32_t mbyte_per_day;
	uint32_t ratio_pct; /* (sent - received) / (sent + received)                 */
	uint32_t learning_s; /* until then no host elsewhere is new                    */
	uint32_t echo_per_min; /* ICMP messages between two hosts that carry something   */
	uint32_t clients; /* of one host elsewhere, above which it is everybody's  */
	struct network_list allow; /* hosts elsewhere                                       */
};

#define LEARNING_PATH_MAX 256 /* NUL included */

struct learning_config {
	bool enabled;
	uint32_t training_s; /* with traffic, until anything is told                 */
	uint32_t deviation; /* least robust z-score that is odd                     */
	uint32_t minutes; /* in a row that a host is odd                          */
	uint32_t save_s; /* between two saves                                    */
	char path[LEARNING_PATH_MAX]; /* of the model file; empty: none            */
};

struct baseline_config {
	uint32_t times; /* what is usual a threshold of a rate is at least; 0 = as configured */
	uint32_t learn_s; /* until then it is not looked at */
};

/* What hosts are measured by: those of a group of networks may have limits of their own. */
#define ANOMALY_LIMITS                                                                             \
	struct scan_config scan;                                                                   \
	struct syn_flood_config syn_flood;                                                         \
	struct ddos_config ddos;                                                                   \
	struct violation_config violation;                                                         \
	struct beacon_config beacon;                                                               \
	struct exfiltration_config exfiltration;

struct anomaly_limits {
	ANOMALY_LIMITS
};

#define NETWORK_GROUPS_MAX     32
#define NETWORK_GROUP_NAME_MAX 32 /* with its NUL */

/* `anomaly.groups.NAME`: hosts that some thresholds are others for. */
struct network_group {
	char name[NETWORK_GROUP_NAME_MAX];
	struct network_list networks;
	struct anomaly_limits limits; /* 0: as for all others; what is no threshold is 0 */
};

struct anomaly_config {
	bool enabled;
	bool dry_run;
	struct network_list local_networks;
	struct network_list allow;
	struct baseline_config baseline;
	struct learning_config learning;
	union { /* for hosts of no group */
		struct anomaly_limits limits;
		struct {
			ANOMALY_LIMITS
		};
	};
	size_t n_groups;
	struct network_group groups[NETWORK_GROUPS_MAX]; /* behind limits: config_groups.c */
};
