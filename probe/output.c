/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffered writing of records to a descriptor. */
#include "probe/output.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/addr.h"
#include "probe/connection.h"
#include "probe/json.h"
#include "probe/log.h"
#include "probe/protocol.h"

#define BUFFER_OCTETS ((size_t)256 << 10)
#define LINE_OCTETS   JSON_FLOW_MAX_OCTETS
#define PEER_TEXT_MAX (ADDR_TEXT6_MAX + 9) /* [address]:port and NUL */

#define TABLE_HEADING "%-24s %12s %-9s %-44s %-44s %-8s %10s %12s %-*s state\n"
#define TABLE_ROW     "%-24s %8llu.%03llu %-9s %-44s %-44s %-8s %10llu %12llu %-*s%s%s\n"
#define REASON_COLUMN 9

int output_open(struct output_stream *o, int fd, int form, uint32_t groups)
{
	char *buffer = malloc(BUFFER_OCTETS);

	if (!buffer)
		return log_errno(-ENOMEM, "open output of Flow Records");
	*o = (struct output_stream){.fd = fd, .form = form, .groups = groups, .buffer = buffer};
	signal(SIGPIPE, SIG_IGN);
	if (form == OUTPUT_TABLE)
		o->used = (size_t)snprintf(buffer, LINE_OCTETS, TABLE_HEADING, "start",
					   "duration s", "proto", "source", "destination", "flags",
					   "packets", "octets", REASON_COLUMN, "reason");
	return 0;
}

/* Returns 0 or -errno; *done counts what was written either way. */
static int write_all(int fd, const char *data, size_t octets, size_t *done)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	for (*done = 0; *done < octets;) {
		ssize_t n = write(fd, data + *done, octets - *done);

		if (n >= 0)
			*done += (size_t)n;
		else if (errno == EAGAIN)
			poll(&p, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static uint64_t count_lines(const char *data, size_t octets)
{
	uint64_t n = 0;

	for (size_t i = 0; i < octets; i++)
		n += data[i] == '\n';
	return n;
}

static void note_failure(struct output_stream *o, int err)
{
	if (!o->is_bad)
		log_warning("write Flow Records to the output: %s; records lost there are counted",
			    strerror(-err));
	o->is_bad = true;
}

void output_flush(struct output_stream *o)
{
	size_t done;

	if (!o->buffer || !o->used)
		return;
	int err = write_all(o->fd, o->buffer, o->used, &done);
	uint64_t lost = 0;

	if (err) {
		/* Whole lines from the end: a heading is at the front, never lost alone. */
		uint64_t lines = count_lines(o->buffer + done, o->used - done);

		lost = lines < o->buffered ? lines : o->buffered;
		note_failure(o, err);
	}
	o->records_lost += lost;
	o->records_written += o->buffered - lost;
	o->buffered = 0;
	/* A torn line must not swallow the next one. */
	o->used = 0;
	if (err && done && o->buffer[done - 1] != '\n')
		o->buffer[o->used++] = '\n';
}

static const char *protocol_text(uint8_t protocol, char text[static 4])
{
	const char *name = protocol_name(protocol);

	if (name)
		return name;
	*json_put_number(text, protocol) = '\0';
	return text;
}

static void put_peer(char *p, const struct flow_record *r, uint32_t a4, const uint8_t a6[16],
		     uint16_t port)
{
	bool is_bracketed = r->is_ipv6 && port;

	if (is_bracketed)
		*p++ = '[';
	p = r->is_ipv6 ? addr_put6(p, a6) : addr_put4(p, a4);
	if (is_bracketed)
		*p++ = ']';
	if (port) {
		*p++ = ':';
		p = json_put_number(p, port);
	}
	*p = '\0';
}

/* One letter per TCP flag, as tcpdump and nfdump order them; for ICMP type.code. */
static const char *flags_text(const struct flow_record *r, char text[static 12])
{
	static const char letters[] = "FSRPAUECN"; /* from bit 0 on */
	char *p = text;

	if (r->protocol == IPPROTO_ICMP || r->protocol == IPPROTO_ICMPV6) {
		p = json_put_number(p, r->icmp_type_code >> 8);
		*p++ = '.';
		p = json_put_number(p, r->icmp_type_code & 255);
	} else if (r->protocol == IPPROTO_TCP) {
		for (int bit = 8; bit >= 0; bit--) {
			if (r->tcp_flags >> bit & 1)
				*p++ = letters[bit];
		}
	}
	*p = '\0';
	return text;
}

static const char *reason_text(uint8_t reason)
{
	switch (reason) {
	case FLOW_END_IDLE_TIMEOUT:
		return "idle";
	case FLOW_END_ACTIVE_TIMEOUT:
		return "active";
	case FLOW_END_DETECTED:
		return "end";
	case FLOW_END_FORCED:
		return "forced";
	case FLOW_END_LACK_OF_RESOURCES:
		return "resources";
	default:
		return "?";
	}
}

static size_t put_row(char *line, const struct flow_record *r)
{
	char start[JSON_TIME_OCTETS + 1];
	char source[PEER_TEXT_MAX];
	char destination[PEER_TEXT_MAX];
	char protocol[4];
	char flags[12];
	bool is_tcp = r->protocol == IPPROTO_TCP;
	uint64_t duration_ms = r->end_ms > r->start_ms ? r->end_ms - r->start_ms : 0;

	*json_put_time(start, r->start_ms) = '\0';
	put_peer(source, r, r->source4, r->source6, r->source_port);
	put_peer(destination, r, r->destination4, r->destination6, r->destination_port);
	return (size_t)snprintf(
		line, LINE_OCTETS, TABLE_ROW, start, (unsigned long long)duration_ms / 1000,
		(unsigned long long)duration_ms % 1000, protocol_text(r->protocol, protocol),
		source, destination, flags_text(r, flags), (unsigned long long)r->packets,
		(unsigned long long)r->octets, is_tcp ? REASON_COLUMN : 0,
		reason_text(r->end_reason), is_tcp ? " " : "",
		is_tcp ? connection_state_name(r->connection_state) : "");
}

/* Where the next line goes. */
static char *next_line(struct output_stream *o)
{
	if (BUFFER_OCTETS - o->used < LINE_OCTETS)
		output_flush(o);
	return o->buffer + o->used;
}

void output_record(void *arg, const struct flow_record *r)
{
	struct output_stream *o = arg;
	char *line = next_line(o);

	if (o->form == OUTPUT_TABLE)
		o->used += put_row(line, r);
	else
		o->used = (size_t)(json_put_flow(line, r, o->groups) - o->buffer);
	o->buffered++;
}

void output_biflow(void *arg, const struct flow_record *forward, const struct flow_record *reverse)
{
	struct output_stream *o = arg;

	if (o->form == OUTPUT_TABLE || !(o->groups & GROUP_BIFLOW)) {
		output_record(o, forward);
		output_record(o, reverse);
		return;
	}
	char *line = next_line(o);

	o->used = (size_t)(json_put_biflow(line, forward, reverse, o->groups) - o->buffer);
	o->buffered++;
}

void output_line(struct output_stream *o, const char *line, size_t n)
{
	size_t done;

	output_flush(o);
	int err = write_all(o->fd, line, n, &done);

	if (err)
		note_failure(o, err);
}

void output_close(struct output_stream *o)
{
	output_flush(o);
	free(o->buffer);
	o->buffer = NULL;
}
