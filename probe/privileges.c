/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capabilities. See privileges.h.
 */
#include "probe/privileges.h"

#include <cap-ng.h>
#include <errno.h>

#include "probe/log.h"

int privileges_drop(struct grace *grace, bool keep_net_admin)
{
	bool keeps_bpf = false;
	int err;

	if (capng_get_caps_process())
		return log_errno(-EINVAL, "read the process's capabilities");
	/* effective only, so that CAP_BPF can come back if the trial fails */
	capng_clear(CAPNG_SELECT_CAPS);
	capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_BPF);
	if (keep_net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (capng_apply(CAPNG_SELECT_CAPS)) {
		log_debug("capabilities cannot be reduced, going on with what there is");
		return grace_wait(grace);
	}
	err = grace_wait(grace);
	if (err) {
		log_debug("no grace period without CAP_BPF in this kernel, keeping it");
		keeps_bpf = true;
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_BPF);
	} else {
		capng_update(CAPNG_DROP, CAPNG_PERMITTED, CAP_BPF);
	}
	capng_apply(CAPNG_SELECT_CAPS);
	if (keeps_bpf)
		err = grace_wait(grace);
	return err ? log_errno(err, "wait for a grace period of the kernel") : 0;
}
