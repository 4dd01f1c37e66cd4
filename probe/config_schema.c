/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of keys, in the order of the shipped file.
 */
#include "probe/config_schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "probe/config.h"
#include "probe/record.h"

/* The columns offset, size and reload; each member of a struct needs as much as the others but for some. */
#define MEMBER(type, member, reload)                                                               \
	offsetof(struct type, member), sizeof(((struct type *)0)->member), reload
#define TOP(member)		 MEMBER(config, member, CONFIG_RESTART)
#define TOP_AT_ONCE(member)	 MEMBER(config, member, CONFIG_AT_ONCE)
#define CACHE(member)		 TOP(flow_cache.member)
#define CACHE_AT_ONCE(member)	 TOP_AT_ONCE(flow_cache.member)
#define INTERFACE(member)	 MEMBER(interface_config, member, CONFIG_RESTART)
#define EXPORTER(member)	 MEMBER(exporter_config, member, CONFIG_SESSION)
#define EXPORTER_AT_ONCE(member) MEMBER(exporter_config, member, CONFIG_AT_ONCE)
#define EXPORTERS_GROUP(member)	 MEMBER(group_config, member, CONFIG_AT_ONCE)
#define ANOMALY(member)		 TOP_AT_ONCE(anomaly.member)
#define NETWORK_GROUP(member)	 MEMBER(network_group, member, CONFIG_AT_ONCE)
#define NOWHERE			 0, 0, CONFIG_RESTART

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

#define FLOWS_MAX	(64 << 20)
#define IF_NAME_MAX	15 /* IFNAMSIZ less the NUL             */
#define SOCKET_PATH_MAX 107 /* sun_path of unix(7) less the NUL  */
#define STRING_MAX(n)	((n)-1)

#define LEVELS "error | warning | info | debug"

/* In the order of enum group_index. */
static const char group_words[] = "base"
#define GROUP(NAME, word, doc) " | " #word
#include "probe/group.def"
#undef GROUP
	;

/* What is no group yet. */
static const char later_groups[] = "application";

