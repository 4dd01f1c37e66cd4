/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xflow-collector-test: a small, strict, loud IPFIX Collecting Process for tests.
 * It shares no code with the probe. One JSON line per Data Record on stdout, a
 * summary as the last line, and an exit status that says whether all was well.
 */
#include "collector-test/collect.h"
#include "collector-test/counts.h"
#include "collector-test/jsonl.h"
#include "collector-test/listen.h"
#include "collector-test/session.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE    2
#define EXIT_FAULTS   3
#define LIST_MAX      16
#define STDOUT_OCTETS (1 << 18)

static const char help[] =
	"Usage: xflow-collector-test {--udp [ADDR:]PORT | --tcp [ADDR:]PORT | --read FILE} "
	"[OPTION]...\n"
	"Receive IPFIX, print one JSON line per Data Record and a summary, and complain.\n"
	"\n"
	"  --udp [ADDR:]PORT  listen over UDP (repeatable); port 0 takes a free one\n"
	"  --tcp [ADDR:]PORT  listen over TCP (repeatable); IPv6 as [ADDR]:PORT\n"
	"  --read FILE        read an IPFIX File (RFC 5655) instead; - is standard input\n"
	"  --elements FILE    add the enterprise's elements of an XML registry (repeatable)\n"
	"  --records N        end after N Data Records, at the end of a Message\n"
	"  --seconds T        end after T seconds\n"
	"  --summary-only     count and sum, decode and print no record\n"
	"  --lenient          exit 0 in spite of faults\n"
	"  --help             print this\n"
	"\n"
	"SIGINT and SIGTERM end it too, after what has been received is counted.\n"
	"Lists (RFC 6313) are printed as null. A member whose name is taken gets #2, #3 ...\n"
	"Exit status: 0 all was well, 1 failed, 2 usage, 3 the summary counts a fault.\n";

struct addresses {
	const char *items[LIST_MAX];
	size_t n;
};

struct options {
	struct addresses udp;
	struct addresses tcp;
	struct addresses elements;
	const char *file;
	uint64_t max_records;
	double max_s;
	bool is_summary_only;
	bool is_lenient;
	bool wants_help;
};

static int complain(const char *option, const char *why)
{
	fprintf(stderr, "xflow-collector-test: %s: %s (see --help)\n", option, why);
	return -EINVAL;
}

static int add_item(struct addresses *list, const char *option, const char *item)
{
	if (list->n == LIST_MAX)
		return complain(option, "given too often");
	list->items[list->n++] = item;
	return 0;
}

static int parse_records(const char *text, uint64_t *out)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end != '\0' || value == 0 || text[0] < '0' || text[0] > '9')
		return complain("--records", "not a number above 0");
	*out = value;
	return 0;
}

static int parse_seconds(const char *text, double *out)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value > 0 && value <= 1e6))
		return complain("--seconds", "not a number of seconds above 0, at most 1000000");
	*out = value;
	return 0;
}

static int parse_option(int option, struct options *options)
{
	switch (option) {
	case 'u':
		return add_item(&options->udp, "--udp", optarg);
	case 't':
		return add_item(&options->tcp, "--tcp", optarg);
	case 'e':
		return add_item(&options->elements, "--elements", optarg);
	case 'n':
		return parse_records(optarg, &options->max_records);
	case 's':
		return parse_seconds(optarg, &options->max_s);
	case 'r':
		options->file = optarg;
		return 0;
	case 'S':
		options->is_summary_only = true;
		return 0;
	case 'l':
		options->is_lenient = true;
		return 0;
	case 'h':
		options->wants_help = true;
		return 0;
	default: /* getopt_long() has said why */
		return -EINVAL;
	}
}

static int parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option table[] = {
		{"udp", required_argument, NULL, 'u'},
		{"tcp", required_argument, NULL, 't'},
		{"read", required_argument, NULL, 'r'},
		{"elements", required_argument, NULL, 'e'},
		{"records", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 's'},
		{"summary-only", no_argument, NULL, 'S'},
		{"lenient", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool wants_sockets;
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		int err = parse_option(option, options);

		if (err)
			return err;
	}
	if (options->wants_help)
		return 0;
	wants_sockets = options->udp.n + options->tcp.n > 0;
	if (optind < argc)
		return complain(argv[optind], "unexpected argument");
	if (wants_sockets == (options->file != NULL))
		return complain("--udp, --tcp, --read", "give either listeners or one file");
	return 0;
}

static int read_file(const struct options *options, const struct output *output)
{
	struct session session;
	FILE *file = strcmp(options->file, "-") == 0 ? stdin : fopen(options->file, "rb");
	int err = file ? session_open(&session, TRANSPORT_FILE, output) : -errno;

	if (err == 0) {
		err = session_read_file(&session, file, options->max_records);
		session_close(&session);
	}
	if (file && file != stdin)
		fclose(file);
	if (err)
		fprintf(stderr, "xflow-collector-test: read %s: %s\n", options->file,
			strerror(-err));
	return err;
}

static int receive(const struct options *options, const struct output *output)
{
	struct listen listen;
	int err = listen_open(&listen, output);

	if (err)
		return err;
	for (size_t i = 0; i < options->udp.n && err == 0; i++)
		err = listen_add(&listen, TRANSPORT_UDP, options->udp.items[i]);
	for (size_t i = 0; i < options->tcp.n && err == 0; i++)
		err = listen_add(&listen, TRANSPORT_TCP, options->tcp.items[i]);
	if (err == 0)
		err = listen_run(&listen, options->max_records, options->max_s);
	listen_close(&listen);
	return err;
}

static int collect_all(const struct options *options, struct counts *counts)
{
	static char buffer[STDOUT_OCTETS];
	struct jsonl jsonl = {.file = stdout};
	struct output output = {.counts = counts};
	int err = collect_open_model(options->elements.items, options->elements.n, &output.model);

	if (err)
		return err;
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	output.jsonl = options->is_summary_only ? NULL : &jsonl;
	err = options->file ? read_file(options, &output) : receive(options, &output);
	fbInfoModelFree(output.model);
	if (err)
		return err;
	counts_write(counts, &jsonl);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "xflow-collector-test: write to standard output: %s\n", strerror(errno));
	return -EIO;
}

int main(int argc, char *argv[])
{
	struct options options = {0};
	struct counts counts = {0};
	int err = parse_options(argc, argv, &options);

	if (err)
		return EXIT_USAGE;
	if (options.wants_help) {
		fputs(help, stdout);
		return 0;
	}
	err = collect_all(&options, &counts);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	return !options.is_lenient && counts_has_fault(&counts) ? EXIT_FAULTS : 0;
}
