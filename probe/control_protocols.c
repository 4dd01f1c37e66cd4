/* SPDX-License-Identifier: BSD-2-Clause */
/* What the control socket says of protocols. See control_protocols.h. */
#include "probe/control_protocols.h"

#include <string.h>

#include "probe/control_request.h"
#include "probe/protocol.h"
#include "probe/protocols.h"

/* Do as the word behind the protocol says; false: not done, and said why. */
static bool switch_as(const struct control_ops *ops, int number, const char *word, FILE *reply)
{
	bool is_on = !strcmp(word, "on");

	if (!is_on && strcmp(word, "off") != 0) {
		control_print_error(
			reply, "protocols: '%.64s' is not understood (allowed: on, off)", word);
		return false;
	}
	if (!ops->switch_protocol(ops->arg, (uint8_t)number, is_on))
		return true;
	control_print_error(reply,
			    "protocols: there is nothing to switch, as flow_cache.protocols "
			    "is `fixed`; set it to `all` or a list, and start the probe anew");
	return false;
}

void control_answer_protocols(const struct control_ops *ops, char *words, FILE *reply)
{
	size_t length = strcspn(words, " ");
	const char *word = words + length + strspn(words + length, " ");
	int number = PROTOCOLS_ALL;
	json_t *list;

	words[length] = '\0';
	if (*words)
		number = protocol_number(words);
	if (*words && number < 0) {
		control_print_error(reply,
				    "protocols: '%.64s' is no IP protocol that is known here "
				    "(allowed: its number, 0 to 255)",
				    words);
		return;
	}
	if (*word && !switch_as(ops, number, word, reply))
		return;
	list = json_array();
	if (ops->protocols(ops->arg, number, list))
		control_print_error(reply, "out of memory");
	for (size_t i = 0; i < json_array_size(list); i++)
		control_print_line(reply, json_incref(json_array_get(list, i)));
	json_decref(list);
}
