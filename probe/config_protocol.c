/* SPDX-License-Identifier: BSD-2-Clause */
/* What of an exporter's configuration its export protocol can do. */
#include "probe/config_complain.h"
#include "probe/config_schema.h"
#include "probe/exporter_netflow9.h"
#include "probe/exporter_protocol.h"
#include "probe/log.h"
#include "probe/record.h"

/* The groups that no record of this protocol has anything of. */
static uint32_t groups_without_elements(const struct exporter_config *e)
{
	uint32_t groups = e->fields & ~(uint32_t)GROUP_BASE;

	for (int group = 0; group < N_GROUPS; group++)
		if (e->protocol == EXPORT_NETFLOW9 && netflow9_has_group(group))
			groups &= ~(1u << group);
	return groups;
}

static size_t check_fields(const struct exporter_config *e, size_t i, const char *protocol)
{
	struct exporter_config without = {.fields = groups_without_elements(e)};
	char words[CONFIG_VALUE_TEXT_MAX];

	if (!without.fields)
		return 0;
	config_key_format(config_key_find("exporters[].fields"), &without, words);
	config_complain("exporters[%zu].fields: %s has no elements of %s; leave them out, or set "
			"protocol: ipfix",
			i, protocol, words);
	return 1;
}

size_t config_check_protocol(const struct config *cfg, size_t i)
{
	const struct exporter_config *e = &cfg->exporters[i];
	const struct exporter_protocol *p = exporter_protocol_of(e->protocol);
	const char *protocol = p->name;
	size_t n_errors = 0;

	if (e->protocol == EXPORT_IPFIX)
		return 0;
	if (e->transport != TRANSPORT_UDP) {
		config_complain(
			"exporters[%zu].transport: %s travels over UDP only; set transport: udp, "
			"or protocol: ipfix",
			i, protocol);
		n_errors++;
	}
	if (e->biflow == BIFLOW_RFC5103) {
		config_complain(
			"exporters[%zu].biflow: %s has no record of both directions; set biflow: "
			"split, or protocol: ipfix",
			i, protocol);
		n_errors++;
	}
	if (e->precision == PRECISION_FULL) {
		config_complain(
			"exporters[%zu].precision: %s has milliseconds and eight TCP flags; set "
			"precision: plain, or protocol: ipfix",
			i, protocol);
		n_errors++;
	}
	if (*e->spool_path) {
		config_complain(
			"exporters[%zu].spool: holds IPFIX only, not %s; leave it out, or set "
			"protocol: ipfix",
			i, protocol);
		n_errors++;
	}
	if (e->events && !p->has_events) {
		config_complain(
			"exporters[%zu].events: %s has no elements for them; leave it out, or set "
			"protocol: ipfix",
			i, protocol);
		n_errors++;
	}
	if (e->options == EXPORTER_OPTIONS_ALL && !p->encode_options) {
		config_complain("exporters[%zu].options: no options records are sent over %s; set "
				"options: auto, or protocol: ipfix",
				i, protocol);
		n_errors++;
	}
	if (e->protocol == EXPORT_NETFLOW5 && cfg->observation_domain_id > UINT16_MAX)
		log_warning("observation_domain_id: engine type and id of %s have room for the low "
			    "16 bits of %u only",
			    protocol, cfg->observation_domain_id);
	return n_errors + check_fields(e, i, protocol);
}
