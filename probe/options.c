/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the command line. A row of the table either has a handler or names the
 * key its value is for.
 */
#include "probe/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "probe/config_schema.h"
#include "probe/log.h"
#include "probe/profile.h"

#define FIRST_LONG_ONLY 256 /* getopt's code of row i is i + this */
#define HELP_COLUMN	34

typedef int (*option_fn)(struct options *opt, const char *value);

struct row {
	const char *name;
	char letter; /* 0 = none                               */
	const char *argument; /* NULL = takes none                      */
	const char *help;
	const char *key; /* the key its value is for               */
	option_fn handle; /* what to do instead                     */
};

/* What only the command line can say; offsets are in struct config. */
static const struct config_key own_keys[] = {
	{"read", CONFIG_STRING, offsetof(struct config, read_path), CONFIG_PATH_MAX, CONFIG_RESTART,
	 NULL, 1, CONFIG_PATH_MAX - 1, NULL, NULL, NULL},
	{"output", CONFIG_ENUM, offsetof(struct config, output), sizeof(int), CONFIG_RESTART, NULL,
	 0, 0, "json | table | none", NULL, NULL},
	{"profile", CONFIG_ENUM, offsetof(struct config, collector_profile), sizeof(int),
	 CONFIG_RESTART, NULL, 0, 0, "nfcapd | silk | elastiflow | pmacct | full", NULL, NULL},
	{"duration", CONFIG_SECONDS, offsetof(struct config, duration_s), sizeof(double),
	 CONFIG_RESTART, NULL, 0.1, 366 * 86400., NULL, NULL, NULL},
};

static int handle_config(struct options *opt, const char *value)
{
	opt->config_path = value;
	return 0;
}

static int handle_check(struct options *opt, const char *value)
{
	(void)value;
	opt->is_check_only = true;
	return 0;
}

static int handle_anomalies(struct options *opt, const char *value)
{
	(void)value;
	opt->detects_anomalies = true;
	return 0;
}

static int handle_verbose(struct options *opt, const char *value)
{
	(void)value;
	opt->verbose++;
	return 0;
}

static int handle_help(struct options *opt, const char *value)
{
	(void)value;
	opt->wants_help = true;
	return 0;
}

static int handle_version(struct options *opt, const char *value)
{
	(void)value;
	opt->wants_version = true;
	return 0;
}

