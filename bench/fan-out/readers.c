/*
 * WebSocket clients that keep the client's rule of PROTOCOL.md to the letter: every sequence of every topic is looked at.
 *
 *   readers <port> <file> <topics> <stopping> <buffer>
 *
 * The file is that of load.c. The topics of a connection are the names S0000, S0001… in its request; one name is one topic,
 * whatever its channel. The first <stopping> connections have receive buffers of <buffer> bytes, and read nothing between the
 * lines `stop` and `read` of the input. Says `ready <connections>`; answers those two, `tell` and `forget` with what was counted so
 * far, and then forgets the latencies, unless it was `tell`; answers `topics` with the least and the highest last sequence that a
 * connection has of each.
 */
#include "clients.h"
#include <ctype.h>

/* No frame is longer: one message is a frame. */
#define MOST_FRAME (32 << 10)
#define MOST_OPENING 100
#define INPUT UINT64_MAX
#define ABSENT UINT32_MAX

/* What the client has of a topic: its last sequence, 0 before the first; and whether a reset came behind that. */
typedef struct {
  uint32_t last, forgotten;
} Topic;

typedef struct {
  uint64_t messages;
  /* Told by a reset: `missed` messages lie between what was before it and what came behind it. */
  uint64_t lagging_resets, other_resets, missed, snapshots;
  /* What must not happen: a gap without a reset, the same again, a state that is not behind a reset. */
  uint64_t gaps, repeated, unasked;
  uint32_t clients, closed, lagging, lagged;
  /* When the last of them was live again. */
  uint64_t live_at;
  Latencies latencies;
} Group;

typedef struct {
  int fd, answered, lagging, lagged;
  enum { CONNECTING, OPENING, READY } state;
  char *request;
  uint32_t request_bytes;
  Group *group;
  Topic *topic;
  /* The beginning of a frame. */
  char *carry;
  size_t carried;
} Connection;

static Connection *connection;
static uint32_t connections, opened, opening, ready, topics, stopping;
static int epoll, port, small_buffer;
static uint64_t bytes, reads;
static Group going, stopped;

static void open_next (void) {
  connection[opened].fd = connecting(port, opened < stopping ? small_buffer : 0);
  watch(epoll, EPOLL_CTL_ADD, connection[opened].fd, EPOLLOUT, opened);
  opened++;
  opening++;
}

static void became_ready (Connection *it) {
  it->state = READY;
  opening--;
  if (++ready == connections) {
    printf("ready %u\n", ready);
    fflush(stdout);
  } else if (opened < connections) open_next();
}

static void ended (Connection *it, const char *why, size_t length) {
  fprintf(stderr, "connection %ld ended: %.*s\n", (long)(it - connection), (int)length, why);
  if (it->state != READY) exit(1);
  close(it->fd);
  it->fd = -1;
  it->group->closed++;
  if (it->lagging) it->group->lagging--;
}

static Topic *topic_of (Connection *it, const char *text, const char *end) {
  const char *symbol = memmem(text, end - text, "\"symbol\":\"S", 11);
  uint32_t number = symbol == NULL ? topics : (uint32_t)strtoul(symbol + 11, NULL, 10);
  if (number >= topics || it->topic[number].last == ABSENT) fail("a topic that was not asked for");
  return &it->topic[number];
}

static void control (Connection *it, const char *text, const char *end) {
  Group *group = it->group;
  if (strncmp(text, "{\"type\":\"reset\"", 15) == 0) {
    Topic *topic = topic_of(it, text, end);
    topic->forgotten = 1;
    if (memmem(text, end - text, "\"reason\":\"lagging\"", 18) != NULL) group->lagging_resets++;
    else group->other_resets++;
  } else if (strncmp(text, "{\"type\":\"lagging\"", 17) == 0) {
    int lagging = memmem(text, end - text, "\"behind\":0}", 11) == NULL;
    group->lagging += lagging - it->lagging;
    it->lagging = lagging;
    if (!lagging) group->live_at = now_us();
    else if (!it->lagged) it->lagged = 1, group->lagged++;
  } else if (strncmp(text, "{\"type\":\"cursor\"", 16) == 0) {
    if (it->state == OPENING) became_ready(it);
  } else if (strncmp(text, "{\"type\":\"closing\"", 17) == 0 || strncmp(text, "{\"type\":\"error\"", 15) == 0) {
    fprintf(stderr, "%.*s\n", (int)(end - text), text);
  }
}

