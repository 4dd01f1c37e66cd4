/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets and files of the exporters. */
#include "probe/exporter_session.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/log.h"

#define NS_PER_S	   1000000000ull
#define NS_PER_MS	   1000000ull
#define RETRY_RESOLVE_NS   (10 * NS_PER_S)
#define RETRY_CONNECT_NS   (60 * NS_PER_S) /* RFC 7011 10.4.4: not more often by default */
#define POLL_NS		   (10 * NS_PER_MS)
#define RECOVERED_NS	   (10 * NS_PER_S) /* UDP errors come late and one by one */
#define RECOVERED_MESSAGES 3
#define MTU_DEFAULT	   1500
#define HEADERS_V4	   28 /* IPv4 and UDP */
#define HEADERS_V6	   48 /* IPv6 and UDP */

static bool is_stream(const struct session *s)
{
	return s->cfg->transport != TRANSPORT_UDP;
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
	log_info("exporter %s: %s works again", s->cfg->name, s->cfg->address);
}

static int open_file(struct session *s)
{
	/* O_NONBLOCK for the open only: a FIFO without reader is an error, not a wait. */
	s->fd = open(s->cfg->address, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
	if (s->fd < 0)
		return log_errno(-errno, "exporter %s: create %s", s->cfg->name, s->cfg->address);
	fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) & ~O_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	s->state = SESSION_UP;
	s->generation = 1;
	return 0;
}

int session_open(struct session *s, const struct exporter_config *cfg)
{
	const char *reason;

	*s = (struct session){.cfg = cfg, .fd = -1};
	s->limit_octets = SESSION_STREAM_OCTETS;
	if (cfg->transport == TRANSPORT_FILE)
		return open_file(s);
	if (config_split_address(cfg->address, s->host, &s->port, &reason)) {
		log_error("exporter %s: address %s: %s", cfg->name, cfg->address, reason);
		return -EINVAL;
	}
	/* Until the address family is known, what fits either. */
	if (cfg->transport == TRANSPORT_UDP)
		s->limit_octets = (cfg->mtu ? cfg->mtu : MTU_DEFAULT) - HEADERS_V6;
	s->state = SESSION_WAITING;
	return 0;
}

static int get_path_mtu(const struct session *s, bool is_v6)
{
	int mtu = 0;
	socklen_t size = sizeof(mtu);
	int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;

	if (getsockopt(s->fd, level, is_v6 ? IPV6_MTU : IP_MTU, &mtu, &size))
		return 0;
	return mtu;
}

void session_update_limit(struct session *s)
{
	bool is_v6 = s->addresses[s->next_address].ss_family == AF_INET6;
	int mtu = s->cfg->mtu ? (int)s->cfg->mtu : MTU_DEFAULT;
	int headers = is_v6 ? HEADERS_V6 : HEADERS_V4;

	if (is_stream(s) || s->state != SESSION_UP)
		return;
	int path = get_path_mtu(s, is_v6);

	if (path && path < mtu)
		mtu = path;
	s->limit_octets = mtu > headers ? (size_t)(mtu - headers) : 0;
}

/*
 * Never fragment; and report every ICMP error (RECVERR), not only those the
 * kernel holds for final, so that a collector that is gone is counted as such.
 */
static void set_udp_options(int fd, bool is_v6)
{
	int one = 1;
	int discover = is_v6 ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;

	if (is_v6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof(discover));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	}
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
	const struct sockaddr_storage *to = &s->addresses[s->next_address];
	bool is_v6 = to->ss_family == AF_INET6;
	bool is_tcp = s->cfg->transport == TRANSPORT_TCP;
	int type = (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	socklen_t size = is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	s->fd = socket(to->ss_family, type, 0);
	if (s->fd < 0)
		return -errno;
	if (!is_tcp)
		set_udp_options(s->fd, is_v6);
	if (!connect(s->fd, (const struct sockaddr *)to, size)) {
		come_up(s);
		return 0;
	}
	if (errno == EINPROGRESS) {
		s->state = SESSION_CONNECTING;
		return 0;
	}
	int err = -errno;

	close(s->fd);
	s->fd = -1;
	return err;
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
	bool is_tcp = s->cfg->transport == TRANSPORT_TCP;

	s->retry_ns = now_ns + (is_tcp ? RETRY_CONNECT_NS : RETRY_RESOLVE_NS);
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
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};
	int err = 0;
	socklen_t size = sizeof(err);

	if (poll(&p, 1, 0) <= 0)
		return;
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &size);
	if (!err) {
		come_up(s);
		return;
	}
	session_lose(s);
	s->error = -err;
	s->next_address++;
	if (s->next_address < s->n_addresses)
		connect_any(s, now_ns);
	else
		session_note_failure(s, now_ns, -err, "connect to");
}

/* A collector says nothing on the connection but that it ends. */
static void check_peer(struct session *s, uint64_t now_ns)
{
	uint8_t unasked[512];
	ssize_t n = recv(s->fd, unasked, sizeof(unasked), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	session_note_failure(s, now_ns, n ? -errno : -ECONNRESET, "connection to");
	session_lose(s);
}

void session_advance(struct session *s, uint64_t now_ns)
{
	if (s->state == SESSION_UP && s->cfg->transport == TRANSPORT_TCP)
		check_peer(s, now_ns);
	if (s->state == SESSION_WAITING && now_ns >= s->retry_ns)
		begin(s, now_ns);
	if (s->state == SESSION_RESOLVING)
		check_resolve(s, now_ns);
	if (s->state == SESSION_CONNECTING)
		check_connect(s, now_ns);
}

/* A regular file never ends in half a Message, or nothing behind it could be read. */
static int write_file(const struct session *s, const uint8_t *data, size_t octets)
{
	off_t start = lseek(s->fd, 0, SEEK_CUR);
	size_t done = 0;

	while (done < octets) {
		ssize_t n = write(s->fd, data + done, octets - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		int err = -errno;

		if (start >= 0 && !ftruncate(s->fd, start))
			lseek(s->fd, start, SEEK_SET);
		return err;
	}
	return (int)octets;
}

int session_send(struct session *s, const uint8_t *data, size_t octets)
{
	uint8_t none;
	struct iovec iov = {.iov_base = &none, .iov_len = sizeof(none)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (s->cfg->transport == TRANSPORT_FILE)
		return write_file(s, data, octets);
	ssize_t n = send(s->fd, data, octets, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return (int)n;
	int err = -errno;

	/* Each error fails one call: take its report off the queue, the next shows up. */
	if (!is_stream(s))
		recvmsg(s->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
	return err == -ENOBUFS || err == -EINTR ? -EAGAIN : err;
}

void session_lose(struct session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->state = SESSION_WAITING;
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
		return s->cfg->transport == TRANSPORT_TCP ? now_ns + NS_PER_S : UINT64_MAX;
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
	*s = (struct session){0};
}
