/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_transfer receive PORT: take one connection, write what comes to standard output.
 * tcp_transfer send ADDRESS PORT: send standard input there, wait for the other's end,
 * print how many segments TCP sent and received ("OUT IN"). Ends with status 3 if it
 * sent any again, as octets are not known by these numbers then.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tcp.h>

static void copy(int from, int to)
{
	static char buffer[1 << 18];
	ssize_t n, done;

	while ((n = read(from, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < n; at += done) {
			done = write(to, buffer + at, (size_t)(n - at));
			if (done < 0)
				err(1, "write");
		}
	}
	if (n < 0)
		err(1, "read");
}

static struct sockaddr_in6 address(const char *text, const char *port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	char mapped[INET6_ADDRSTRLEN + 8] = "::ffff:";

	if (!strchr(text, ':'))
		text = strncat(mapped, text, INET6_ADDRSTRLEN);
	if (inet_pton(AF_INET6, text, &a.sin6_addr) != 1)
		errx(2, "%s is no address", text);
	return a;
}

static void receive(const char *port)
{
	struct sockaddr_in6 at = address("::", port);
	int listener = socket(AF_INET6, SOCK_STREAM, 0), on = 1, fd;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1))
		err(1, "listen on port %s", port);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	copy(fd, STDOUT_FILENO);
	close(fd);
}

static void transmit(const char *host, const char *port)
{
	struct sockaddr_in6 to = address(host, port);
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect to %s port %s", host, port);
	copy(STDIN_FILENO, fd);
	shutdown(fd, SHUT_WR);
	copy(fd, STDOUT_FILENO);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		err(1, "ask for the segments of the connection");
	if (info.tcpi_total_retrans)
		errx(3, "%u segments were sent again", info.tcpi_total_retrans);
	printf("%u %u\n", info.tcpi_segs_out, info.tcpi_segs_in);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "receive"))
		receive(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "send"))
		transmit(argv[2], argv[3]);
	else
		errx(2, "usage: tcp_transfer receive PORT | send ADDRESS PORT");
	return 0;
}
