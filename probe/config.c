/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What concerns the configuration as a whole: defaults, checks between keys,
 * printing, and the form of a Collector's address.
 */
#include "probe/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "probe/config_complain.h"
#include "probe/config_groups.h"
#include "probe/config_schema.h"
#include "probe/event_ie.h"
#include "probe/exporter_encode.h"
#include "probe/log.h"
#include "probe/profile.h"
#include "probe/template.h"

#define REVERSE_PEN	  29305 /* RFC 5103 6.1: marks reverse Information Elements */
#define MAIN_GROUP	  "main" /* is there without being named */
#define UDP_HEADERS	  48 /* IPv6 and UDP */
#define CERT_PEN	  6871
#define DOCUMENTATION_PEN 32473 /* RFC 5612 */

void config_init(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	config_set_defaults(NULL, cfg);
	strcpy(cfg->groups[0].name, MAIN_GROUP);
	config_set_defaults(config_list_of(config_key_find("groups[].mode")), &cfg->groups[0]);
	cfg->n_groups = 1;
	cfg->output = OUTPUT_DEFAULT;
}

static int refuse(const char **reason, const char *why)
{
	*reason = why;
	return -EINVAL;
}

static int parse_port(const char *text, uint16_t *port, const char **reason)
{
	unsigned long value = 0;
	size_t n = strspn(text, "0123456789");

	if (!n || text[n])
		return refuse(reason, "the port is not a number (1 .. 65535)");
	for (; *text && value <= UINT16_MAX; text++)
		value = value * 10 + (*text - '0');
	if (value < 1 || value > UINT16_MAX)
		return refuse(reason, "the port is out of range (1 .. 65535)");
	*port = value;
	return 0;
}

/* True for an IPv6 address of n octets, a zone behind % aside. */
static bool is_ipv6(const char *text, size_t n)
{
	char copy[INET6_ADDRSTRLEN] = "";
	struct in6_addr address;
	size_t bare = strcspn(text, "%]");

	if (bare >= sizeof(copy) || bare > n)
		return false;
	memcpy(copy, text, bare);
	return inet_pton(AF_INET6, copy, &address) == 1;
}

int config_split_address(const char *address, char host[static CONFIG_ADDRESS_MAX], uint16_t *port,
			 const char **reason)
{
	bool has_bracket = address[0] == '[';
	const char *start = address + has_bracket;
	size_t n = strcspn(start, has_bracket ? "]" : ":");
	const char *colon = start + n;

	if (has_bracket && *colon)
		colon++;
	if (has_bracket && !is_ipv6(start, n))
		return refuse(reason, "no IPv6 address in the brackets; write [IPV6]:PORT");
	if (!has_bracket && strchr(address, ':') != strrchr(address, ':'))
		return refuse(reason, "several colons; write an IPv6 address as [IPV6]:PORT");
	if (!n || n >= CONFIG_ADDRESS_MAX || strcspn(start, " /\t") < n)
		return refuse(reason, "no host; write HOST:PORT");
	if (*colon != ':')
		return refuse(reason, "no port; write HOST:PORT");
	if (parse_port(colon + 1, port, reason))
		return -EINVAL;
	memcpy(host, start, n);
	host[n] = '\0';
	return 0;
}

static size_t check_interfaces(const struct config *cfg)
{
	size_t n_errors = 0;

	for (size_t i = 0; i < cfg->n_interfaces; i++) {
		const struct interface_config *a = &cfg->interfaces[i];

		if (!strcmp(a->name, ".") || !strcmp(a->name, "..") || strpbrk(a->name, "/: \t")) {
			config_complain("interfaces[%zu].name: %s is no name an interface can have",
					i, a->name);
			n_errors++;
		}
		if (a->ingress == INGRESS_OFF && a->egress == EGRESS_OFF) {
			config_complain(
				"interfaces[%zu]: %s is metered neither on ingress nor on egress; "
				"set one of them or remove it",
				i, a->name);
			n_errors++;
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(a->name, cfg->interfaces[k].name) != 0)
				continue;
			config_complain(
				"interfaces[%zu]: %s is there twice; name it once, with both "
				"ingress and egress",
				i, a->name);
			n_errors++;
			break;
		}
	}
	return n_errors;
}

