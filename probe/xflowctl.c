/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xflowctl: asks a running probe over its control socket and prints the answer,
 * as tables or as the JSON lines it came in.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe/control.h"
#include "probe/xflowctl_table.h"

#define DEFAULT_SOCKET "/run/xflow-probe/control.sock"
#define EXIT_USAGE     2
#define SOCKET_WAIT_S  30

static const char *const commands[] = {"status",  "ledger",    "flows",	    "top",   "events",
				       "explain", "templates", "protocols", "reload"};

static const char usage_line[] =
	"usage: xflowctl [-s SOCKET] [--json] status|ledger|flows [FILTER]|"
	"top [flows|hosts|ports] [N]|events|explain ID|templates [--send]|"
	"protocols [NAME|NUMBER [on|off]]|reload\n";

static const char help[] =
	"\n"
	"  -s, --socket SOCKET   the probe's control.socket (default " DEFAULT_SOCKET ")\n"
	"      --json            JSON lines as the probe sends them\n"
	"      --version\n"
	"  -h, --help\n"
	"\n"
	"  status                what the probe does, its interfaces, Flow Cache and exporters\n"
	"  ledger                where every packet went; 'balanced' when nothing is missing\n"
	"  flows [FILTER]        Flows in the cache; FILTER is any of these, all must hold:\n"
	"                          [src|dst] host ADDRESS    [src|dst] net ADDRESS/LENGTH\n"
	"                          [src|dst] port N    proto NAME|N    vlan N    ipv4    ipv6\n"
	"                          state opening|established|closing|closed|reset|\n"
	"                          never-answered|none\n"
	"                          packets|octets >=|<=|>|<|= N    not TERM\n"
	"  top [flows|hosts|ports] [N]\n"
	"                        the N largest by octets (default: flows, 10)\n"
	"  events                anomalies that go on, or ended in the last five minutes\n"
	"  explain ID            what was seen, why it is an event, what would have silenced it\n"
	"  templates             Template IDs of each exporter\n"
	"      --send            and send them again, three times, over UDP\n"
	"  protocols [NAME|NUMBER [on|off]]\n"
	"                        packets and octets of each IP protocol; meter one, or no longer\n"
	"  reload                read the configuration again, as SIGHUP does, and say what "
	"changed\n";

struct options {
	const char *socket_path;
	bool wants_json;
	bool sends;
	char request[CONTROL_REQUEST_OCTETS]; /* one line, newline included */
};

static int fail_usage(const char *reason, const char *word)
{
	fprintf(stderr, "xflowctl: %s%s\n%s", reason, word, usage_line);
	return EXIT_USAGE;
}

static bool is_command(const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(word, commands[i]))
			return true;
	return false;
}

/* Join the words into the request line. Returns 0 or EXIT_USAGE. */
static int build_request(struct options *o, char *const *words)
{
	size_t n = 0;

	if (!*words)
		return fail_usage("no command", "");
	if (!is_command(*words))
		return fail_usage("unknown command: ", *words);
	if (o->sends && (strcmp(*words, "templates") != 0 || words[1]))
		return fail_usage("--send is for templates, alone", "");
	if (o->sends) {
		strcpy(o->request, "templates send\n");
		return 0;
	}
	for (; *words; words++) {
		size_t octets = strlen(*words);

		if (strchr(*words, '\n'))
			return fail_usage("a line end inside the request", "");
		if (n + octets + 1 >= sizeof(o->request))
			return fail_usage("the request is too long", "");
		memcpy(o->request + n, *words, octets);
		n += octets;
		o->request[n++] = words[1] ? ' ' : '\n';
	}
	o->request[n] = '\0';
	return 0;
}

/* Returns 0, an exit status, or -1 when there is nothing left to do. */
static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"send", no_argument, NULL, 'S'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "s:h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->socket_path = optarg;
			break;
		case 'j':
			o->wants_json = true;
			break;
		case 'S':
			o->sends = true;
			break;
		case 'V':
			puts("xflowctl " XFP_VERSION);
			return -1;
		case 'h':
			fputs(usage_line, stdout);
			fputs(help, stdout);
			return -1;
		default:
			fputs(usage_line, stderr);
			return EXIT_USAGE;
		}
	}
	return build_request(o, argv + optind);
}

