/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables: rows of flows, hosts and ports with a heading, the ledger as one
 * account per row, and everything else as names and values.
 */
#include "probe/xflowctl_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probe/protocol.h"

#define NAME_WIDTH 24

static json_int_t number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void print_heading(struct table *table, const char *heading, FILE *out)
{
	if (table->heading == heading)
		return;
	table->heading = heading;
	fprintf(out, "%s\n", heading);
}

/* A count with a decimal unit, three digits and more: "999", "1.23 k", "45.6 M". */
static const char *format_count(char *text, size_t size, json_int_t count)
{
	static const char units[] = " kMGTPE";
	double value = (double)count;
	size_t unit = 0;

	for (; value >= 999.5 && unit < sizeof(units) - 2; unit++)
		value /= 1000;
	if (!unit)
		snprintf(text, size, "%lld  ", (long long)count);
	else
		snprintf(text, size, "%.*f %c", value < 9.995 ? 2 : value < 99.95, value,
			 units[unit]);
	return text;
}

static void print_volume(const json_t *row, FILE *out)
{
	char packets[32], octets[32];

	fprintf(out, " %9s %9s",
		format_count(packets, sizeof(packets), number_at(row, "packetDeltaCount")),
		format_count(octets, sizeof(octets), number_at(row, "octetDeltaCount")));
}

static const char *format_protocol(char *text, size_t size, const json_t *row)
{
	json_int_t number = number_at(row, "protocolIdentifier");
	const char *name = protocol_name((uint8_t)number);

	if (name)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%lld", (long long)number);
	return text;
}

/* "192.0.2.1:53" or "[2001:db8::1]:53"; without a port where the record has none. */
static void format_end(char *text, size_t size, const json_t *row, bool is_source)
{
	const char *v4 = text_at(row, is_source ? "sourceIPv4Address" : "destinationIPv4Address");
	const char *v6 = text_at(row, is_source ? "sourceIPv6Address" : "destinationIPv6Address");
	long long port =
		number_at(row, is_source ? "sourceTransportPort" : "destinationTransportPort");

	if (!port)
		snprintf(text, size, "%s%s", v4, v6);
	else if (*v4)
		snprintf(text, size, "%s:%lld", v4, port);
	else
		snprintf(text, size, "[%s]:%lld", v6, port);
}

static void print_flow(struct table *table, const json_t *row, FILE *out)
{
	char protocol[16], source[64], destination[64];

	print_heading(table,
		      "START                     PROTO   SOURCE                  "
		      "DESTINATION               PACKETS    OCTETS  STATE",
		      out);
	format_end(source, sizeof(source), row, true);
	format_end(destination, sizeof(destination), row, false);
	fprintf(out, "%-25s %-7s %-23s %-23s", text_at(row, "flowStartMilliseconds"),
		format_protocol(protocol, sizeof(protocol), row), source, destination);
	print_volume(row, out);
	if (json_object_get(row, "connectionState"))
		fprintf(out, "  %s", text_at(row, "connectionState"));
	fputc('\n', out);
}

static void print_host(struct table *table, const json_t *row, FILE *out)
{
	print_heading(table,
		      "ADDRESS                                     FLOWS   PACKETS    OCTETS", out);
	fprintf(out, "%-39s %9lld", text_at(row, "address"), (long long)number_at(row, "flows"));
	print_volume(row, out);
	fputc('\n', out);
}

static void print_port(struct table *table, const json_t *row, FILE *out)
{
	char protocol[16];

	print_heading(table, "PROTO    PORT     FLOWS   PACKETS    OCTETS", out);
	fprintf(out, "%-7s %5lld %9lld", format_protocol(protocol, sizeof(protocol), row),
		(long long)number_at(row, "destinationTransportPort"),
		(long long)number_at(row, "flows"));
	print_volume(row, out);
	fputc('\n', out);
}

/* One account: packets, octets, and what kind of octets or how many records. */
static void print_account(const json_t *ledger, const char *label, const char *name,
			  const char *remark, FILE *out)
{
	char packets[64], octets[64];

	snprintf(packets, sizeof(packets), "%s_packets", name);
	snprintf(octets, sizeof(octets), "%s_octets", name);
	fprintf(out, "%-*s %20lld %20lld  %s\n", NAME_WIDTH, label,
		(long long)number_at(ledger, packets), (long long)number_at(ledger, octets),
		remark);
}