uint32_t config_layout(const struct exporter_config *e)
{
	uint32_t groups = e->fields | GROUP_BASE;

	if (e->protocol != EXPORT_IPFIX)
		return groups;
	groups |= e->biflow == BIFLOW_RFC5103 ? GROUP_BIFLOW : 0;
	return groups | (e->precision == PRECISION_FULL ? GROUP_PRECISE : 0);
}

/* Octets of the IP packet, at most, that the longest Template of an exporter takes, if of IPFIX. */
static size_t templates_mtu(const struct exporter_config *e)
{
	uint32_t groups = config_layout(e);
	size_t most = e->events ? event_template_octets() : 0;

	for (int i = 0; i < template_layouts(groups); i++) {
		size_t octets = template_octets(layout_kind(i), layout_groups(i, groups));

		most = octets > most ? octets : most;
	}
	return most + MESSAGE_DATA_OFFSET + UDP_HEADERS;
}

static size_t check_mtu(const struct exporter_config *e, size_t i)
{
	size_t least = templates_mtu(e);

	if (e->protocol != EXPORT_IPFIX || e->transport != TRANSPORT_UDP || !e->mtu ||
	    e->mtu >= least)
		return 0;
	config_complain(
		"exporters[%zu].mtu: the Templates of these fields take %zu octets; make it "
		"larger, or take fewer fields%s",
		i, least, e->events ? " or no events" : "");
	return 1;
}

const struct group_config *config_group(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_groups; i++)
		if (!strcmp(cfg->groups[i].name, name))
			return &cfg->groups[i];
	return NULL;
}

/* Encoded Messages pass from one to the other, so that nothing queued is lost. */
static size_t check_failover(const struct config *cfg, size_t i)
{
	const struct exporter_config *a = &cfg->exporters[i];

	for (size_t k = 0; k < i; k++) {
		const struct exporter_config *b = &cfg->exporters[k];

		if (strcmp(a->group, b->group) != 0)
			continue;
		if (a->protocol != b->protocol) {
			config_complain(
				"exporters[%zu].protocol: not that of exporters[%zu], but one "
				"takes over what the other has encoded (failover); set the same "
				"for both",
				i, k);
			return 1;
		}
		if (config_layout(a) == config_layout(b) && a->events == b->events)
			continue;
		config_complain(
			"exporters[%zu]: differs from exporters[%zu] in fields, biflow, "
			"precision or events, but one takes over what the other has encoded "
			"(failover); make them equal",
			i, k);
		return 1;
	}
	return 0;
}

static size_t check_group(const struct config *cfg, size_t i)
{
	const char *name = cfg->exporters[i].group;
	const struct group_config *group = config_group(cfg, name);

	if (group)
		return group->mode == MODE_FAILOVER ? check_failover(cfg, i) : 0;
	if (!strcmp(name, MAIN_GROUP))
		return 0;
	config_complain("exporters[%zu].group: there is no group %s; add it to groups", i, name);
	return 1;
}

static size_t check_storage(const struct exporter_config *e, size_t i)
{
	bool is_file = e->transport == TRANSPORT_FILE;

	if (is_file && *e->spool_path) {
		config_complain(
			"exporters[%zu].spool: a file is never away; use a spool with udp or tcp",
			i);
		return 1;
	}
	if (!is_file && (e->rotate_mib || e->rotate_s || e->compress)) {
		config_complain("exporters[%zu].file: only of transport file", i);
		return 1;
	}
	return 0;
}

