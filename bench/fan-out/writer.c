/*
 * The limit that servers are compared with: a bare writer of prepared WebSocket frames. The frames of a topic are made
 * once a window, one behind the other, and each connection gets one write a window, of the topics that it has.
 * It keeps no log, checks nothing and resumes nobody.
 *
 *   writer <topics> <window ms>
 *
 * Says its port; takes `rate <messages a second>` and `published` on its input, as server/serve.js does.
 */
#include "common.h"
#include <sys/timerfd.h>
#include <sys/uio.h>

/* The answer to the key of RFC 6455, 1.3, which the load generator always sends. */
static const char ACCEPTED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/* How late a window may be sent; feeder.js has the same. */
#define MOST_LATE_MS 50
/* As many as IOV_MAX. */
#define MOST_TOPICS 1024
#define MOST_CLIENTS 65536
enum { LISTENER = MOST_CLIENTS, INPUT, TIMER };

typedef struct {
  int fd, topics, parts;
  struct iovec *part;
  char *unsent;
  size_t unsent_bytes;
  char request[4096];
  size_t request_bytes;
} Client;

typedef struct {
  uint64_t sequence;
  int clients, room;
  int *client;
  char *frames;
  size_t bytes, frames_room;
} Topic;

static Client *client[MOST_CLIENTS];
static int clients;
static Topic *topic;
static int topics, epoll;
static uint64_t published;
static int *dirty_topic, dirty_client[MOST_CLIENTS];

/* The topic of the n-th message; feeder.js has the same. */
static uint32_t mix (uint32_t n) {
  n = (n ^ (n >> 16)) * 0x45d9f3bu;
  n = (n ^ (n >> 16)) * 0x45d9f3bu;
  return n ^ (n >> 16);
}

/* Appends the frame of a message to its topic's window. */
static void prepare (int index, Topic *to, const char *time, uint64_t at) {
  if (to->frames_room - to->bytes < 512) to->frames = must(realloc(to->frames, to->frames_room += 4096));
  char *frame = to->frames + to->bytes;
  uint64_t sequence = ++to->sequence;
  int length = snprintf(frame + 4, 508,
    "{\"type\":\"trade\",\"channel\":\"trades\",\"symbol\":\"S%04d\",\"sequence\":%lu,\"timestamp\":\"%s\",\"data\":{\"symbol\":\"S%04d\","
    "\"price\":\"185.%02lu\"," MARK "%015lu\",\"timestamp\":\"%s\"}}",
    index, sequence, time, index, sequence % 100, at, time);
  frame[0] = (char)0x81;
  frame[1] = 126;
  frame[2] = (char)(length >> 8);
  frame[3] = (char)length;
  to->bytes += 4 + length;
}

static void leave (Client *from) {
  if (from->fd < 0) return;
  close(from->fd);
  from->fd = -1;
}

static void keep (Client *to, size_t sent) {
  for (int i = 0; i < to->parts; i++) {
    size_t skip = sent < to->part[i].iov_len ? sent : to->part[i].iov_len;
    sent -= skip;
    size_t rest = to->part[i].iov_len - skip;
    if (rest == 0) continue;
    to->unsent = must(realloc(to->unsent, to->unsent_bytes + rest));
    memcpy(to->unsent + to->unsent_bytes, (char *)to->part[i].iov_base + skip, rest);
    to->unsent_bytes += rest;
  }
}

static void send_window (int messages) {
  char time[32], whole[64];
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", gmtime(&t.tv_sec));
  snprintf(whole, sizeof whole, "%s.%03dZ", time, (int)(t.tv_nsec / 1000000));
  uint64_t at = now_us();
  int dirty_topics = 0, dirty_clients = 0;
  for (int i = 0; i < messages; i++) {
    int index = mix((uint32_t)published++) % topics;
    if (topic[index].bytes == 0) dirty_topic[dirty_topics++] = index;
    prepare(index, &topic[index], whole, at);
  }
  for (int i = 0; i < dirty_topics; i++) {
    Topic *from = &topic[dirty_topic[i]];
    for (int j = 0; j < from->clients; j++) {
      Client *to = client[from->client[j]];
      if (to->parts == 0) dirty_client[dirty_clients++] = from->client[j];
      to->part[to->parts++] = (struct iovec){ from->frames, from->bytes };
    }
  }
  for (int i = 0; i < dirty_clients; i++) {
    Client *to = client[dirty_client[i]];
    if (to->fd >= 0 && to->unsent_bytes > 0) keep(to, 0);
    else if (to->fd >= 0) {
      ssize_t sent = writev(to->fd, to->part, to->parts);
      if (sent < 0 && errno != EAGAIN) leave(to);
      else {
        keep(to, sent < 0 ? 0 : sent);
        if (to->unsent_bytes > 0) watch(epoll, EPOLL_CTL_MOD, to->fd, EPOLLIN | EPOLLOUT, dirty_client[i]);
      }
    }
    to->parts = 0;
  }
  for (int i = 0; i < dirty_topics; i++) topic[dirty_topic[i]].bytes = 0;
}