static void print_reasons(const json_t *ledger, FILE *out)
{
	json_t *reasons = json_object_get(ledger, "reasons"), *packets;
	const json_t *octets = json_object_get(ledger, "reason_octets");
	const char *name;

	json_object_foreach(reasons, name, packets)
		fprintf(out, "  %-*s %20lld %20lld\n", NAME_WIDTH - 2, name,
			(long long)json_integer_value(packets), (long long)number_at(octets, name));
}

static void print_notices(const json_t *ledger, FILE *out)
{
	json_t *notices = json_object_get(ledger, "notices"), *packets;
	const char *name;

	if (notices)
		fprintf(out, "\n%-*s %20s\n", NAME_WIDTH, "NOTICE", "PACKETS");
	json_object_foreach(notices, name, packets) fprintf(out, "%-*s %20lld\n", NAME_WIDTH, name,
							    (long long)json_integer_value(packets));
}

static bool ends_with_records(const char *name, size_t *stem)
{
	static const char suffix[] = "_records";
	size_t n = strlen(name);

	if (n < sizeof(suffix) || strcmp(name + n - (sizeof(suffix) - 1), suffix) != 0)
		return false;
	*stem = n - (sizeof(suffix) - 1);
	return true;
}

/* Where an exporter's events went, if it had any. */
static void print_events(const json_t *exporter, FILE *out)
{
	long long all = (long long)number_at(exporter, "accepted_events") +
			(long long)number_at(exporter, "recovered_events");
	long long sent = (long long)number_at(exporter, "sent_events");
	long long queued = (long long)number_at(exporter, "queued_events");
	long long spooled = (long long)number_at(exporter, "spooled_events");
	long long moved = (long long)number_at(exporter, "moved_events");

	if (all)
		fprintf(out,
			"  %lld events: %lld sent, %lld queued, %lld spooled, %lld moved, %lld not "
			"sent\n",
			all, sent, queued, spooled, moved, all - sent - queued - spooled - moved);
}

/* Each counter X_records of an exporter stands beside X_packets and X_octets. */
static void print_exporter(json_t *exporter, FILE *out)
{
	char title[128];
	const char *name;
	json_t *value;
	size_t stem;

	snprintf(title, sizeof(title), "%s%s", text_at(exporter, "name"),
		 json_is_true(json_object_get(exporter, "removed")) ? " (removed)" : "");
	fprintf(out, "\n%-*s %20s %20s  RECORDS\n", NAME_WIDTH, title, "PACKETS", "OCTETS");
	json_object_foreach(exporter, name, value)
	{
		char label[64], account[48], records[32];

		if (!ends_with_records(name, &stem))
			continue;
		snprintf(account, sizeof(account), "%.*s", (int)stem, name);
		snprintf(label, sizeof(label), "  %s", account);
		snprintf(records, sizeof(records), "%lld", (long long)json_integer_value(value));
		print_account(exporter, label, account, records, out);
	}
	fprintf(out,
		"  %lld IPFIX Messages of %lld octets, %lld Templates sent, %lld send errors\n",
		(long long)number_at(exporter, "messages"),
		(long long)number_at(exporter, "message_octets"),
		(long long)number_at(exporter, "templates_sent"),
		(long long)number_at(exporter, "send_errors"));
	print_events(exporter, out);
}