static size_t check_exporters(const struct config *cfg)
{
	size_t n_errors = 0;

	for (size_t i = 0; i < cfg->n_exporters; i++) {
		const struct exporter_config *a = &cfg->exporters[i];
		char host[CONFIG_ADDRESS_MAX];
		const char *reason;
		uint16_t port;

		if (a->transport != TRANSPORT_FILE &&
		    config_split_address(a->address, host, &port, &reason)) {
			config_complain("exporters[%zu].address: %s: %s", i, a->address, reason);
			n_errors++;
		}
		profile_check_fields(a, i);
		n_errors += check_mtu(a, i) + config_check_protocol(cfg, i) + check_group(cfg, i) +
			    check_storage(a, i);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(a->name, cfg->exporters[k].name) != 0)
				continue;
			config_complain(
				"exporters[%zu].name: %s is the name of exporters[%zu] too; "
				"give each its own",
				i, a->name, k);
			n_errors++;
			break;
		}
	}
	return n_errors;
}

static size_t check_source(const struct config *cfg)
{
	if (cfg->n_interfaces && *cfg->read_path) {
		log_error("both an interface and a file to read are given; use either -i or -r");
		return 1;
	}
	if (!cfg->n_interfaces && !*cfg->read_path) {
		log_error("nothing to observe; give -i NAME, -r FILE, or -c FILE with interfaces");
		return 1;
	}
	return 0;
}

static size_t check_timeouts(const struct flow_cache_config *cache)
{
	size_t n_errors = 0;

	if (cache->sweep_interval_s > cache->idle_timeout_s) {
		config_complain(
			"flow_cache.sweep_interval_s: longer than idle_timeout_s; make it shorter");
		n_errors++;
	}
	if (cache->sweep_interval_s > cache->active_timeout_s) {
		config_complain(
			"flow_cache.sweep_interval_s: longer than active_timeout_s; make it "
			"shorter");
		n_errors++;
	}
	return n_errors;
}

uint32_t fields_in_use(const struct config *cfg)
{
	uint32_t groups = GROUP_BASE | cfg->output_fields;

	for (size_t i = 0; i < cfg->n_exporters; i++)
		groups |= cfg->exporters[i].fields;
	return groups;
}

bool biflow_in_use(const struct config *cfg)
{
	bool is_used = cfg->output == OUTPUT_JSON && cfg->output_biflow == BIFLOW_RFC5103;

	for (size_t i = 0; i < cfg->n_exporters; i++)
		is_used |= cfg->exporters[i].biflow == BIFLOW_RFC5103;
	return is_used;
}

/* True when some exporter sends elements that are under the enterprise number. */
static bool exports_own_elements(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_exporters; i++)
		for (int k = 0; k < N_IES; k++)
			if (cfg->exporters[i].protocol == EXPORT_IPFIX &&
			    (cfg->exporters[i].events ||
			     (ie_table[k].owner == IE_OWNER_OWN &&
			      cfg->exporters[i].fields >> ie_table[k].group & 1)))
				return true;
	return false;
}

/* A profile that takes them does not say that there are any. */
static void check_events(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_exporters; i++)
		if (cfg->exporters[i].events && !cfg->anomaly.enabled &&
		    cfg->exporters[i].profile != PROFILE_FULL)
			log_warning(
				"exporters[%zu].events: nobody looks for anomalies, so there are "
				"none; set anomaly.enabled: true, or give --detect-anomalies",
				i);
}

static size_t check_enterprise_number(const struct config *cfg)
{
	uint32_t number = cfg->enterprise_number;
	uint32_t low = number & 0xffff;

	if (number == 0 || number == REVERSE_PEN) {
		config_complain(
			"enterprise_number: %u is taken (0: IANA, 29305: RFC 5103); use your own",
			number);
		return 1;
	}
	if (!exports_own_elements(cfg))
		return 0;
	if (low == 0 || low == CERT_PEN || low == REVERSE_PEN)
		log_warning("enterprise_number: nfcapd looks at the low 16 bits of %u only, and "
			    "takes its elements for those of %u",
			    number, low);
	else if (number == DOCUMENTATION_PEN)
		log_warning("enterprise_number: 32473 is for documentation (RFC 5612), and another "
			    "exporter may use it too; set your own");
	return 0;
}