/* clang-format off */
const struct config_key config_keys[] = {
	{"observation_domain_id", CONFIG_U32, TOP(observation_domain_id), "1", 0, UINT32_MAX, NULL, NULL,
	 "Observation Domain ID in every Message header"},
	{"interfaces[].name", CONFIG_STRING, INTERFACE(name), NULL, 1, IF_NAME_MAX, NULL, NULL,
	 "network interface that is an Observation Point"},
	{"interfaces[].ingress", CONFIG_ENUM, INTERFACE(ingress), "auto", 0, 0,
	 "auto | xdp | xdp-generic | tc | off", NULL, "where received packets are metered"},
	{"interfaces[].egress", CONFIG_ENUM, INTERFACE(egress), "off", 0, 0, "off | tc", NULL,
	 "where sent packets are metered"},
	{"flow_cache.max_flows", CONFIG_U32, CACHE(max_flows), "auto", 1024, FLOWS_MAX, "auto", NULL,
	 "IPv4 Flows the Flow Cache has room for; auto = " TEXT(CONFIG_MAX_FLOWS) ", of a file "
	 TEXT(CONFIG_FILE_MAX_FLOWS)},
	{"flow_cache.max_flows_ipv6", CONFIG_U32, CACHE(max_flows_ipv6), "auto", 1024, FLOWS_MAX, "auto",
	 NULL, "IPv6 Flows the Flow Cache has room for; auto = " TEXT(CONFIG_MAX_FLOWS_IPV6) ", of a file "
	 TEXT(CONFIG_FILE_MAX_FLOWS_IPV6)},
	{"flow_cache.active_timeout_s", CONFIG_SECONDS, CACHE_AT_ONCE(active_timeout_s), "60", 1, 86400, NULL, NULL,
	 "a Flow that lasts longer is reported in parts of this many seconds"},
	{"flow_cache.idle_timeout_s", CONFIG_SECONDS, CACHE_AT_ONCE(idle_timeout_s), "15", 1, 86400, NULL, NULL,
	 "seconds without a packet after which a Flow ends"},
	{"flow_cache.timestamps", CONFIG_ENUM, CACHE(timestamps), "tick", 0, 0, "tick | precise", NULL,
	 "clock of a packet: the kernel's timer tick, or one read for each packet"},
	{"flow_cache.sweep_interval_s", CONFIG_SECONDS, CACHE_AT_ONCE(sweep_interval_s), "1", 0.1, 60, NULL, NULL,
	 "seconds between two searches for Flows that have ended"},
	{"flow_cache.high_water_pct", CONFIG_U32, CACHE_AT_ONCE(high_water_pct), "75", 1, 100, NULL, NULL,
	 "per cent of max_flows above which Flows are expired early"},
	{"flow_cache.persist", CONFIG_BOOL, NOWHERE, "false", 0, 0, "false", "true",
	 "keep the Flow Cache when the probe ends"},
	{"flow_cache.deduplicate", CONFIG_BOOL, CACHE(deduplicate), "false", 0, 0, "false | true", NULL,
	 "meter a Flow only at the Observation Point that saw it first"},
	{"flow_cache.tunnels", CONFIG_ENUM, CACHE(tunnels), "outer", 0, 0, "outer | inner", NULL,
	 "IP header of a tunnelled packet that makes its Flow Key; inner = the deepest that can be read"},
	{"flow_cache.protocols", CONFIG_PROTOCOLS, CACHE(protocols), "fixed", 0, 0, "fixed", NULL,
	 "IP protocols that get Flows, until xflowctl(8) switches others; fixed = all, without switches"},
	{"selection.sampling.rate", CONFIG_U32, NOWHERE, "0", 0, 0, NULL, "1:N",
	 "one packet in so many is copied out; 0 = none. Counters never sample"},
	{"selection.sampling.snaplen", CONFIG_U32, NOWHERE, "128", 128, 128, NULL, "any",
	 "octets of a packet that are copied out"},
	{"exporters[].name", CONFIG_STRING, EXPORTER(name), "", 0, STRING_MAX(CONFIG_LABEL_MAX), NULL, NULL,
	 "name in messages and counters; empty = transport:address"},
	{"exporters[].address", CONFIG_STRING, EXPORTER(address), NULL, 1, STRING_MAX(CONFIG_ADDRESS_MAX),
	 NULL, NULL, "HOST:PORT or [IPV6]:PORT of the Collector, or the path of a file"},
	{"exporters[].transport", CONFIG_ENUM, EXPORTER(transport), "udp", 0, 0, "udp | tcp | file", "sctp | tls | dtls",
	 "how Messages travel"},
	{"exporters[].protocol", CONFIG_ENUM, EXPORTER(protocol), "ipfix", 0, 0, "ipfix | netflow9 | netflow5",
	 NULL, "export protocol; NetFlow over UDP only"},
	{"exporters[].profile", CONFIG_ENUM, EXPORTER(profile), "nfcapd", 0, 0,
	 "nfcapd | silk | elastiflow | pmacct | full", NULL,
	 "Collector that decides on the keys the entry leaves out"},
	{"exporters[].template_refresh_s", CONFIG_U32, EXPORTER_AT_ONCE(template_refresh_s), "60", 1, 86400, NULL,
	 NULL, "seconds after which Templates are sent again over UDP, and options records"},
	{"exporters[].mtu", CONFIG_U32, EXPORTER(mtu), "auto", 512, 65535, "auto", NULL,
	 "largest IP packet in octets; auto = that of the path. UDP only"},
	{"exporters[].max_records_per_s", CONFIG_U32, EXPORTER_AT_ONCE(max_records_per_s), "0", 0, UINT32_MAX, NULL,
	 NULL, "Flow Records sent in a second at most; 0 = spread over the sweep interval"},
	{"exporters[].events", CONFIG_BOOL, EXPORTER(events), "false", 0, 0, "false | true", NULL,
	 "send events to this Collector; IPFIX only"},
	{"exporters[].biflow", CONFIG_ENUM, EXPORTER(biflow), "split", 0, 0, "split | rfc5103", NULL,
	 "one record for each direction, or one for both"},
	{"exporters[].precision", CONFIG_ENUM, EXPORTER(precision), "plain", 0, 0, "plain | full", NULL,
	 "times in ms and TCP flags in one octet, or ns and two; IPFIX only"},
	{"exporters[].max_records_per_message", CONFIG_U32, EXPORTER(max_records_per_message), "0", 0,
	 65535, NULL, NULL, "Flow Records in a Message at most; 0 = as many as fit"},
	{"exporters[].options", CONFIG_ENUM, EXPORTER(options), "auto", 0, 0, "none | auto | all", NULL,
	 "what the Collector is told of the probe itself: statistics, losses, names, types"},
	{"exporters[].fields", CONFIG_WORDS, EXPORTER(fields), "[base]", 0, 0, group_words,
	 later_groups, "groups of Information Elements in a record; base goes without saying"},
	{"exporters[].reconnect_s", CONFIG_U32, EXPORTER_AT_ONCE(reconnect_s), "60", 1, 86400, NULL, NULL,
	 "seconds between two attempts to connect at least; TCP only"},
	{"exporters[].file.rotate_mib", CONFIG_U32, EXPORTER_AT_ONCE(rotate_mib), "0", 0, 1048576, NULL, NULL,
	 "MiB of Messages after which a new file is begun; 0 = none is for its size"},
	{"exporters[].file.rotate_s", CONFIG_U32, EXPORTER_AT_ONCE(rotate_s), "0", 0, 31536000, NULL, NULL,
	 "seconds after which a new file is begun; 0 = none is for its age"},
	{"exporters[].file.compress", CONFIG_BOOL, EXPORTER(compress), "false", 0, 0, "false | true",
	 NULL, "compress files, as gzip does"},
	{"exporters[].spool.path", CONFIG_STRING, EXPORTER(spool_path), "", 0,
	 STRING_MAX(CONFIG_PATH_MAX), NULL, NULL,
	 "folder that keeps records on disk while the Collector is away; empty = none"},
	{"exporters[].spool.max_mib", CONFIG_U32, EXPORTER(spool_max_mib), "256", 1, 1048576, NULL, NULL,
	 "MiB the spool of this exporter takes at most; the oldest go first"},
	{"exporters[].spool.max_records_per_s", CONFIG_U32, EXPORTER_AT_ONCE(spool_max_records_per_s), "20000", 1,
	 UINT32_MAX, NULL, NULL, "Flow Records taken from the spool in a second at most"},
	{"exporters[].group", CONFIG_STRING, EXPORTER_AT_ONCE(group), "main", 1, STRING_MAX(CONFIG_NAME_MAX),
	 NULL, NULL, "group the exporter belongs to, one of groups"},
	{"groups[].mode", CONFIG_ENUM, EXPORTERS_GROUP(mode), "mirror", 0, 0,
	 "mirror | balance | failover", NULL,
	 "how exporters of the group share records: each gets all; by Flow; the first in order gets all"},
	{"groups[].stable_s", CONFIG_U32, EXPORTERS_GROUP(stable_s), "10", 1, 86400, NULL, NULL,
	 "failover: seconds an exporter is in order before records go back to it"},
	{"output_biflow", CONFIG_ENUM, TOP_AT_ONCE(output_biflow), "split", 0, 0, "split | rfc5103", NULL,
	 "in JSON on stdout one record for each direction, or one for both"},
	{"output_fields", CONFIG_WORDS, TOP_AT_ONCE(output_fields), "[base]", 0, 0, group_words, later_groups,
	 "groups of Information Elements in JSON on stdout; xflowctl(8) has those of exporters too"},
	{"enterprise_number", CONFIG_U32, TOP(enterprise_number), "32473", 1, UINT32_MAX, NULL, NULL,
	 "Private Enterprise Number of the probe's own Information Elements; not 29305"},
	{"anomaly.enabled", CONFIG_BOOL, TOP(anomaly.enabled), "false", 0, 0, "false | true", NULL,
	 "look for anomalies"},
	{"anomaly.dry_run", CONFIG_BOOL, ANOMALY(dry_run), "false", 0, 0, "false | true", NULL,
	 "raise no events; xflowctl(8) shows those there would have been"},
	{"anomaly.local_networks", CONFIG_NETWORKS, ANOMALY(local_networks),
	 "[10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7]", 0, 0, NULL, NULL,
	 "networks that are ours; as by default, also those the metered interfaces have addresses in"},
	{"anomaly.allow", CONFIG_NETWORKS, ANOMALY(allow), "[]", 0, 0, NULL, NULL,
	 "guilty hosts, or struck ones where no single host is guilty, that raise no events"},
	{"anomaly.groups[].networks", CONFIG_NETWORKS, NETWORK_GROUP(networks), NULL, 1, 0, NULL, NULL,
	 "networks whose hosts have the thresholds of the group; of several the longest prefix counts"},
	{"anomaly.baseline.times", CONFIG_U32, ANOMALY(baseline.times), "4", 0, 100, NULL, NULL,
	 "times what is usual of a rate its threshold is at least; 0 = thresholds are as configured"},
	{"anomaly.baseline.learn_s", CONFIG_U32, ANOMALY(baseline.learn_s), "86400", 3600, 604800, NULL, NULL,
	 "seconds that what is usual is learned before a threshold follows from it"},
	{"anomaly.scan.enabled", CONFIG_BOOL, ANOMALY(scan.enabled), "true", 0, 0, "false | true", NULL,
	 "look for scans of ports and addresses"},
	{"anomaly.scan.window_s", CONFIG_U32, ANOMALY(scan.window_s), "300", 10, 3600, NULL, NULL,
	 "seconds over which failed contacts count"},
	{"anomaly.scan.contacts", CONFIG_U32, ANOMALY(scan.contacts), "15", 2, 1000, NULL, NULL,
	 "different targets a source fails at in the window to be a scanner"},
	{"anomaly.scan.stealth", CONFIG_U32, ANOMALY(scan.stealth), "5", 2, 1000, NULL, NULL,
	 "the same, of TCP segments that no operating system sends"},
	{"anomaly.scan.udp", CONFIG_U32, ANOMALY(scan.udp), "50", 2, 1000, NULL, NULL,
	 "the same, of UDP that is not answered"},
	{"anomaly.scan.unreachable", CONFIG_U32, ANOMALY(scan.unreachable), "10", 2, 1000, NULL, NULL,
	 "ICMP messages to a source with which as many targets of UDP suffice"},
	{"anomaly.scan.protocols", CONFIG_U32, ANOMALY(scan.protocols), "10", 2, 255, NULL, NULL,
	 "different IP protocols a source gets no answer to"},
	{"anomaly.scan.slow", CONFIG_U32, ANOMALY(scan.slow), "50", 10, 200, NULL, NULL,
	 "different targets a source fails at in a day"},
	{"anomaly.scan.local_factor", CONFIG_U32, ANOMALY(scan.local_factor), "10", 1, 100, NULL, NULL,
	 "times as many addresses a host of local_networks may fail at; 2000, and 1000 in a day, at most"},
	{"anomaly.scan.distributed", CONFIG_U32, ANOMALY(scan.distributed), "100", 10, 1000, NULL, NULL,
	 "different ports of one host that many sources fail at in the window"},
	{"anomaly.scan.distributed_hosts", CONFIG_U32, ANOMALY(scan.distributed_hosts), "100", 10, 1000, NULL,
	 NULL, "different addresses of one block that many sources fail at in the window, on one port"},
	{"anomaly.syn_flood.enabled", CONFIG_BOOL, ANOMALY(syn_flood.enabled), "true", 0, 0, "false | true",
	 NULL, "look for SYN floods"},
	{"anomaly.syn_flood.syn_per_s", CONFIG_U32, ANOMALY(syn_flood.syn_per_s), "1000", 10, 100000000, NULL,
	 NULL, "SYN in a second to one address and port"},
	{"anomaly.syn_flood.completed_pct", CONFIG_U32, ANOMALY(syn_flood.completed_pct), "20", 1, 99, NULL,
	 NULL, "handshakes completed, of 100 SYN, from which on it is no flood"},
	{"anomaly.ddos.enabled", CONFIG_BOOL, ANOMALY(ddos.enabled), "true", 0, 0, "false | true", NULL,
	 "look for floods by volume and for reflection"},
	{"anomaly.ddos.packets_per_s", CONFIG_U32, ANOMALY(ddos.packets_per_s), "20000", 100, UINT32_MAX, NULL,
	 NULL, "packets in a second to one address"},
	{"anomaly.ddos.mbit_per_s", CONFIG_U32, ANOMALY(ddos.mbit_per_s), "1000", 1, 1000000, NULL, NULL,
	 "megabits in a second to one address"},
	{"anomaly.ddos.flows_per_s", CONFIG_U32, ANOMALY(ddos.flows_per_s), "3500", 10, UINT32_MAX, NULL, NULL,
	 "new Flows in a second to one address"},
	{"anomaly.ddos.reflectors", CONFIG_U32, ANOMALY(ddos.reflectors), "50", 2, 100000, NULL, NULL,
	 "servers that send one address answers it has not asked for"},
	{"anomaly.violation.enabled", CONFIG_BOOL, ANOMALY(violation.enabled), "true", 0, 0, "false | true",
	 NULL, "look for packets that break their protocol"},
	{"anomaly.violation.packets", CONFIG_U32, ANOMALY(violation.packets), "10", 1, 1000000, NULL, NULL,
	 "of them in a minute by one source, of a kind that may happen now and then"},
	{"anomaly.beacon.enabled", CONFIG_BOOL, ANOMALY(beacon.enabled), "true", 0, 0, "false | true", NULL,
	 "look for connections that come back like clockwork"},
	{"anomaly.beacon.connections", CONFIG_U32, ANOMALY(beacon.connections), "24", 8, 60, NULL, NULL,
	 "connections of one host of ours to one service elsewhere, evenly apart"},
	{"anomaly.beacon.jitter_pct", CONFIG_U32, ANOMALY(beacon.jitter_pct), "20", 1, 50, NULL, NULL,
	 "of the interval in percent: how far half of the intervals may be off"},
	{"anomaly.beacon.span_s", CONFIG_U32, ANOMALY(beacon.span_s), "600", 10, 86400, NULL, NULL,
	 "seconds they have to go on for"},
	{"anomaly.beacon.score", CONFIG_U32, ANOMALY(beacon.score), "50", 1, 100, NULL, NULL,
	 "evenness of times and octets, and for how long, of 100"},
	{"anomaly.beacon.clients", CONFIG_U32, ANOMALY(beacon.clients), "5", 1, 100, NULL, NULL,
	 "hosts of ours that use a service, above which it is one for everybody"},
	{"anomaly.beacon.allow", CONFIG_NETWORKS, ANOMALY(beacon.allow), "[]", 0, 0, NULL, NULL,
	 "services elsewhere that may be called like clockwork"},
	{"anomaly.exfiltration.enabled", CONFIG_BOOL, ANOMALY(exfiltration.enabled), "true", 0, 0,
	 "false | true", NULL, "look for data that leaves"},
	{"anomaly.exfiltration.mbyte_per_hour", CONFIG_U32, ANOMALY(exfiltration.mbyte_per_hour), "100", 1,
	 1000000, NULL, NULL, "megabytes from a host of ours to one elsewhere"},
	{"anomaly.exfiltration.mbyte_per_day", CONFIG_U32, ANOMALY(exfiltration.mbyte_per_day), "500", 1,
	 10000000, NULL, NULL, "the same in a day, to one known for a week at most"},
	{"anomaly.exfiltration.ratio_pct", CONFIG_U32, ANOMALY(exfiltration.ratio_pct), "60", 1, 99, NULL, NULL,
	 "least (sent - received) / (sent + received), in percent"},
	{"anomaly.exfiltration.learning_s", CONFIG_U32, ANOMALY(exfiltration.learning_s), "3600", 0, 604800,
	 NULL, NULL, "seconds from the start in which all hosts elsewhere come up; four times as much may go there"},
	{"anomaly.exfiltration.echo_per_min", CONFIG_U32, ANOMALY(exfiltration.echo_per_min), "60", 10, 1000000,
	 NULL, NULL, "large ICMP echo messages in a minute to one host elsewhere, of changing size"},
	{"anomaly.exfiltration.clients", CONFIG_U32, ANOMALY(exfiltration.clients), "5", 1, 100, NULL, NULL,
	 "hosts of ours that use a host elsewhere, above which ten times as much may go there"},
	{"anomaly.exfiltration.allow", CONFIG_NETWORKS, ANOMALY(exfiltration.allow), "[]", 0, 0, NULL, NULL,
	 "hosts elsewhere that may get as much as they want"},
	{"anomaly.learning.enabled", CONFIG_BOOL, ANOMALY(learning.enabled), "true", 0, 0, "false | true",
	 NULL, "learn what is usual of each host of ours, and tell what is not"},
	{"anomaly.learning.training_s", CONFIG_U32, ANOMALY(learning.training_s), "7200", 3600, 2592000, NULL,
	 NULL, "seconds with traffic in which it learns and tells nothing"},
	{"anomaly.learning.deviation", CONFIG_U32, ANOMALY(learning.deviation), "6", 3, 1000, NULL, NULL,
	 "robust z-score from which on anything is odd; more where hosts vary more"},
	{"anomaly.learning.minutes", CONFIG_U32, ANOMALY(learning.minutes), "5", 2, 60, NULL, NULL,
	 "minutes in a row in which a host is odd"},
	{"anomaly.learning.path", CONFIG_STRING, ANOMALY(learning.path), "", 0, STRING_MAX(LEARNING_PATH_MAX), NULL,
	 NULL, "file that keeps what is learned over restarts; empty = none"},
	{"anomaly.learning.save_s", CONFIG_U32, ANOMALY(learning.save_s), "600", 1, 86400, NULL, NULL,
	 "seconds between two writes of that file"},
	{"control.socket", CONFIG_STRING, TOP(control_socket), "/run/xflow-probe/control.sock", 0,
	 SOCKET_PATH_MAX, NULL, NULL, "path of the socket xflowctl(8) talks to; empty = none"},
	{"log.level", CONFIG_ENUM, TOP_AT_ONCE(log_level), "info", 0, 0, LEVELS, NULL,
	 "least important messages that are printed"},
	{"log.format", CONFIG_ENUM, TOP_AT_ONCE(log_json), "text", 0, 0, "text | json", NULL,
	 "form of the messages on standard error"},
};

