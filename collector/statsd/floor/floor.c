// floor is the least that a receiver of StatsD can do: every millisecond it reads
// all datagrams that have come, many in one system call, and counts their lines.
// It takes no line apart, adds nothing up and keeps nothing. What the collector
// costs beside it, BenchmarkFloor in cmd/throughline measures.
//
//	cc -O2 -o floor floor.c
//	./floor PORT     listens on 127.0.0.1:PORT until SIGTERM, and prints
//	                 datagrams, lines and the CPU seconds of user and system time
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, LONGEST = 8192, BUFFER = 32 << 20 };

static char memory[BATCH][LONGEST];
static volatile sig_atomic_t ended;

static void end(int signal) { (void)signal, ended = 1; }

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static int listen_at(const char *port) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER;
	if (fd < 0)
		fail("socket");
	// Without privilege the limit of the system holds.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
		fail("bind");
	return fd;
}

int main(int argc, char **argv) {
	if (argc != 2) {
		fprintf(stderr, "usage: floor PORT\n");
		return 2;
	}
	int fd = listen_at(argv[1]);
	signal(SIGTERM, end);
	static struct iovec parts[BATCH];
	static struct mmsghdr headers[BATCH];
	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){memory[i], LONGEST};
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	unsigned long long datagrams = 0, lines = 0;
	const struct timespec millisecond = {0, 1000000};
	while (!ended) {
		int n;
		while ((n = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL)) > 0) {
			datagrams += n;
			for (int i = 0; i < n; i++) {
				const char *at = memory[i], *last = at + headers[i].msg_len;
				while ((at = memchr(at, '\n', last - at)) != NULL)
					lines++, at++;
			}
			if (n < BATCH)
				break;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			fail("recvmmsg");
		nanosleep(&millisecond, NULL);
	}
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	printf("%llu %llu %f\n", datagrams, lines, seconds(used.ru_utime) + seconds(used.ru_stime));
	return 0;
}