static int __attribute__((format(printf, 1, 2))) usage_error(const char *fmt, ...)
{
	char message[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	log_error("%s", message);
	return -EINVAL;
}

/* Keep `text` as the value of the key `path` in an item of interfaces or exporters. */
static int set_in_item(const char *path, void *item, const char *text)
{
	const struct config_key *key = config_key_find(path);
	char allowed[CONFIG_VALUE_TEXT_MAX];
	const char *reason;

	if (!config_key_set(key, item, text, false, &reason))
		return 0;
	config_key_allowed(key, allowed);
	return usage_error("%s: %s (allowed: %s)", text, reason, allowed);
}

/* NAME or NAME:egress */
static int handle_interface(struct options *opt, const char *value)
{
	char name[CONFIG_NAME_MAX] = "";
	struct interface_config interface = {};
	size_t n = strcspn(value, ":");

	if (opt->n_interfaces == CONFIG_MAX_INTERFACES)
		return usage_error("more than %d interfaces; start a second probe for the rest",
				   CONFIG_MAX_INTERFACES);
	if (value[n] && strcmp(value + n, ":egress") != 0)
		return usage_error("-i %s: only :egress may follow a name", value);
	config_set_defaults(config_list_of(config_key_find("interfaces[].name")), &interface);
	if (value[n])
		interface.egress = EGRESS_TC;
	memcpy(name, value, n < sizeof(name) ? n : sizeof(name) - 1);
	if (set_in_item("interfaces[].name", &interface, name))
		return -EINVAL;
	opt->interfaces[opt->n_interfaces++] = interface;
	return 0;
}

/* True for sctp:, tls: or dtls: before an address, which are refused with the way round. */
static bool is_later_transport(struct exporter_config *exporter, const char *value)
{
	char word[CONFIG_NAME_MAX] = "";
	size_t n = strcspn(value, ":");

	if (value[n] != ':' || !strchr(value + n + 1, ':') || n >= sizeof(word))
		return false;
	memcpy(word, value, n);
	return config_key_is_later(config_key_find("exporters[].transport"), word) &&
	       set_in_item("exporters[].transport", exporter, word);
}

/* HOST:PORT, [V6]:PORT, both also behind udp:, tcp: or a version of NetFlow, or file:PATH */
static int handle_collector(struct options *opt, const char *value)
{
	static const struct {
		const char *text;
		int transport;
		int protocol;
	} prefixes[] = {
		{"udp:", TRANSPORT_UDP, EXPORT_IPFIX},
		{"tcp:", TRANSPORT_TCP, EXPORT_IPFIX},
		{"file:", TRANSPORT_FILE, EXPORT_IPFIX},
		{"netflow9:", TRANSPORT_UDP, EXPORT_NETFLOW9},
		{"netflow5:", TRANSPORT_UDP, EXPORT_NETFLOW5},
	};
	struct exporter_config exporter = {};
	char host[CONFIG_ADDRESS_MAX];
	const char *address = value, *reason;
	uint16_t port;

	if (opt->n_exporters == CONFIG_MAX_EXPORTERS)
		return usage_error("more than %d collectors; start a second probe for the rest",
				   CONFIG_MAX_EXPORTERS);
	config_set_defaults(config_list_of(config_key_find("exporters[].name")), &exporter);
	for (int i = 0; i < (int)(sizeof(prefixes) / sizeof(prefixes[0])); i++) {
		if (strncmp(value, prefixes[i].text, strlen(prefixes[i].text)) != 0)
			continue;
		exporter.transport = prefixes[i].transport;
		exporter.protocol = prefixes[i].protocol;
		address = value + strlen(prefixes[i].text);
	}
	if (is_later_transport(&exporter, value))
		return -EINVAL;
	if (set_in_item("exporters[].address", &exporter, address))
		return -EINVAL;
	if (exporter.transport != TRANSPORT_FILE &&
	    config_split_address(address, host, &port, &reason))
		return usage_error("--collector %s: %s", value, reason);
	opt->exporters[opt->n_exporters++] = exporter;
	return 0;
}

/* clang-format off */
static const struct row rows[] = {
	{"config", 'c', "FILE", "read the configuration from a YAML file", NULL, handle_config},
	{"interface", 'i', "NAME[:egress]", "meter an interface; repeatable", NULL, handle_interface},
	{"read", 'r', "FILE", "meter a capture file instead, - for standard input", "read", NULL},
	{"collector", 0, "[udp:|tcp:|netflow9:|netflow5:]HOST:PORT|file:PATH",
	 "export to a collector, IPFIX unless NetFlow is named; repeatable", NULL, handle_collector},
	{"profile", 0, "nfcapd|silk|elastiflow|pmacct|full",
	 "what that Collector needs, for --collector", "profile", NULL},
	{"output", 'o', "json|table|none",
	 "print Flow Records; json if there is no collector, else none", "output", NULL},
	{"check", 'n', NULL, "check the configuration, print it and exit", NULL, handle_check},
	{"detect-anomalies", 0, NULL, "look for anomalies, print events", NULL, handle_anomalies},
	{"duration", 0, "SECONDS", "stop after that time", "duration", NULL},
	{"active-timeout", 0, "SECONDS", "report a lasting Flow that often",
	 "flow_cache.active_timeout_s", NULL},
	{"idle-timeout", 0, "SECONDS", "end a Flow after that time without a packet",
	 "flow_cache.idle_timeout_s", NULL},
	{"max-flows", 0, "N", "room for that many IPv4 Flows", "flow_cache.max_flows", NULL},
	{"fields", 0, "GROUP[,GROUP]...", "groups of elements in JSON and for --collector",
	 "output_fields", NULL},
	{"biflow", 0, "split|rfc5103", "a record for each direction, or one for both",
	 "output_biflow", NULL},
	{"sampling", 0, "0", "copy no packets out", "selection.sampling.rate", NULL},
	{"verbose", 'v', NULL, "say more; twice: messages of the BPF loader too", NULL, handle_verbose},
	{"version", 0, NULL, "print the version and exit", NULL, handle_version},
	{"help", 'h', NULL, "print this and exit", NULL, handle_help},
};
/* clang-format on */

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(N_ROWS <= OPTIONS_MAX, "struct options has a value for each row");

const char *options_name(size_t i)
{
	return i < N_ROWS ? rows[i].name : NULL;
}

static const struct config_key *key_of(const struct row *row)
{
	for (size_t i = 0; i < sizeof(own_keys) / sizeof(own_keys[0]); i++)
		if (!strcmp(own_keys[i].path, row->key))
			return &own_keys[i];
	return config_key_find(row->key);
}

static int set_value(const struct config_key *key, struct config *cfg, const char *value,
		     const char **reason)
{
	if (key->type == CONFIG_WORDS)
		return config_key_set_words(key, cfg, value, reason);
	return config_key_set(key, cfg, value, key->type != CONFIG_STRING, reason);
}

/* Check the value of a key against a configuration nobody uses. */
static int take_value(struct options *opt, const struct row *row, const char *value)
{
	const struct config_key *key = key_of(row);
	char allowed[CONFIG_VALUE_TEXT_MAX];
	struct config scratch;
	const char *reason;

	if (set_value(key, &scratch, value, &reason)) {
		config_key_allowed(key, allowed);
		return usage_error("--%s %s: %s (allowed: %s)", row->name, value, reason, allowed);
	}
	opt->values[row - rows] = value;
	return 0;
}

static const struct row *find_row(int code)
{
	if (code >= FIRST_LONG_ONLY)
		return &rows[code - FIRST_LONG_ONLY];
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].letter && rows[i].letter == code)
			return &rows[i];
	return NULL;
}

