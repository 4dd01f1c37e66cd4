/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of two directions is the forward one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/biflow.h"

enum { UDP = 17, TCP = 6, GRE = 47, SYN = 0x02, SYN_ACK = 0x12, ACK = 0x10, RST = 0x04 };

/* Both ways round: the answer does not depend on who is asked about first. */
static void check(struct biflow_side a, struct biflow_side b, enum biflow_direction expected)
{
	static const enum biflow_direction other[] = {
		[BIFLOW_ARBITRARY] = BIFLOW_ARBITRARY,
		[BIFLOW_INITIATOR] = BIFLOW_REVERSE_INITIATOR,
		[BIFLOW_REVERSE_INITIATOR] = BIFLOW_INITIATOR,
	};

	assert_int_equal(biflow_judge(&a, &b), expected);
	assert_int_equal(biflow_judge(&b, &a), other[expected]);
}

static void test_the_first_packet_tells(void **state)
{
	(void)state;
	check((struct biflow_side){100, 53, UDP, 0}, (struct biflow_side){101, 40000, UDP, 0},
	      BIFLOW_INITIATOR);
	check((struct biflow_side){100, 0, GRE, 0}, (struct biflow_side){101, 0, GRE, 0},
	      BIFLOW_INITIATOR);
}

static void test_syn_corrects_the_order_of_arrival(void **state)
{
	(void)state;
	check((struct biflow_side){100, 40000, TCP, SYN_ACK},
	      (struct biflow_side){101, 80, TCP, SYN}, BIFLOW_REVERSE_INITIATOR);
	check((struct biflow_side){100, 40000, TCP, ACK}, (struct biflow_side){101, 80, TCP, SYN},
	      BIFLOW_REVERSE_INITIATOR);
	check((struct biflow_side){100, 40000, TCP, SYN_ACK},
	      (struct biflow_side){101, 80, TCP, ACK}, BIFLOW_REVERSE_INITIATOR);
	check((struct biflow_side){100, 80, TCP, SYN}, (struct biflow_side){101, 40000, TCP, SYN},
	      BIFLOW_INITIATOR); /* both at once */
}

static void test_connection_met_late_began_at_the_higher_port(void **state)
{
	(void)state;
	check((struct biflow_side){100, 443, TCP, ACK}, (struct biflow_side){101, 40000, TCP, ACK},
	      BIFLOW_REVERSE_INITIATOR);
	check((struct biflow_side){100, 443, TCP, RST}, (struct biflow_side){101, 40000, TCP, ACK},
	      BIFLOW_REVERSE_INITIATOR);
	check((struct biflow_side){100, 179, TCP, ACK}, (struct biflow_side){101, 179, TCP, ACK},
	      BIFLOW_INITIATOR); /* equal ports: the first packet */
}

static void test_tick_of_the_clock_is_broken_by_the_port(void **state)
{
	(void)state;
	check((struct biflow_side){100, 53, UDP, 0}, (struct biflow_side){100, 40000, UDP, 0},
	      BIFLOW_REVERSE_INITIATOR);
	check((struct biflow_side){100, 123, UDP, 0}, (struct biflow_side){100, 123, UDP, 0},
	      BIFLOW_ARBITRARY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_packet_tells),
		cmocka_unit_test(test_syn_corrects_the_order_of_arrival),
		cmocka_unit_test(test_connection_met_late_began_at_the_higher_port),
		cmocka_unit_test(test_tick_of_the_clock_is_broken_by_the_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