static void drain (int id) {
  Client *to = client[id];
  ssize_t sent = write(to->fd, to->unsent, to->unsent_bytes);
  if (sent < 0 && errno != EAGAIN) { leave(to); return; }
  if (sent <= 0) return;
  memmove(to->unsent, to->unsent + sent, to->unsent_bytes -= sent);
  if (to->unsent_bytes == 0) watch(epoll, EPOLL_CTL_MOD, to->fd, EPOLLIN, id);
}

/* `GET /?topics=0001,0002 HTTP/1.1` */
static void subscribe (int id) {
  Client *to = client[id];
  char *names = strstr(to->request, "topics=");
  if (names == NULL) { leave(to); return; }
  for (char *at = names + 7; *at >= '0' && *at <= '9'; at += *at == ',') {
    Topic *of = &topic[strtol(at, &at, 10) % topics];
    if (of->clients == of->room) of->client = must(realloc(of->client, (of->room = of->room * 2 + 8) * sizeof(int)));
    of->client[of->clients++] = id;
    to->topics++;
  }
  to->part = must(calloc(to->topics, sizeof *to->part));
  if (write(to->fd, ACCEPTED, sizeof ACCEPTED - 1) < 0) leave(to);
}

static void hear (int id) {
  Client *from = client[id];
  char ignored[4096];
  char *into = from->part == NULL ? from->request + from->request_bytes : ignored;
  size_t room = from->part == NULL ? sizeof from->request - 1 - from->request_bytes : sizeof ignored;
  ssize_t got = read(from->fd, into, room);
  if (got == 0 || (got < 0 && errno != EAGAIN)) leave(from);
  if (got <= 0 || from->part != NULL) return;
  from->request_bytes += got;
  if (strstr(from->request, "\r\n\r\n") != NULL) subscribe(id);
}

int main (int count, char **arguments) {
  if (count != 3) return 2;
  topics = atoi(arguments[1]);
  double window = atof(arguments[2]);
  if (topics < 1 || topics > MOST_TOPICS) return 2;
  raise_file_limit();
  topic = must(calloc(topics, sizeof *topic));
  dirty_topic = must(calloc(topics, sizeof *dirty_topic));

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 4096) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);

  epoll = epoll_create1(0);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  long nanoseconds = (long)(window * 1e6);
  struct itimerspec every = { { 0, nanoseconds }, { 0, nanoseconds } };
  timerfd_settime(timer, 0, &every, NULL);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, LISTENER);
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, INPUT);
  watch(epoll, EPOLL_CTL_ADD, timer, EPOLLIN, TIMER);

  double rate = 0, owed = 0;
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      int id = (int)events[i].data.u64;
      if (id == LISTENER) {
        int fd;
        while (clients < MOST_CLIENTS && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          int on = 1;
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          client[clients] = must(calloc(1, sizeof(Client)));
          client[clients]->fd = fd;
          watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, clients++);
        }
      } else if (id == TIMER) {
        uint64_t passed;
        if (read(timer, &passed, sizeof passed) < 0) continue;
        if (passed * window > MOST_LATE_MS) passed = 1;
        for (; passed > 0; passed--) {
          owed += rate * window / 1000;
          int messages = (int)owed;
          owed -= messages;
          if (messages > 0) send_window(messages);
        }
      } else if (id == INPUT) {
        char line[64];
        ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
        if (got <= 0) return 0;
        line[got] = 0;
        if (strncmp(line, "rate ", 5) == 0) rate = atof(line + 5);
        printf("%lu\n", published);
        fflush(stdout);
      } else {
        if (events[i].events & EPOLLOUT && client[id]->fd >= 0) drain(id);
        if (events[i].events & ~EPOLLOUT && client[id]->fd >= 0) hear(id);
      }
    }
  }
}