static void fill_getopt(struct option longs[static N_ROWS + 1], char *shorts)
{
	*shorts++ = ':'; /* a missing argument is told apart from an unknown option */
	for (size_t i = 0; i < N_ROWS; i++) {
		longs[i] = (struct option){rows[i].name,
					   rows[i].argument ? required_argument : no_argument, NULL,
					   FIRST_LONG_ONLY + i};
		if (!rows[i].letter)
			continue;
		*shorts++ = rows[i].letter;
		if (rows[i].argument)
			*shorts++ = ':';
	}
	*shorts = '\0';
	longs[N_ROWS] = (struct option){};
}

static int take_option(struct options *opt, int code, char **argv)
{
	const struct row *row = find_row(code == ':' ? optopt : code);
	const char *given = argv[optind - 1];

	if (code == ':' && row)
		return usage_error("--%s has no value; write --%s %s", row->name, row->name,
				   row->argument);
	if (!row && optopt > 0 && optopt < FIRST_LONG_ONLY)
		return usage_error("-%c is no option; see --help", optopt);
	if (!row)
		return usage_error("%s is no option, or lacks or has a value too many; see --help",
				   given);
	return row->handle ? row->handle(opt, optarg) : take_value(opt, row, optarg);
}

int options_parse(struct options *opt, int argc, char **argv)
{
	struct option longs[N_ROWS + 1];
	char shorts[2 * N_ROWS + 2];
	int code, err = 0;

	*opt = (struct options){};
	fill_getopt(longs, shorts);
	optind = 0; /* glibc: start over, also in a second call */
	opterr = 0;
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
		if (take_option(opt, code, argv))
			err = -EINVAL;
	for (; optind < argc; optind++)
		err = usage_error("%s: not an option; interfaces are given as -i NAME, files as "
				  "-r FILE",
				  argv[optind]);
	return err;
}