_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX,
	       "config_yaml.c: a mark each");
const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);

static const struct config_list lists[] = {
	{"interfaces", offsetof(struct config, interfaces), offsetof(struct config, n_interfaces),
	 sizeof(struct interface_config), CONFIG_MAX_INTERFACES, 0},
	{"exporters", offsetof(struct config, exporters), offsetof(struct config, n_exporters),
	 sizeof(struct exporter_config), CONFIG_MAX_EXPORTERS, 0},
	{"groups", offsetof(struct config, groups), offsetof(struct config, n_groups),
	 sizeof(struct group_config), CONFIG_MAX_GROUPS, CONFIG_NAME_MAX},
	{"anomaly.groups", offsetof(struct config, anomaly.groups), offsetof(struct config, anomaly.n_groups),
	 sizeof(struct network_group), NETWORK_GROUPS_MAX, NETWORK_GROUP_NAME_MAX},
};
/* clang-format on */

const struct config_key *config_key_find(const char *path)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (!strcmp(config_keys[i].path, path))
			return &config_keys[i];
	return NULL;
}

const char *config_key_below(const struct config_key *key, const char *at, size_t length)
{
	return strncmp(key->path, at, length) ? NULL : key->path + length;
}

/* Octets of the path component at the start of `path`. */
static size_t component_length(const char *path)
{
	return strcspn(path, ".[");
}

