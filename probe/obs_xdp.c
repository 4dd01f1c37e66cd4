/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which devices are metered at XDP, and by which of the programs for it.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/log.h"
#include "probe/obs_private.h"

/* Linux 6.3; headers of Debian 12 do not name it. */
#define DEVICE_BOUND (1U << 6)

/*
 * Hardware has a device behind it in sysfs. Virtual devices are metered at tc:
 * there GSO super-packets say how many packets they are, at XDP they do not.
 */
bool obs_wants_xdp(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	return !access(path, F_OK);
}

/* The device takes VLAN tags out of the frames it receives. */
static bool strips_tags(const char *name)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {.ifr_data = (char *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool strips;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", IFNAMSIZ - 1, name);
	strips = !ioctl(fd, SIOCETHTOOL, &request) && (value.data & ETH_FLAG_RXVLAN);
	close(fd);
	return strips;
}

/* Generic XDP puts a tag back into the frame first. */
enum xdp_program obs_xdp_first(const char *name, bool is_generic)
{
	return !is_generic && strips_tags(name) ? XDP_PROGRAM_TAGGED : XDP_PROGRAM_FRAGS;
}

static struct bpf_program *program_of(const struct flow_bpf *s, enum xdp_program program)
{
	switch (program) {
	case XDP_PROGRAM_TAGGED:
		return s->progs.xfp_tagged;
	case XDP_PROGRAM_FRAGS:
		return s->progs.xfp_xdp_frags;
	default:
		return s->progs.xfp_xdp;
	}
}

void obs_xdp_choose(struct flow_bpf *s, const struct obs_point *point)
{
	for (int i = 0; i <= XDP_PROGRAM_TAGGED; i++)
		bpf_program__set_autoload(program_of(s, (enum xdp_program)i),
					  point->wants_xdp && (int)point->xdp == i);
	bpf_program__set_ifindex(s->progs.xfp_tagged, point->ifindex);
	bpf_program__set_flags(s->progs.xfp_tagged,
			       bpf_program__flags(s->progs.xfp_tagged) | DEVICE_BOUND);
}

int obs_xdp_fd(const struct obs_point *point)
{
	return bpf_program__fd(program_of(point->skeleton, point->xdp));
}

bool obs_xdp_next(struct obs_point *point, int err)
{
	switch (point->xdp) {
	case XDP_PROGRAM_TAGGED:
		log_warning(
			"%s: the driver takes VLAN tags out of frames and cannot tell them to "
			"XDP (%s): Flows are without; `ethtool -K %s rxvlan off` leaves them in",
			point->name, strerror(-err), point->name);
		point->xdp = XDP_PROGRAM_FRAGS;
		return true;
	case XDP_PROGRAM_FRAGS:
		log_info("%s: no multi-buffer XDP (%s), trying plain XDP", point->name,
			 strerror(-err));
		point->xdp = XDP_PROGRAM_PLAIN;
		return true;
	default:
		return false;
	}
}
