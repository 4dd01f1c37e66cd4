/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded queue of IPFIX Messages on disk: files in a folder, each an IPFIX File
 * (RFC 5655) of its own, the oldest dropped when there is no room. First in, first
 * out; what was taken out is gone for good only when it is done with. Survives the
 * end of the probe, however it ends; not that of the system.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/exporter_queue.h"

#define SPOOL_MESSAGE_MAX 65535

struct spool;

/*
 * What a Message holds. False for one without Flow Records or events of ours.
 *
 * n_records  Data Records
 */
typedef bool (*spool_measure_fn)(void *arg, const uint8_t *message, size_t octets,
				 uint32_t *n_records, struct exporter_volume *volume);

struct spool_params {
	const char *folder; /* created; no other spool has it */
	const char *owner; /* for messages */
	uint64_t max_octets; /* on disk, >= 1 MiB */
	const uint8_t *head; /* Messages of Templates every file begins with */
	size_t head_octets;
	spool_measure_fn measure;
	void *arg;
};

/* recovered + appended = held + taken out + full + error */
struct spool_stats {
	struct exporter_volume recovered; /* found at start */
	struct exporter_volume held; /* to be taken out */
	struct exporter_volume full; /* dropped for want of room */
	struct exporter_volume error; /* could not be read back */
	uint64_t octets; /* of the files */
	uint32_t n_files;
};

/*
 * Open the spool, counting what is in it. A Message that was not written to its end
 * is cut off; files that begin with other Templates are left alone. Both are printed.
 *
 * out  owned by the caller, freed by spool_close(); params and what it points to are
 *      copied, but for head, which outlives it
 *
 * Returns 0 or -errno, printed; -EBUSY: somebody has it.
 */
int spool_open(struct spool **out, const struct spool_params *params);

/*
 * Append a Message, dropping the oldest if that makes the room for it.
 *
 * message        is stamped
 * n_records      Data Records in it
 * export_time_s  Unix s
 *
 * Returns 0, or -errno: there is no room on the disk, or it does not write.
 */
int spool_append(struct spool *s, uint8_t *message, size_t octets, uint32_t n_records,
		 const struct exporter_volume *volume, uint32_t export_time_s);

/*
 * Take the next Message out.
 *
 * message  [room]
 * place    of it, for spool_put_back() and spool_done()
 *
 * Returns its octets, 0 when there is none now.
 */
size_t spool_take(struct spool *s, uint8_t *message, size_t room, struct spool_place *place,
		  struct exporter_volume *volume);

/*
 * Put a Message back that was taken out and is not done: it, and all behind it, will
 * be taken again. To be called for each of these. False if its file was dropped.
 */
bool spool_put_back(struct spool *s, const struct spool_place *place,
		    const struct exporter_volume *volume);

/* A Message that was taken out, and all before it, are never wanted again. */
void spool_done(struct spool *s, const struct spool_place *place);

/* Write down what is done, so that it is not taken again after the probe was killed. */
void spool_sync(struct spool *s);

const struct spool_stats *spool_stats(const struct spool *s);

/* NULL is allowed. The files stay. */
void spool_close(struct spool *s);
