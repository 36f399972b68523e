/*
 * The clients of a run: opens connections, sends each the bytes that it is given, and counts what comes.
 *
 *   load <port> <file> <stream|poll> <ready> [herd]
 *
 * The file has two texts for each connection, each behind its length (32 bits, little-endian): the first request, and what is sent
 * behind the answer to it. `poll`: that is the next request, sent again and again, with the last cursor in the place of a byte 0.
 * A connection is ready when the text <ready> came. A message is where MARK comes; what is around it, a WebSocket frame or an
 * event or a body, is not looked at.
 * `herd`: all connect at once, and not a hundred at a time.
 * Says `ready <connections>`; then answers each line of its input with what it has counted so far, and forgets the latencies.
 */
#include "clients.h"

/* Every so many messages one is timed. */
#define SAMPLE 8
#define MOST_OPENING 100
#define CARRY 64
#define INPUT UINT64_MAX

typedef struct {
  int fd;
  enum { CONNECTING, OPENING, READY } state;
  char *request, *next;
  uint32_t request_bytes, next_bytes;
  int answered;
  uint64_t messages;
  /* The end of what came, where a text may have begun. */
  char carry[CARRY];
  size_t carried;
  /* poll: the answer so far. */
  char *answer;
  size_t answer_bytes, answer_room;
} Connection;

static Connection *connection;
static uint32_t connections, opened, opening, ready, closed;
static int epoll, polling, port;
static const char *ready_text;
static uint64_t messages, bytes, reads, began;
/* Microseconds from the beginning until each connection was ready, in that order. */
static uint64_t *ready_after;
static Latencies latencies;

static void open_next (void) {
  Connection *it = &connection[opened];
  it->fd = connecting(port, 0);
  watch(epoll, EPOLL_CTL_ADD, it->fd, EPOLLOUT, opened++);
  opening++;
}

static void became_ready (Connection *it) {
  it->state = READY;
  opening--;
  ready_after[ready] = now_us() - began;
  if (++ready == connections) {
    printf("ready %u\n", ready);
    fflush(stdout);
  } else if (opened < connections) open_next();
}

/* Counts the messages in a piece of text. @return where a message may begin that is not whole yet */
static char *count (Connection *it, char *from, char *end) {
  uint64_t at = now_us();
  for (;;) {
    char *found = memmem(from, end - from, MARK, MARK_BYTES);
    if (found == NULL) {
      char *last = end - (MARK_BYTES - 1);
      return last > from ? last : from;
    }
    if (found + MARK_BYTES + TIME_DIGITS > end) return found;
    it->messages++;
    if (++messages % SAMPLE == 0) timed(&latencies, found + MARK_BYTES, at);
    from = found + MARK_BYTES + TIME_DIGITS;
  }
}

static void take (Connection *it, char *from, char *end) {
  memcpy(from -= it->carried, it->carry, it->carried);
  if (it->state == OPENING) {
    if (!it->answered && memmem(from, end - from, "\r\n\r\n", 4) != NULL) {
      it->answered = 1;
      if (it->next_bytes > 0) put(it->fd, it->next, it->next_bytes);
    }
    if (memmem(from, end - from, ready_text, strlen(ready_text)) != NULL) became_ready(it);
  }
  char *rest = count(it, from, end);
  if (it->state == OPENING) rest = end - from < CARRY ? from : end - CARRY + 1;
  it->carried = end - rest;
  memcpy(it->carry, rest, it->carried);
}

static void ask_again (Connection *it, const char *cursor, size_t length) {
  char request[8192];
  size_t before = strlen(it->next);
  if (it->next_bytes + length > sizeof request) fail("a request that is too long");
  memcpy(request, it->next, before);
  memcpy(request + before, cursor, length);
  memcpy(request + before + length, it->next + before + 1, it->next_bytes - before - 1);
  put(it->fd, request, it->next_bytes - 1 + length);
}