static void message (Connection *it, const char *text, const char *end, uint64_t at) {
  Group *group = it->group;
  /* Before the data, which may have a field of any name; control messages have no sequence. */
  const char *data = memmem(text, end - text, "\"data\":", 7);
  const char *found = data == NULL ? NULL : memmem(text, data - text, "\"sequence\":", 11);
  if (found == NULL) {
    control(it, text, end);
    return;
  }
  group->messages++;
  Topic *topic = topic_of(it, text, end);
  uint32_t sequence = (uint32_t)strtoul(found + 11, NULL, 10);
  if (sequence <= topic->last) group->repeated++;
  else if (sequence > topic->last + 1) {
    if (topic->forgotten) group->missed += sequence - topic->last - 1;
    else group->gaps++;
  }
  if (memmem(text, data - text, "\"snapshot\":true", 15) != NULL) {
    group->snapshots++;
    if (!topic->forgotten) group->unasked++;
  }
  topic->last = sequence;
  topic->forgotten = 0;
  const char *time = memmem(data, end - data, "size\":\"1", 8);
  if (time != NULL && time + 8 + TIME_DIGITS <= end) timed(&group->latencies, time + 8, at);
}

/* Takes the whole frames of what came. @return the first byte of what is not whole yet */
static char *take_frames (Connection *it, char *from, char *end) {
  uint64_t at = now_us();
  while (end - from >= 2 && it->fd >= 0) {
    unsigned char *head = (unsigned char *)from;
    size_t before = 2, length = head[1];
    if (length == 127) fail("a frame of more than 64 KiB");
    if (length == 126) {
      if (end - from < 4) break;
      length = head[2] << 8 | head[3];
      before = 4;
    }
    if (length > MOST_FRAME - 4) fail("a frame that is too long");
    if ((size_t)(end - from) < before + length) break;
    char *text = from + before;
    from = text + length;
    if (head[0] == 0x81) message(it, text, from, at);
    else if (head[0] == 0x88) ended(it, text + 2, length < 2 ? 0 : length - 2);
    else if (head[0] != 0x89) fail("a frame that is no text");
  }
  return from;
}

static void hear (Connection *it) {
  static char buffer[MOST_FRAME + (256 << 10)];
  ssize_t got = recv(it->fd, buffer + MOST_FRAME, sizeof buffer - MOST_FRAME, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    ended(it, "cut", 3);
    return;
  }
  bytes += got;
  reads++;
  char *from = buffer + MOST_FRAME - it->carried, *end = buffer + MOST_FRAME + got;
  memcpy(from, it->carry, it->carried);
  if (!it->answered) {
    char *body = memmem(from, end - from, "\r\n\r\n", 4);
    if (body != NULL && strncmp(from, "HTTP/1.1 101", 12) != 0) fail("no upgrade");
    it->answered = body != NULL;
    if (body != NULL) from = body + 4;
  }
  if (it->answered) from = take_frames(it, from, end);
  it->carried = end - from;
  if (it->carried > MOST_FRAME) fail("an answer that is too long");
  memcpy(it->carry, from, it->carried);
}

/* The first ones read, or do not. */
static void let_read (int reading) {
  for (uint32_t i = 0; i < stopping; i++) if (connection[i].fd >= 0) watch(epoll, EPOLL_CTL_MOD, connection[i].fd, reading ? EPOLLIN : 0, i);
  if (reading) stopped.live_at = 0;
}