static void name_exporters(struct config *cfg)
{
	static const char *const words[] = {
		[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_FILE] = "file"};

	for (size_t i = 0; i < cfg->n_exporters; i++) {
		struct exporter_config *e = &cfg->exporters[i];

		if (!*e->name)
			snprintf(e->name, sizeof(e->name), "%s:%s", words[e->transport],
				 e->address);
	}
}

/*
 * Room for Flows where it is left to us. A file fills no table of the kernel's,
 * and its own grows with its Flows only: none need leave early for want of room.
 */
static void size_cache(struct flow_cache_config *cache, bool is_file)
{
	if (!cache->max_flows)
		cache->max_flows = is_file ? CONFIG_FILE_MAX_FLOWS : CONFIG_MAX_FLOWS;
	if (!cache->max_flows_ipv6)
		cache->max_flows_ipv6 =
			is_file ? CONFIG_FILE_MAX_FLOWS_IPV6 : CONFIG_MAX_FLOWS_IPV6;
}

static bool is_given(const struct options *opt, const char *key)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (opt->values[i] && !strcmp(rows[i].key, key))
			return true;
	return false;
}

void options_apply(struct config *cfg, const struct options *opt)
{
	const char *reason;

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct config_key *key = opt->values[i] ? key_of(&rows[i]) : NULL;

		if (key)
			set_value(key, cfg, opt->values[i], &reason);
	}
	if (opt->n_interfaces || *cfg->read_path) {
		memcpy(cfg->interfaces, opt->interfaces, sizeof(cfg->interfaces));
		cfg->n_interfaces = opt->n_interfaces;
	}
	if (opt->n_exporters) {
		memcpy(cfg->exporters, opt->exporters, sizeof(cfg->exporters));
		cfg->n_exporters = opt->n_exporters;
		for (size_t i = 0; i < cfg->n_exporters; i++) {
			if (is_given(opt, "profile")) {
				cfg->exporters[i].profile = cfg->collector_profile;
				profile_apply(&cfg->exporters[i], NULL);
			}
			if (is_given(opt, "output_fields"))
				cfg->exporters[i].fields = cfg->output_fields;
			if (is_given(opt, "output_biflow"))
				cfg->exporters[i].biflow = cfg->output_biflow;
		}
	}
	if (opt->detects_anomalies)
		cfg->anomaly.enabled = true;
	cfg->verbose = opt->verbose;
	if (cfg->verbose)
		cfg->log_level = LOG_DEBUG;
	size_cache(&cfg->flow_cache, *cfg->read_path);
	name_exporters(cfg);
	if (cfg->output == OUTPUT_DEFAULT)
		cfg->output = cfg->n_exporters ? OUTPUT_NONE : OUTPUT_JSON;
}

static void print_row(FILE *out, const struct row *row)
{
	int n = row->letter ? fprintf(out, "  -%c, ", row->letter) : fprintf(out, "      ");

	n += fprintf(out, "--%s%s%s", row->name, row->argument ? " " : "",
		     row->argument ? row->argument : "");
	if (n >= HELP_COLUMN) {
		fprintf(out, "\n");
		n = 0;
	}
	fprintf(out, "%*s%s\n", HELP_COLUMN - n, "", row->help);
}

void options_print_help(FILE *out)
{
	fprintf(out, "usage: xflow-probe -c FILE | -i NAME | -r FILE  [OPTION]...\n\n"
		     "Meters IP traffic and exports Flow Records as IPFIX, NetFlow or JSON.\n\n");
	for (size_t i = 0; i < N_ROWS; i++)
		print_row(out, &rows[i]);
	fprintf(out, "\nSee xflow-probe(8) and xflow.yaml(5).\n");
}