const char *config_key_name(const struct config_key *key)
{
	const char *item = strstr(key->path, "[].");

	return item ? item + strlen("[].") : key->path;
}

bool config_key_is_threshold(const struct config_key *key)
{
	size_t begin = offsetof(struct config, anomaly.limits);
	size_t end = begin + sizeof(struct anomaly_limits);

	/* these are of a detector as a whole, and so is what it takes from an allow-list */
	return key->type == CONFIG_U32 && !config_list_of(key) && key->offset >= begin &&
	       key->offset < end && key->offset != offsetof(struct config, anomaly.scan.window_s) &&
	       key->offset != offsetof(struct config, anomaly.exfiltration.learning_s);
}

int config_find_child(const char *at, size_t length, const char *name, bool thresholds_only)
{
	size_t n = component_length(name);

	if (!n || name[n])
		return -1;
	for (size_t i = 0; i < config_n_keys; i++) {
		const char *rest = config_key_below(&config_keys[i], at, length);

		if (thresholds_only && !config_key_is_threshold(&config_keys[i]))
			continue;
		if (rest && component_length(rest) == n && !strncmp(rest, name, n))
			return i;
	}
	return -1;
}

/* The next name at a place, from key *i on: its start, NULL at the end. */
static const char *next_name(const char *at, size_t at_length, bool thresholds_only, size_t *i,
			     size_t *length)
{
	while (*i < config_n_keys) {
		int index = (*i)++;
		const char *rest = config_key_below(&config_keys[index], at, at_length);
		char name[CONFIG_PATH_TEXT_MAX] = "";

		if (!rest)
			continue;
		*length = component_length(rest);
		memcpy(name, rest, *length);
		if (config_find_child(at, at_length, name, thresholds_only) == index)
			return rest;
	}
	return NULL;
}