static void tell_group (const char *name, Group *of) {
  printf("\"%s\":{\"clients\":%u,\"messages\":%lu,\"lagging_resets\":%lu,\"other_resets\":%lu,\"missed\":%lu,\"snapshots\":%lu,"
    "\"gaps\":%lu,\"repeated\":%lu,\"unasked\":%lu,\"closed\":%u,\"lagging\":%u,\"lagged\":%u,\"live_at\":%lu,"
    "\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f},",
    name, of->clients, of->messages, of->lagging_resets, of->other_resets, of->missed, of->snapshots,
    of->gaps, of->repeated, of->unasked, of->closed, of->lagging, of->lagged, of->live_at,
    percentile(&of->latencies, 50), percentile(&of->latencies, 99), percentile(&of->latencies, 99.9));
}

static void tell (void) {
  printf("{");
  tell_group("going", &going);
  tell_group("stopped", &stopped);
  printf("\"bytes\":%lu,\"reads\":%lu,\"cpu\":%.6f,\"at\":%lu}\n", bytes, reads, cpu_used(), now_us());
}

static void tell_topics (void) {
  for (uint32_t number = 0; number < topics; number++) {
    uint32_t least = ABSENT, most = 0;
    for (uint32_t i = 0; i < connections; i++) {
      uint32_t last = connection[i].topic[number].last;
      if (last == ABSENT) continue;
      if (last < least) least = last;
      if (last > most) most = last;
    }
    printf("%s[%u,%u]", number == 0 ? "[" : ",", least, most);
  }
  printf("]\n");
}

static void obey (void) {
  char line[256];
  ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
  if (got <= 0) exit(0);
  line[got] = 0;
  if (strncmp(line, "topics", 6) == 0) tell_topics();
  else {
    if (strncmp(line, "stop", 4) == 0) let_read(0);
    if (strncmp(line, "read", 4) == 0) let_read(1);
    tell();
    if (strncmp(line, "tell", 4) != 0) {
      memset(&going.latencies, 0, sizeof going.latencies);
      memset(&stopped.latencies, 0, sizeof stopped.latencies);
    }
  }
  fflush(stdout);
}

static void note_topics (Connection *it) {
  it->topic = must(calloc(topics, sizeof(Topic)));
  for (uint32_t number = 0; number < topics; number++) it->topic[number].last = ABSENT;
  for (char *at = it->request; (at = strchr(at, 'S')) != NULL; at++) {
    if (!isdigit((unsigned char)at[1])) continue;
    uint32_t number = (uint32_t)strtoul(at + 1, NULL, 10);
    if (number >= topics) fail("more topics than were said");
    it->topic[number].last = 0;
  }
}

static void read_requests (const char *name) {
  FILE *file = fopen(name, "rb");
  if (file == NULL) fail(name);
  for (;;) {
    Connection it = { .fd = -1, .group = connections < stopping ? &stopped : &going, .carry = must(malloc(MOST_FRAME)) };
    char *next;
    it.request_bytes = read_text(file, &it.request);
    if (it.request_bytes == UINT32_MAX) break;
    read_text(file, &next);
    note_topics(&it);
    it.group->clients++;
    connection = must(realloc(connection, (connections + 1) * sizeof it));
    connection[connections++] = it;
  }
  fclose(file);
}

int main (int count, char **arguments) {
  if (count != 6) return 2;
  raise_file_limit();
  port = atoi(arguments[1]);
  topics = (uint32_t)atoi(arguments[3]);
  stopping = (uint32_t)atoi(arguments[4]);
  small_buffer = atoi(arguments[5]);
  read_requests(arguments[2]);
  epoll = epoll_create1(0);
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, INPUT);
  while (opened < connections && opening < MOST_OPENING) open_next();
  struct epoll_event events[256];
  for (;;) {
    int happened = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < happened; i++) {
      if (events[i].data.u64 == INPUT) {
        obey();
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
