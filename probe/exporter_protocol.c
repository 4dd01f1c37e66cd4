/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocols there are. See exporter_protocol.h. */
#include "probe/exporter_protocol.h"

const struct exporter_protocol *exporter_protocol_of(int protocol)
{
	static const struct exporter_protocol *const protocols[] = {
		[EXPORT_IPFIX] = &protocol_ipfix,
		[EXPORT_NETFLOW9] = &protocol_netflow9,
		[EXPORT_NETFLOW5] = &protocol_netflow5,
	};

	return protocols[protocol];
}