int config_check(const struct config *cfg)
{
	size_t n_errors = check_source(cfg) + check_interfaces(cfg) + check_exporters(cfg) +
			  check_timeouts(&cfg->flow_cache);

	n_errors += check_enterprise_number(cfg);
	check_events(cfg);
	return n_errors ? -EINVAL : 0;
}

/* The lines `section:` that `path` needs and the key before it had not. */
static int print_sections(FILE *out, const char *path, const char *previous, int indent)
{
	int depth = 0;
	const char *name = path, *dot;

	for (; (dot = strchr(name, '.')); name = dot + 1, depth++)
		if (strncmp(path, previous, dot + 1 - path) != 0)
			fprintf(out, "%*s%.*s:\n", 2 * (indent + depth), "", (int)(dot - name),
				name);
	return depth;
}

static void print_item(FILE *out, const struct config_list *list, const char *item, int indent)
{
	char value[CONFIG_VALUE_TEXT_MAX];
	const char *previous = "";
	const char *lead = list->name_size ? "    " : "  - ";

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (config_list_of(key) != list)
			continue;
		const char *name = config_key_name(key);
		int depth = print_sections(out, name, previous, 2 + indent);

		config_key_format(key, item, value);
		fprintf(out, "%*s%s%*s%s: %s\n", 2 * indent, "", lead, 2 * depth, "",
			depth ? strrchr(name, '.') + 1 : name, value);
		lead = "    ";
		previous = name;
	}
}

/* Those that the group has of its own. */
static void print_thresholds(FILE *out, const struct network_group *group)
{
	char value[CONFIG_VALUE_TEXT_MAX];
	const char *previous = "";

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const char *name;
		int depth;

		if (!config_group_threshold(group, key))
			continue;
		name = key->path + strlen(CONFIG_THRESHOLDS_AT);
		depth = print_sections(out, name, previous, 3);
		config_key_format(key, config_group_base_const(group), value);
		fprintf(out, "      %*s%s: %s\n", 2 * depth, "", strrchr(name, '.') + 1, value);
		previous = name;
	}
}

static void print_list(FILE *out, const struct config_list *list, const struct config *cfg)
{
	const char *base = (const char *)cfg;
	size_t count = *(const size_t *)(base + list->count_offset);
	const char *section = strchr(list->path, '.'); /* that of the key before it, too */
	int indent = section ? 1 : 0;

	fprintf(out, "%*s%s:%s\n", 2 * indent, "", section ? section + 1 : list->path,
		count		  ? ""
		: list->name_size ? " {}"
				  : " []");
	for (size_t i = 0; i < count; i++) {
		const char *item = base + list->offset + i * list->item_size;

		if (list->name_size)
			fprintf(out, "%*s  %s:\n", 2 * indent, "", item);
		print_item(out, list, item, indent);
		if (item >= (const char *)cfg->anomaly.groups)
			print_thresholds(out, (const struct network_group *)item);
	}
}

int config_print(const struct config *cfg, FILE *out)
{
	char value[CONFIG_VALUE_TEXT_MAX];
	const struct config_list *printed = NULL;
	const char *previous = "";

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const struct config_list *list = config_list_of(key);

		if (list && list != printed)
			print_list(out, list, cfg);
		printed = list;
		if (!list) {
			int depth = print_sections(out, key->path, previous, 0);

			config_key_format(key, cfg, value);
			fprintf(out, "%*s%s: %s\n", 2 * depth, "",
				depth ? strrchr(key->path, '.') + 1 : key->path, value);
		}
		previous = key->path;
	}
	return fflush(out) || ferror(out) ? -EIO : 0;
}
