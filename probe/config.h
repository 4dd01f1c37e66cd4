/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effective configuration: defaults, then the YAML file, then the command
 * line. One schema table (config_schema.c) gives every key its type, range,
 * default and place in these structs; names are those of xflow.yaml(5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/anomaly_config.h"
#include "probe/protocol.h"

#define CONFIG_MAX_INTERFACES 64 /* Observation Point index is 7 bits, two ends kept free */
#define CONFIG_MAX_EXPORTERS  16
#define CONFIG_MAX_GROUPS     16
#define CONFIG_NAME_MAX	      64
#define CONFIG_ADDRESS_MAX    256
#define CONFIG_PATH_MAX	      256
#define CONFIG_LABEL_MAX      (CONFIG_ADDRESS_MAX + 8)

/* Room for Flows where nothing says how much: for interfaces, and for a file. */
#define CONFIG_MAX_FLOWS	   1048576
#define CONFIG_MAX_FLOWS_IPV6	   262144
#define CONFIG_FILE_MAX_FLOWS	   16777216
#define CONFIG_FILE_MAX_FLOWS_IPV6 4194304

enum ingress_hook { INGRESS_AUTO, INGRESS_XDP, INGRESS_XDP_GENERIC, INGRESS_TC, INGRESS_OFF };
enum egress_hook { EGRESS_OFF, EGRESS_TC };
enum timestamps { TIMESTAMPS_TICK, TIMESTAMPS_PRECISE };
enum tunnels { TUNNELS_OUTER, TUNNELS_INNER };
enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_FILE };
enum export_protocol { EXPORT_IPFIX, EXPORT_NETFLOW9, EXPORT_NETFLOW5 };
enum exporter_options_kind { EXPORTER_OPTIONS_NONE, EXPORTER_OPTIONS_AUTO, EXPORTER_OPTIONS_ALL };
enum biflow { BIFLOW_SPLIT, BIFLOW_RFC5103 };
enum precision { PRECISION_PLAIN, PRECISION_FULL };
enum group_mode { MODE_MIRROR, MODE_BALANCE, MODE_FAILOVER };
enum output { OUTPUT_JSON, OUTPUT_TABLE, OUTPUT_NONE, OUTPUT_DEFAULT };

struct interface_config {
	char name[CONFIG_NAME_MAX];
	int ingress; /* enum ingress_hook */
	int egress; /* enum egress_hook  */
};

struct flow_cache_config {
	uint32_t max_flows; /* IPv4 Flows, 1024 .. 64 Mi; 0 = auto, before options_apply() */
	uint32_t max_flows_ipv6; /* the same of IPv6            */
	double active_timeout_s; /* 1 .. 86400                  */
	double idle_timeout_s; /* 1 .. 86400                  */
	double sweep_interval_s; /* 0.1 .. 60                   */
	uint32_t high_water_pct; /* 1 .. 100                    */
	int timestamps; /* enum timestamps             */
	int tunnels; /* enum tunnels                */
	bool deduplicate;
	struct protocol_set protocols; /* metered from the start */
};

struct exporter_config {
	char name[CONFIG_LABEL_MAX]; /* default: transport:address                 */
	char address[CONFIG_ADDRESS_MAX]; /* HOST:PORT, [V6]:PORT, or a path for a file */
	int transport; /* enum transport                             */
	int protocol; /* enum export_protocol                       */
	int profile; /* enum profile; its decisions are in the members below */
	uint32_t template_refresh_s; /* 1 .. 86400, of UDP; and of options records */
	uint32_t mtu; /* octets of the IP packet, 0 = auto, else >= 512 */
	uint32_t max_records_per_s; /* 0 = paced over the sweep interval          */
	int biflow; /* enum biflow                                */
	int precision; /* enum precision, of times and TCP flags      */
	uint32_t max_records_per_message; /* 0 = as many as fit               */
	int options; /* enum exporter_options_kind                 */
	bool events; /* are sent                                  */
	uint32_t fields; /* OR of GROUP_*, GROUP_BASE goes without saying */
	uint32_t reconnect_s; /* least time between two attempts to connect; TCP only */
	char group[CONFIG_NAME_MAX]; /* name of its group_config */
	char spool_path[CONFIG_PATH_MAX]; /* empty = nothing is spooled                */
	uint32_t spool_max_mib; /* 1 .. 1048576                              */
	uint32_t spool_max_records_per_s; /* of the replay, 1 ..                      */
	uint32_t rotate_mib; /* of a file, 0 = not by size                */
	uint32_t rotate_s; /* ... not by time                           */
	bool compress; /* the file, with zlib                       */
};

