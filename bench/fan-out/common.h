/* What the writer and the load generator have in common. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Stands before the time of publishing in each message, once: 15 digits of microseconds, CLOCK_MONOTONIC. A size begins with no 0. */
#define MARK "\"size\":\"1"
#define MARK_BYTES (sizeof MARK - 1)
#define TIME_DIGITS 15

static inline uint64_t now_us (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

_Noreturn static inline void fail (const char *what) {
  perror(what);
  exit(1);
}

static inline void *must (void *memory) {
  if (memory == NULL) fail("out of memory");
  return memory;
}

static inline void watch (int epoll, int op, int fd, uint32_t events, uint64_t id) {
  struct epoll_event event = { .events = events, .data.u64 = id };
  if (epoll_ctl(epoll, op, fd, &event) < 0) fail("epoll_ctl");
}

static inline void raise_file_limit (void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}
