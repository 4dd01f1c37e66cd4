/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the generator's packets look like. Flow n has source address
 * 10.0.0.0 + n or 2001:db8::n and source port n modulo 2^16.
 */
#pragma once

#define LIVEGEN_FRAME_OCTETS	 78 /* IPv4: 64 octets of IP; IPv6: 24 of payload */
#define LIVEGEN_SOURCE4		 0x0a000000u
#define LIVEGEN_DESTINATION4	 0xc6336402u /* 198.51.100.2, and the end of the IPv6 one */
#define LIVEGEN_PREFIX6		 0x20010db8u
#define LIVEGEN_DESTINATION_PORT 53
