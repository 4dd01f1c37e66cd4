/* SPDX-License-Identifier: BSD-2-Clause */
/* A control socket, its probe and its clients in one loop. See control_fixture.h. */
#include "tests/lib/control_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define REPLY_OCTETS (CONTROL_REPLY_OCTETS + 65536)

static int give_status(void *arg, json_t *into)
{
	const struct control_fixture *f = arg;

	json_object_set_new(into, "flows", json_integer(f->n_flows));
	return f->status_err;
}

/* Two exporters, of which one sends again. */
static int list_templates(void *arg, bool sends, json_t *list)
{
	struct control_fixture *f = arg;

	f->n_sends += sends;
	json_array_append_new(list, json_pack("{s:s, s:[i, i], s:b}", "type", "templates",
					      "template_ids", 256, 257, "sent_again", sends));
	return json_array_append_new(list, json_pack("{s:s}", "type", "templates"));
}

static int list_protocols(void *arg, int number, json_t *list)
{
	const struct control_fixture *f = arg;

	for (int i = 0; i < 256; i++)
		if (number < 0 ? i == 6 || i == 17 : i == number)
			json_array_append_new(list, json_pack("{s:s, s:i, s:b}", "type", "protocol",
							      "number", i, "off", f->is_off[i]));
	return 0;
}

static int switch_protocol(void *arg, uint8_t number, bool is_on)
{
	struct control_fixture *f = arg;

	if (f->has_switches)
		f->is_off[number] = !is_on;
	return f->has_switches ? 0 : -EPERM;
}

static int reload(void *arg, json_t *answers)
{
	struct control_fixture *f = arg;

	f->n_reloads++;
	if (!f->reload_err)
		json_array_append_new(answers,
				      json_pack("{s:s, s:[s]}", "type", "reload", "kept", "local"));
	for (int i = 0; i < 2 && f->reload_err; i++)
		json_array_append_new(
			answers, json_pack("{s:s, s:s}", "type", "error", "error", "a.yaml:1:2"));
	return f->reload_err;
}

void control_fixture_give_ledger(struct control_fixture *f)
{
	const struct ledger l = {.exported = {.packets = (uint64_t)f->n_ledgers}};
	control_ledger_fn done = f->done;

	f->done = NULL;
	done(f->done_ctx, &l);
}

static void ask_ledger(void *arg, control_ledger_fn done, void *ctx)
{
	struct control_fixture *f = arg;

	assert_null(f->done);
	f->done = done;
	f->done_ctx = ctx;
	f->n_ledgers++;
	if (!f->is_slow)
		control_fixture_give_ledger(f);
}

/* Flow i: 10.0.0.i -> 10.0.1.(i % 2), port i % 3, i octets, 1 packet, state by i % 2. */
static void each_flow(void *arg, record_test_fn wants_state, record_sink_fn fn, void *fn_arg)
{
	const struct control_fixture *f = arg;

	for (uint32_t i = 1; i <= f->n_flows; i++) {
		struct flow_record r = {.source4 = 0x0a000000 + i,
					.destination4 = 0x0a000100 + i % 2,
					.destination_port = (uint16_t)(i % 3),
					.protocol = 17,
					.octets = i,
					.packets = 1};

		if (wants_state && wants_state(fn_arg, &r))
			r.connection_state = i % 2 ? 2 : 4;
		fn(fn_arg, &r);
	}
}

/* Event 7, unless nothing is looked for. */
static bool each_event(void *arg, anomaly_sink_fn fn, void *fn_arg)
{
	const struct control_fixture *f = arg;

	if (f->detects)
		fn(fn_arg, &(struct anomaly_event){.event_id = 7,
						   .state = ANOMALY_START,
						   .class = ANOMALY_PORT_SCAN,
						   .has_source = true,
						   .source = host_of_ipv4(0x0100000a),
						   .value = 20,
						   .threshold = 15,
						   .window_ms = 300000,
						   .rule = "anomaly.scan.contacts",
						   .reason = "it scans"});
	return f->detects;
}

static void on_signal(void *arg, int signo)
{
	(void)arg;
	fail_msg("signal %d", signo);
}

int control_fixture_open(void **state)
{
	struct control_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	f->ops = (struct control_ops){.arg = f,
				      .groups = GROUP_BASE,
				      .status = give_status,
				      .templates = list_templates,
				      .protocols = list_protocols,
				      .switch_protocol = switch_protocol,
				      .reload = reload,
				      .ledger = ask_ledger,
				      .each_flow = each_flow,
				      .each_event = each_event};
	f->n_flows = 5;
	strcpy(f->folder, "/tmp/xflow-test-control-XXXXXX");
	if (!mkdtemp(f->folder))
		return -errno;
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->folder);
	alarm(60); /* a loop that is not ended fails */
	return loop_open(&f->loop, on_signal, f) ||
	       control_open(&f->control, &f->loop, f->path, &f->ops);
}

int control_fixture_close(void **state)
{
	struct control_fixture *f = *state;
	int err;

	control_close(&f->control);
	control_close(&f->control);
	loop_close(&f->loop);
	err = rmdir(f->folder);
	free(f);
	return err;
}

static void stop_at_tick(void *arg, uint64_t now_ns)
{
	(void)now_ns;
	loop_stop(arg);
}

void control_fixture_serve(struct control_fixture *f)
{
	struct loop_timer t = {.fn = stop_at_tick, .arg = &f->loop};

	for (int i = 0; i < 300; i++) {
		assert_int_equal(loop_timer_open(&f->loop, &t), 0);
		loop_timer_set(&t, 0, 0);
		loop_run(&f->loop);
		loop_timer_close(&f->loop, &t);
	}
}

int client_connect(const struct control_fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

struct client client_open(struct control_fixture *f, const void *request, size_t n)
{
	struct client c = {.loop = &f->loop, .reply = calloc(1, REPLY_OCTETS + 1)};

	assert_non_null(c.reply);
	c.watch.fd = client_connect(f);
	assert_int_equal(send(c.watch.fd, request, n, MSG_NOSIGNAL), n);
	return c;
}

static void read_reply(void *arg, uint64_t now_ns, uint32_t events)
{
	struct client *c = arg;
	ssize_t n = recv(c->watch.fd, c->reply + c->n, REPLY_OCTETS - c->n, MSG_DONTWAIT);

	(void)now_ns;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		c->n += (size_t)n;
		return;
	}
	loop_unwatch(c->loop, &c->watch);
	close(c->watch.fd);
	loop_stop(c->loop);
}

void client_await(struct client *c)
{
	c->watch.fn = read_reply;
	c->watch.arg = c;
	assert_int_equal(loop_watch_fd(c->loop, &c->watch, c->watch.fd, EPOLLIN), 0);
	assert_int_equal(loop_run(c->loop), 0);
}

char *ask(struct control_fixture *f, const char *request)
{
	struct client c = client_open(f, request, strlen(request));

	client_await(&c);
	return c.reply;
}

size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

void check_reply(struct control_fixture *f, const char *request, const char *expected)
{
	char *reply = ask(f, request);

	if (!strstr(reply, expected))
		fail_msg("'%s' is answered '%s'", request, reply);
	free(reply);
}

void check_lines(struct control_fixture *f, const char *request, size_t n)
{
	char *reply = ask(f, request);

	assert_int_equal(count_lines(reply), n);
	free(reply);
}
