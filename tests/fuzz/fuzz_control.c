/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of the control socket: each is answered by lines that are JSON
 * objects with a type, whatever the request holds.
 */
#include <errno.h>

#include "probe/connection.h"
#include "probe/control_request.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static int give_status(void *arg, json_t *into)
{
	(void)arg;
	return json_object_set_new(into, "flows", json_integer(2));
}

static void each_flow(void *arg, record_test_fn wants_state, record_sink_fn fn, void *fn_arg)
{
	static const struct flow_record records[] = {
		{.source4 = 0x0a010203,
		 .destination4 = 0xc0000209,
		 .source_port = 40000,
		 .destination_port = 443,
		 .protocol = 6,
		 .octets = 1000,
		 .packets = 10},
		{.is_ipv6 = 1,
		 .source6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
		 .destination6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 2},
		 .destination_port = 53,
		 .protocol = 17,
		 .vlan = 7,
		 .octets = 80,
		 .packets = 1},
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		struct flow_record r = records[i];

		if (wants_state && wants_state(fn_arg, &r))
			r.connection_state = CONNECTION_ESTABLISHED;
		fn(fn_arg, &r);
	}
}

static int list_templates(void *arg, bool sends, json_t *list)
{
	(void)arg;
	return json_array_append_new(
		list, json_pack("{s:s, s:b}", "type", "templates", "sent_again", sends));
}

static int list_protocols(void *arg, int number, json_t *list)
{
	(void)arg;
	return json_array_append_new(
		list, json_pack("{s:s, s:i}", "type", "protocol", "protocolIdentifier", number));
}

static int switch_protocol(void *arg, uint8_t number, bool is_on)
{
	(void)arg;
	return number == 6 && is_on ? -EPERM : 0;
}

static int reload(void *arg, json_t *answers)
{
	(void)arg;
	return json_array_append_new(answers, json_pack("{s:s}", "type", "reload"));
}

static void check_lines(const char *reply, size_t length)
{
	const char *end = reply + length;

	while (reply < end) {
		const char *newline = memchr(reply, '\n', (size_t)(end - reply));
		json_t *object;

		FUZZ_CHECK(newline);
		object = json_loadb(reply, (size_t)(newline - reply), JSON_REJECT_DUPLICATES, NULL);
		FUZZ_CHECK(json_is_string(json_object_get(object, "type")));
		json_decref(object);
		reply = newline + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct control_ops ops = {.status = give_status,
					.templates = list_templates,
					.protocols = list_protocols,
					.switch_protocol = switch_protocol,
					.reload = reload,
					.each_flow = each_flow};
	char *request = fuzz_copy(data, size), *reply = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&reply, &length);
	enum control_answer answer;

	FUZZ_CHECK(out);
	answer = control_answer_request(&ops, request, size, out);
	free(request);
	FUZZ_CHECK(!fclose(out));
	FUZZ_CHECK(answer == CONTROL_ANSWERED || !length);
	check_lines(reply, length);
	free(reply);
	return 0;
}
