/* SPDX-License-Identifier: BSD-2-Clause */
/* One dump of RTM_GETLINK; any user may ask for it. */
#include "probe/interfaces.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "probe/utf8.h"

#define DUMP_OCTETS 32768 /* no message of the kernel is longer */

struct dump {
	struct interface_name *names;
	size_t n;
	size_t max;
	bool is_done;
	int err;
};

static void copy_text(char *to, size_t room, struct rtattr *from)
{
	size_t n = strnlen(RTA_DATA(from), RTA_PAYLOAD(from));

	if (n >= room)
		n = room - 1;
	memcpy(to, RTA_DATA(from), n);
	to[n] = '\0';
	utf8_repair(to);
}

static void read_link(struct dump *d, struct nlmsghdr *header)
{
	struct ifinfomsg *link = NLMSG_DATA(header);
	struct rtattr *attribute = IFLA_RTA(link);
	int left = (int)IFLA_PAYLOAD(header);

	if (d->n >= d->max)
		return;
	struct interface_name *to = &d->names[d->n++];

	*to = (struct interface_name){.index = (uint32_t)link->ifi_index};
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFLA_IFNAME)
			copy_text(to->name, sizeof(to->name), attribute);
		else if (attribute->rta_type == IFLA_IFALIAS)
			copy_text(to->alias, sizeof(to->alias), attribute);
	}
}

static void read_answer(struct dump *d, struct nlmsghdr *header, size_t octets)
{
	for (; NLMSG_OK(header, octets); header = NLMSG_NEXT(header, octets)) {
		if (header->nlmsg_type == RTM_NEWLINK)
			read_link(d, header);
		if (header->nlmsg_type == NLMSG_ERROR)
			d->err = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
		d->is_done |= header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR;
	}
}

static int ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

int interfaces_read(struct interface_name *names, size_t max)
{
	static _Alignas(struct nlmsghdr) char answer[DUMP_OCTETS];
	struct dump d = {.names = names, .max = max};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	d.err = ask(fd);
	while (!d.err && !d.is_done) {
		ssize_t octets = recv(fd, answer, sizeof(answer), 0);

		if (octets < 0 && errno != EINTR)
			d.err = -errno;
		else if (octets >= 0)
			read_answer(&d, (struct nlmsghdr *)answer, (size_t)octets);
	}
	close(fd);
	return d.err ? d.err : (int)d.n;
}