void config_names_add(const char *at, size_t length, bool thresholds_only, char *out, size_t size)
{
	size_t i = 0, n = strlen(out), name_length;
	const char *name;

	while ((name = next_name(at, length, thresholds_only, &i, &name_length)) && n < size)
		n += snprintf(out + n, size - n, "%s%.*s", n ? ", " : "", (int)name_length, name);
}

void config_names_at(const char *at, size_t length, bool thresholds_only, char *out, size_t size)
{
	*out = '\0';
	config_names_add(at, length, thresholds_only, out, size);
}

/* Levenshtein's: insertions, deletions and replacements from a to b. */
static size_t edit_distance(const char *a, const char *b, size_t b_length)
{
	size_t row[CONFIG_PATH_TEXT_MAX];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_length];
}

bool config_find_nearest(const char *at, size_t length, bool thresholds_only, const char *name,
			 char nearest[static CONFIG_PATH_TEXT_MAX])
{
	size_t i = 0, n, least = strlen(name) / 3 + 2;
	bool is_found = false;
	const char *known;

	while ((known = next_name(at, length, thresholds_only, &i, &n))) {
		size_t distance = edit_distance(name, known, n);

		if (distance >= least)
			continue;
		least = distance;
		is_found = true;
		memcpy(nearest, known, n);
		nearest[n] = '\0';
	}
	return is_found;
}

const struct config_list *config_list_of(const struct config_key *key)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t n = strlen(lists[i].path);

		if (!strncmp(key->path, lists[i].path, n) && key->path[n] == '[')
			return &lists[i];
	}
	return NULL;
}

bool config_list_allows(const struct config_list *list, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";
	size_t n = strspn(name, allowed);

	return n && !name[n] && n < list->name_size;
}

bool config_list_has(const struct config_list *list, const struct config *cfg, const char *name)
{
	const char *base = (const char *)cfg, *item = base + list->offset;
	size_t count = *(const size_t *)(base + list->count_offset);

	for (size_t i = 0; i < count; i++, item += list->item_size)
		if (!strcmp(item, name))
			return true;
	return false;
}

void config_set_defaults(const struct config_list *list, void *base)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *reason;

		if (config_list_of(key) != list || !key->size || !key->fallback)
			continue;
		if (key->type == CONFIG_NETWORKS)
			config_key_set_networks(key, base, key->fallback, &reason);
		else if (key->type == CONFIG_WORDS)
			config_key_set_words(key, base, key->fallback, &reason);
		else
			config_key_set(key, base, key->fallback, key->type != CONFIG_STRING,
				       &reason);
	}
}
