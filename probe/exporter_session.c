/* SPDX-License-Identifier: BSD-2-Clause */
/* The states of a session. What fails is tried again, at the pace RFC 7011 10 asks for. */
#include "probe/exporter_session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/clock.h"
#include "probe/exporter_channel.h"
#include "probe/log.h"

#define RETRY_RESOLVE_NS   (10 * NS_PER_S)
#define POLL_NS		   (10 * NS_PER_MS)
#define RECOVERED_NS	   (10 * NS_PER_S) /* UDP errors come late and one by one */
#define RECOVERED_MESSAGES 3
#define MTU_DEFAULT	   1500
#define HEADERS_V4	   28 /* IPv4 and UDP */
#define HEADERS_V6	   48 /* IPv6 and UDP */

static enum transport transport(const struct session *s)
{
	return (enum transport)s->cfg->transport;
}

void session_note_failure(struct session *s, uint64_t now_ns, int err, const char *doing)
{
	s->failed_ns = now_ns;
	s->n_good = 0;
	if (s->is_bad)
		return;
	s->is_bad = true;
	log_warning("exporter %s: %s %s: %s; trying on, losses are counted", s->cfg->name, doing,
		    s->cfg->address, strerror(-err));
}

void session_note_success(struct session *s, uint64_t now_ns)
{
	if (!s->is_bad || ++s->n_good < RECOVERED_MESSAGES || now_ns < s->failed_ns + RECOVERED_NS)
		return;
	s->is_bad = false;
	s->is_failing = false;
	s->error = 0;
	log_info("exporter %s: %s works again", s->cfg->name, s->cfg->address);
}

static int open_file(struct session *s)
{
	int err = file_sink_open(&s->file, s->cfg);

	if (err)
		return log_errno(err, "exporter %s: create %s", s->cfg->name, s->cfg->address);
	s->state = SESSION_UP;
	s->generation++;
	return 0;
}

bool session_is_full(const struct session *s, uint64_t now_ns)
{
	return s->file && file_sink_is_full(s->file, now_ns);
}

/* Each file is a session of its own. */
static void advance_file(struct session *s, uint64_t now_ns)
{
	if (session_is_full(s, now_ns)) {
		file_sink_close(s->file);
		s->file = NULL;
		s->state = SESSION_WAITING;
		s->retry_ns = 0;
	}
	if (s->state != SESSION_WAITING || now_ns < s->retry_ns)
		return;
	s->error = open_file(s);
	if (s->error) {
		s->failed_ns = now_ns;
		s->retry_ns = now_ns + RETRY_RESOLVE_NS;
	}
}

int session_open(struct session *s, const struct exporter_config *cfg)
{
	const char *reason;

	*s = (struct session){.cfg = cfg, .fd = -1};
	s->limit_octets = SESSION_STREAM_OCTETS;
	if (cfg->transport == TRANSPORT_FILE)
		return 0;
	if (config_split_address(cfg->address, s->host, &s->port, &reason)) {
		log_error("exporter %s: address %s: %s", cfg->name, cfg->address, reason);
		return -EINVAL;
	}
	/* Until the address family is known, what fits either. */
	if (cfg->transport == TRANSPORT_UDP)
		s->limit_octets = (cfg->mtu ? cfg->mtu : MTU_DEFAULT) - HEADERS_V6;
	return 0;
}

int session_begin(struct session *s)
{
	s->state = SESSION_WAITING;
	return transport(s) == TRANSPORT_FILE ? open_file(s) : 0;
}

void session_update_limit(struct session *s)
{
	int family = s->addresses[s->next_address].ss_family;
	size_t headers = family == AF_INET6 ? HEADERS_V6 : HEADERS_V4;
	size_t mtu = s->cfg->mtu ? s->cfg->mtu : MTU_DEFAULT;

	if (transport(s) != TRANSPORT_UDP || s->state != SESSION_UP)
		return;
	size_t path = channel_path_mtu(s->fd, family);

	if (path && path < mtu)
		mtu = path;
	s->limit_octets = mtu > headers ? mtu - headers : 0;
	s->can_segment = true; /* until it turns out not to */
}

static void come_up(struct session *s)
{
	s->state = SESSION_UP;
	s->error = 0;
	s->generation++;
	session_update_limit(s);
	log_info("exporter %s: session with %s is up", s->cfg->name, s->cfg->address);
}

/* Returns 0 when up or on the way. */
static int connect_address(struct session *s)
{
	int err = channel_connect(&s->fd, transport(s), &s->addresses[s->next_address]);

	if (!err)
		come_up(s);
	if (err != -EINPROGRESS)
		return err;
	s->state = SESSION_CONNECTING;
	return 0;
}

/* Try the addresses from next_address on; one round counts as one attempt. */
static void connect_any(struct session *s, uint64_t now_ns)
{
	for (; s->next_address < s->n_addresses; s->next_address++) {
		s->error = connect_address(s);
		if (!s->error)
			return;
	}
	s->state = SESSION_WAITING;
	s->next_address = 0;
	session_note_failure(s, now_ns, s->error, "connect to");
}

