/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatting is written out here because inet_ntop() costs as much as a whole JSON line. */
#include "probe/addr.h"

static char *put_octet(char *p, uint32_t v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

char *addr_put4(char *p, uint32_t address)
{
	p = put_octet(p, address >> 24);
	*p++ = '.';
	p = put_octet(p, address >> 16 & 255);
	*p++ = '.';
	p = put_octet(p, address >> 8 & 255);
	*p++ = '.';
	return put_octet(p, address & 255);
}

static char *put_group(char *p, uint32_t v)
{
	static const char digits[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4) {
		if (v >> shift || shift == 0)
			*p++ = digits[v >> shift & 15];
	}
	return p;
}

/* The longest run of at least two zero groups, the first of equals (RFC 5952 4.2). */
static int find_zero_run(const uint32_t *groups, int *length)
{
	int best = -1;

	*length = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !groups[i + n])
			n++;
		if (n > *length) {
			best = i;
			*length = n;
		}
		i += n;
	}
	return best;
}

char *addr_put6(char *p, const uint8_t address[static 16])
{
	uint32_t groups[8];
	int run_length;

	for (int i = 0; i < 8; i++)
		groups[i] = (uint32_t)address[2 * i] << 8 | address[2 * i + 1];
	int run = find_zero_run(groups, &run_length);

	for (int i = 0; i < 8; i++) {
		if (i == run) {
			*p++ = ':';
			*p++ = ':';
			i += run_length - 1;
			continue;
		}
		if (i && i != run + run_length)
			*p++ = ':';
		p = put_group(p, groups[i]);
	}
	return p;
}