static void take_answer (Connection *it, const char *from, size_t length) {
  if (it->answer_room - it->answer_bytes <= length) it->answer = must(realloc(it->answer, it->answer_room = it->answer_bytes + length + 4096));
  memcpy(it->answer + it->answer_bytes, from, length);
  it->answer_bytes += length;
  it->answer[it->answer_bytes] = 0;
  char *body = strstr(it->answer, "\r\n\r\n");
  if (body == NULL) return;
  char *said = strcasestr(it->answer, "content-length:");
  if (said == NULL || said > body) fail("an answer without its length");
  size_t whole = (body += 4) - it->answer + strtoul(said + 15, NULL, 10);
  if (it->answer_bytes < whole) return;
  char *cursor = strstr(body, "\"cursor\":\"");
  if (cursor == NULL) {
    fprintf(stderr, "%s\n", it->answer);
    exit(1);
  }
  cursor += 10;
  count(it, body, it->answer + whole);
  if (it->state == OPENING) became_ready(it);
  ask_again(it, cursor, strcspn(cursor, "\""));
  it->answer_bytes = 0;
}

static void hear (Connection *it) {
  static char buffer[CARRY + (256 << 10)];
  ssize_t got = recv(it->fd, buffer + CARRY, sizeof buffer - CARRY, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    close(it->fd);
    it->fd = -1;
    closed++;
    if (it->state == OPENING) {
      fprintf(stderr, "a connection was closed before it was ready\n");
      exit(1);
    }
    return;
  }
  bytes += got;
  reads++;
  if (polling) take_answer(it, buffer + CARRY, got);
  else take(it, buffer + CARRY, buffer + CARRY + got);
}

static double ready_by (double percent) {
  return ready == 0 ? 0 : ready_after[(uint32_t)((ready - 1) * percent / 100)] / 1000.0;
}

static void tell (void) {
  uint64_t least = UINT64_MAX;
  for (uint32_t i = 0; i < connections; i++) if (connection[i].messages < least) least = connection[i].messages;
  printf("{\"messages\":%lu,\"bytes\":%lu,\"reads\":%lu,\"closed\":%u,\"least\":%lu,\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"cpu\":%.6f,\"at\":%lu,\"ready_p50\":%.1f,\"ready_p99\":%.1f}\n",
    messages, bytes, reads, closed, least, percentile(&latencies, 50), percentile(&latencies, 99), percentile(&latencies, 99.9),
    cpu_used(), now_us(), ready_by(50), ready_by(99));
  fflush(stdout);
  memset(&latencies, 0, sizeof latencies);
}

int main (int count, char **arguments) {
  if (count != 5 && count != 6) return 2;
  uint32_t most_opening = count == 6 ? UINT32_MAX : MOST_OPENING;
  raise_file_limit();
  port = atoi(arguments[1]);
  polling = strcmp(arguments[3], "poll") == 0;
  ready_text = arguments[4];
  if (strlen(ready_text) >= CARRY) return 2;
  FILE *file = fopen(arguments[2], "rb");
  if (file == NULL) fail(arguments[2]);
  for (;;) {
    Connection it = { .fd = -1 };
    it.request_bytes = read_text(file, &it.request);
    if (it.request_bytes == UINT32_MAX) break;
    it.next_bytes = read_text(file, &it.next);
    connection = must(realloc(connection, (connections + 1) * sizeof it));
    connection[connections++] = it;
  }
  fclose(file);
  ready_after = must(calloc(connections + 1, sizeof *ready_after));
  began = now_us();

  epoll = epoll_create1(0);
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, INPUT);
  while (opened < connections && opening < most_opening) open_next();
  struct epoll_event events[256];
  for (;;) {
    int happened = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < happened; i++) {
      if (events[i].data.u64 == INPUT) {
        char line[256];
        if (read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
        tell();
        continue;
      }
      Connection *it = &connection[events[i].data.u64];
      if (it->fd < 0) continue;
      if (it->state != CONNECTING) {
        hear(it);
        continue;
      }
      put(it->fd, it->request, it->request_bytes);
      it->state = OPENING;
      watch(epoll, EPOLL_CTL_MOD, it->fd, EPOLLIN, events[i].data.u64);
    }
  }
}