static void print_ledger(const json_t *ledger, FILE *out)
{
	const json_t *exporters = json_object_get(ledger, "exporters");
	char records[64], flows[64];

	snprintf(records, sizeof(records), "%lld Flow Records",
		 (long long)number_at(ledger, "exported_flows"));
	snprintf(flows, sizeof(flows), "%lld Flows",
		 (long long)number_at(ledger, "in_cache_flows"));
	fprintf(out, "%-*s %20s %20s\n", NAME_WIDTH, "ACCOUNT", "PACKETS", "OCTETS");
	print_account(ledger, "seen", "seen", "of frames", out);
	print_reasons(ledger, out);
	print_account(ledger, "accounted", "accounted", "of frames", out);
	fprintf(out, "%-*s %20lld %20lld  of IP\n", NAME_WIDTH, "",
		(long long)number_at(ledger, "accounted_packets"),
		(long long)number_at(ledger, "accounted_ip_octets"));
	print_account(ledger, "  exported", "exported", records, out);
	print_account(ledger, "  in the Flow Cache", "in_cache", flows, out);
	print_account(ledger, "  overflow", "overflow", "Flow Cache full", out);
	print_notices(ledger, out);
	for (size_t i = 0; i < json_array_size(exporters); i++)
		print_exporter(json_array_get(exporters, i), out);
	fprintf(out, "\nbalanced: %s\n",
		json_is_true(json_object_get(ledger, "balanced")) ? "yes" : "NO");
}

static void print_texts(const json_t *array, const char *name, int indent, FILE *out)
{
	fprintf(out, "%*s%-*s", indent - 2, "", NAME_WIDTH - indent + 2, name);
	for (size_t i = 0; i < json_array_size(array); i++)
		fprintf(out, " %s", json_string_value(json_array_get(array, i)));
	fputc('\n', out);
}

/*
 * Any object as names and values, deeper ones indented; arrays one member after another,
 * of texts in one line.
 */
static void print_members(json_t *value, const char *name, int indent, FILE *out)
{
	const char *key;
	json_t *member;
	char *text;

	if (json_is_object(value)) {
		if (*name)
			fprintf(out, "%*s%s\n", indent - 2, "", name);
		json_object_foreach(value, key, member) print_members(member, key, indent + 2, out);
		return;
	}
	if (json_is_array(value) && json_is_string(json_array_get(value, 0))) {
		print_texts(value, name, indent, out);
		return;
	}
	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			print_members(json_array_get(value, i), name, indent, out);
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	fprintf(out, "%*s%-*s %s\n", indent - 2, "", NAME_WIDTH - indent + 2, name,
		json_is_string(value) ? json_string_value(value)
		: text		      ? text
				      : "");
	free(text);
}

static void print_event(struct table *table, const json_t *e, FILE *out)
{
	static const char heading[] =
		"  EVENT ID             STATE    CLASS               BY             "
		"SEV CONF SINCE                     REASON";

	print_heading(table, heading, out);
	fprintf(out, "%-22lld %-8s %-19s %-13s %4lld %4lld %-24s  %s%s\n",
		(long long)number_at(e, "eventId"), text_at(e, "state"), text_at(e, "class"),
		text_at(e, "subclass"), (long long)number_at(e, "severity"),
		(long long)number_at(e, "confidence"), text_at(e, "flowStartMilliseconds"),
		json_is_true(json_object_get(e, "dryRun")) ? "(dry run) " : "",
		text_at(e, "reason"));
}

static void print_protocol(struct table *table, const json_t *p, FILE *out)
{
	char protocol[16];

	print_heading(table,
		      "PROTOCOL  SWITCH              PACKETS            IP OCTETS   "
		      "OVERFLOW PACKETS      PACKETS OFF",
		      out);
	fprintf(out, "%-9s %-6s %20lld %20lld %18lld %16lld\n",
		format_protocol(protocol, sizeof(protocol), p), text_at(p, "switch"),
		(long long)number_at(p, "packets"), (long long)number_at(p, "octets"),
		(long long)number_at(p, "overflow_packets"),
		(long long)number_at(p, "off_packets"));
}

void table_print(struct table *table, json_t *line, FILE *out)
{
	const char *type = text_at(line, "type");

	if (!strcmp(type, "flow"))
		print_flow(table, line, out);
	else if (!strcmp(type, "top-host"))
		print_host(table, line, out);
	else if (!strcmp(type, "top-port"))
		print_port(table, line, out);
	else if (!strcmp(type, "event"))
		print_event(table, line, out);
	else if (!strcmp(type, "protocol"))
		print_protocol(table, line, out);
	else if (!strcmp(type, "ledger"))
		print_ledger(line, out);
	else
		print_members(line, "", 0, out);
}
