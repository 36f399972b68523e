/* What the load generators have in common. */
#pragma once
#include "common.h"

/* Latencies by steps of 10 microseconds; the last is all that took longer. */
#define STEP_US 10
#define STEPS 500000

typedef struct {
  uint64_t sampled;
  uint32_t step[STEPS];
} Latencies;

static inline void timed (Latencies *in, const char *digits, uint64_t at) {
  uint64_t then = 0;
  for (int i = 0; i < TIME_DIGITS; i++) then = then * 10 + (digits[i] - '0');
  uint64_t step = at > then ? (at - then) / STEP_US : 0;
  in->step[step < STEPS ? step : STEPS - 1]++;
  in->sampled++;
}

static inline double percentile (const Latencies *of, double percent) {
  uint64_t wanted = (uint64_t)(of->sampled * percent / 100), seen = 0;
  for (int step = 0; step < STEPS; step++) if ((seen += of->step[step]) > wanted) return (step + 1) * STEP_US / 1000.0;
  return 0;
}

/* CPU seconds of this process. */
static inline double cpu_used (void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Begins to connect. @param receive_buffer bytes, 0 for the system's default */
static inline int connecting (int port, int receive_buffer) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  /* Before connecting: the window that is offered first counts. */
  if (receive_buffer > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  /* The end is a reset: thousands of sockets in TIME_WAIT would stand in the way of the next run. */
  struct linger linger = { 1, 0 };
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) fail("connect");
  return fd;
}

static inline void put (int fd, const char *text, size_t length) {
  if (write(fd, text, length) != (ssize_t)length) fail("write");
}

/* The next text of a file, behind its length (32 bits, little-endian). @return its length, UINT32_MAX at the end */
static inline uint32_t read_text (FILE *file, char **text) {
  uint32_t length;
  if (fread(&length, sizeof length, 1, file) != 1) return UINT32_MAX;
  *text = must(calloc(length + 1, 1));
  if (fread(*text, 1, length, file) != length) fail("the file of requests");
  return length;
}