/* Descriptor or -errno. */
static int connect_to(const char *path)
{
	const struct timeval wait = {.tv_sec = SOCKET_WAIT_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int err = -errno;

	close(fd);
	return err;
}

static int fail_connect(const char *path, int err)
{
	const char *fix = "";

	if (err == -ENOENT || err == -ECONNREFUSED)
		fix = ": is xflow-probe running, and is this its control.socket? (-s SOCKET)";
	else if (err == -EACCES)
		fix = ": run it as root or in the socket's group";
	fprintf(stderr, "xflowctl: connect to the probe at %s: %s%s\n", path, strerror(-err), fix);
	return EXIT_FAILURE;
}

/* Flows that are not listed, or all that hosts and ports without a place of their own had. */
static void print_truncated(const json_t *object)
{
	long long printed = json_integer_value(json_object_get(object, "printed"));
	long long matching = json_integer_value(json_object_get(object, "matching"));

	if (matching)
		fprintf(stderr, "xflowctl: %lld of %lld Flows are shown: narrow the filter\n",
			printed, matching);
	else
		fprintf(stderr,
			"xflowctl: too many hosts or ports to keep apart: some are missing\n");
}

/* Print one line of the reply; false when it is, or the line itself is, an error. */
static bool print_line(const struct options *o, struct table *table, const char *line)
{
	json_error_t error;
	json_t *object = json_loads(line, 0, &error);
	const char *type = json_string_value(json_object_get(object, "type"));
	bool is_error = !type || !strcmp(type, "error");
	const char *reason = json_string_value(json_object_get(object, "error"));

	if (o->wants_json)
		fputs(line, stdout);
	else if (is_error)
		fprintf(stderr, "xflowctl: %s\n", reason ? reason : "the answer is no JSON line");
	else if (!strcmp(type, "truncated"))
		print_truncated(object);
	else
		table_print(table, object, stdout);
	json_decref(object);
	return !is_error;
}

static int print_reply(const struct options *o, FILE *reply)
{
	struct table table = {0};
	bool is_fine = true, has_answer = false;
	size_t size = 0;
	char *line = NULL;

	errno = 0;
	while (getline(&line, &size, reply) > 0) {
		has_answer = true;
		is_fine = print_line(o, &table, line) && is_fine;
		errno = 0;
	}
	free(line);
	if (errno) {
		fprintf(stderr, "xflowctl: read the answer of %s: %s\n", o->socket_path,
			errno == EAGAIN ? "nothing came for 30 s" : strerror(errno));
		return EXIT_FAILURE;
	}
	if (!has_answer && strncmp(o->request, "flows", 5) != 0 &&
	    strncmp(o->request, "top", 3) != 0 && strncmp(o->request, "events", 6) != 0 &&
	    strncmp(o->request, "templates", 9) != 0 && strncmp(o->request, "protocols", 9) != 0) {
		fprintf(stderr, "xflowctl: %s hung up without an answer\n", o->socket_path);
		return EXIT_FAILURE;
	}
	if (fflush(stdout)) {
		perror("xflowctl: write the answer");
		return EXIT_FAILURE;
	}
	return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int ask(const struct options *o)
{
	int fd = connect_to(o->socket_path), status;
	FILE *reply;

	if (fd < 0)
		return fail_connect(o->socket_path, fd);
	/* refused or not, the reason is in the reply */
	send(fd, o->request, strlen(o->request), MSG_NOSIGNAL);
	reply = fdopen(fd, "r");
	if (!reply) {
		close(fd);
		return EXIT_FAILURE;
	}
	status = print_reply(o, reply);
	fclose(reply);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = {.socket_path = DEFAULT_SOCKET};
	int status = parse_options(&o, argc, argv);

	if (status)
		return status < 0 ? EXIT_SUCCESS : status;
	return ask(&o);
}