static void fail_to_resolve(struct session *s, uint64_t now_ns, const char *reason)
{
	s->state = SESSION_WAITING;
	s->error = -ENOENT;
	s->retry_ns = now_ns + RETRY_RESOLVE_NS;
	s->failed_ns = now_ns;
	if (!s->is_bad)
		log_warning("exporter %s: resolve %s: %s; trying every 10 s", s->cfg->name, s->host,
			    reason);
	s->is_bad = true;
}

static void begin(struct session *s, uint64_t now_ns)
{
	s->retry_ns = now_ns + (transport(s) == TRANSPORT_TCP ? s->cfg->reconnect_s * NS_PER_S
							      : RETRY_RESOLVE_NS);
	s->next_address = 0;
	s->n_addresses = 1;
	if (!resolve_numeric(s->host, s->port, &s->addresses[0])) {
		connect_any(s, now_ns);
		return;
	}
	s->error = -ENOENT; /* until it is known better */
	int err = resolve_start(&s->resolve, s->host, s->port);

	if (err)
		fail_to_resolve(s, now_ns, strerror(-err));
	else
		s->state = SESSION_RESOLVING;
}

static void check_resolve(struct session *s, uint64_t now_ns)
{
	const char *reason;
	int n = resolve_poll(s->resolve, s->addresses, RESOLVE_MAX_ADDRESSES, &reason);

	if (n == -EAGAIN)
		return;
	resolve_abandon(s->resolve);
	s->resolve = NULL;
	s->n_addresses = n;
	if (n < 0)
		fail_to_resolve(s, now_ns, reason);
	else
		connect_any(s, now_ns);
}

static void check_connect(struct session *s, uint64_t now_ns)
{
	int err = channel_check_connect(s->fd);

	if (err == -EINPROGRESS)
		return;
	if (!err) {
		come_up(s);
		return;
	}
	session_lose(s);
	s->error = err;
	s->next_address++;
	connect_any(s, now_ns);
}

static void check_peer(struct session *s, uint64_t now_ns)
{
	int err = channel_check_peer(s->fd);

	if (!err)
		return;
	session_note_failure(s, now_ns, err, "connection to");
	session_lose(s);
}

void session_advance(struct session *s, uint64_t now_ns)
{
	if (transport(s) == TRANSPORT_FILE) {
		advance_file(s, now_ns);
		return;
	}
	if (s->state == SESSION_UP && transport(s) == TRANSPORT_TCP)
		check_peer(s, now_ns);
	if (s->state == SESSION_WAITING && now_ns >= s->retry_ns)
		begin(s, now_ns);
	if (s->state == SESSION_RESOLVING)
		check_resolve(s, now_ns);
	if (s->state == SESSION_CONNECTING)
		check_connect(s, now_ns);
}

static void take_report(struct session *s)
{
	int octets = channel_take_report(s->fd, s->refused, sizeof(s->refused));

	s->refused_octets = octets > 0 ? octets : 0;
}

int session_check_refused(struct session *s)
{
	int err = channel_take_error(s->fd);

	if (err)
		take_report(s);
	return err;
}

int session_send(struct session *s, const uint8_t *data, size_t octets)
{
	if (s->file)
		return file_sink_write(s->file, data, octets);
	int n = channel_send(s->fd, data, octets);

	if (n < 0 && transport(s) == TRANSPORT_UDP)
		take_report(s);
	return n;
}

int session_send_segments(struct session *s, struct iovec *datagrams, size_t n)
{
	int err = channel_send_segments(s->fd, datagrams, n);

	switch (err) {
	case 0:
	case -EAGAIN:
		break;
	case -EINVAL: /* of Linux before 6.14 also: the path has narrowed */
	case -EIO: /* a device without checksums of its own, or IPsec */
	case -EOPNOTSUPP:
		s->can_segment = false;
		break;
	default:
		take_report(s);
	}
	return err;
}

void session_lose(struct session *s)
{
	if (s->fd >= 0 && transport(s) == TRANSPORT_TCP)
		s->unacknowledged = channel_unacknowledged(s->fd);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->state = SESSION_WAITING;
}

void session_abort(struct session *s)
{
	const struct linger at_once = {.l_onoff = 1};

	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	session_lose(s);
}

uint64_t session_next(const struct session *s, uint64_t now_ns)
{
	switch (s->state) {
	case SESSION_WAITING:
		return s->retry_ns;
	case SESSION_RESOLVING:
	case SESSION_CONNECTING:
		return now_ns + POLL_NS;
	case SESSION_UP:
		if (s->file)
			return file_sink_due_ns(s->file);
		return transport(s) == TRANSPORT_TCP ? now_ns + NS_PER_S : UINT64_MAX;
	default:
		return UINT64_MAX;
	}
}

void session_close(struct session *s)
{
	if (s->state == SESSION_CLOSED)
		return;
	resolve_abandon(s->resolve);
	session_lose(s);
	file_sink_close(s->file);
	*s = (struct session){0};
}