/* Exporters that share records. */
struct group_config {
	char name[CONFIG_NAME_MAX];
	int mode; /* enum group_mode */
	uint32_t stable_s; /* in order for so long before failover goes back, 1 .. 86400 */
};

struct config {
	uint32_t observation_domain_id;
	uint32_t enterprise_number;
	struct interface_config interfaces[CONFIG_MAX_INTERFACES];
	size_t n_interfaces;
	struct flow_cache_config flow_cache;
	struct exporter_config exporters[CONFIG_MAX_EXPORTERS];
	size_t n_exporters;
	struct group_config groups[CONFIG_MAX_GROUPS];
	size_t n_groups;
	struct anomaly_config anomaly;
	char control_socket[CONFIG_PATH_MAX]; /* empty = none */
	int log_level; /* enum log_level */
	bool log_json;
	int output; /* enum output; command line only */
	int output_biflow; /* enum biflow, of JSON on stdout */
	uint32_t output_fields; /* OR of GROUP_*, in JSON on stdout */
	int collector_profile; /* enum profile, of --collector; command line only */
	char read_path[CONFIG_PATH_MAX]; /* -r; empty = live; command line only */
	double duration_s; /* 0 = until a signal; command line only */
	uint32_t verbose; /* number of -v */
};

/* Fill *cfg with every key's default from the schema. */
void config_init(struct config *cfg);

/*
 * Read a YAML file over what *cfg holds. All errors are printed, each as
 * `file:line:column: path: reason (allowed: ...)`.
 *
 * Returns 0, -EINVAL when the file has errors, or -errno when it cannot be read.
 */
int config_load(struct config *cfg, const char *path);

/* The same, and note in *places where each value stands. */
struct config_places;
int config_load_places(struct config *cfg, const char *path, struct config_places *places);

/*
 * Checks that need more than one key or more than a range (an interface twice,
 * nothing to observe, two exporters of one name, an address without a port,
 * timeouts against the sweep interval). Whether an interface exists is not
 * asked here. Prints each error; returns 0 or -EINVAL.
 */
int config_check(const struct config *cfg);

/*
 * Check what exporter number i asks for against what its export protocol can do;
 * part of config_check(). Prints each error; returns how many.
 */
size_t config_check_protocol(const struct config *cfg, size_t i);

/*
 * The groups of elements that any sink wants, OR of GROUP_*: GROUP_BASE, those of
 * each exporter, and output_fields. Known as soon as *cfg is complete.
 */
uint32_t fields_in_use(const struct config *cfg);

/*
 * What the layout of an exporter's records follows from: the groups of its fields, OR of
 * GROUP_*, with GROUP_BIFLOW and GROUP_PRECISE where its protocol has these.
 */
uint32_t config_layout(const struct exporter_config *e);

/* The group of this name, NULL if there is none. */
const struct group_config *config_group(const struct config *cfg, const char *name);

/* True when any sink takes both directions of a conversation as one record. */
bool biflow_in_use(const struct config *cfg);

/* Print the effective configuration as YAML that config_load() reads back equal. */
int config_print(const struct config *cfg, FILE *out);

/*
 * Split HOST:PORT or [V6]:PORT. A host name is not resolved.
 *
 * host    without brackets; a zone (%eth0) stays
 * port    1 .. 65535, host order
 * reason  set on failure: why not and what to write, static
 *
 * Returns 0 or -EINVAL.
 */
int config_split_address(const char *address, char host[static CONFIG_ADDRESS_MAX], uint16_t *port,
			 const char **reason);
