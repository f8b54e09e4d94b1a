/* Sockets of the guest, carried to the host: its services, its bus, whatever listens in it. */
#include "agent.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un local;
};

/* A port of 0 stands for a socket in the file system. Returns the length; 0 with errno for what is no address. */
static socklen_t make_address(union address *to, const char *text, uint32_t port) {
  memset(to, 0, sizeof *to);
  errno = EINVAL;
  if (port == 0) {
    if (strlen(text) >= sizeof to->local.sun_path) { errno = ENAMETOOLONG; return 0; }
    to->local.sun_family = AF_UNIX;
    strcpy(to->local.sun_path, text);
    return sizeof to->local;
  }
  if (port > 65535) return 0;
  if (inet_pton(AF_INET, text, &to->v4.sin_addr) == 1) {
    to->v4.sin_family = AF_INET, to->v4.sin_port = htons(port);
    return sizeof to->v4;
  }
  if (inet_pton(AF_INET6, text, &to->v6.sin6_addr) == 1) {
    to->v6.sin6_family = AF_INET6, to->v6.sin6_port = htons(port);
    return sizeof to->v6;
  }
  return 0;
}

static void give_up(struct stream *s, int error) {
  send_failure(s->id, error, "connect to", s->path);
  free_stream(s);
}

static void begin(struct stream *s) {
  s->kind = CONNECTION;
  s->in = fcntl(s->out, F_DUPFD_CLOEXEC, 0);
  send_number(STARTED, s->id, 0, 4);
  write_input(s);
}

/* CONNECT payload: address and u32 port. */
void start_connection(uint32_t id, struct reader r) {
  const char *address = take_text(&r);
  uint32_t port = take_number(&r, 4);
  struct stream *s = address ? new_stream(id, CONNECTING) : NULL;
  if (!s) return send_failure(id, address ? errno : EINVAL, "connect to", address ? address : "");
  if (asprintf(&s->path, port ? "%s port %u" : "%s", address, port) < 0) die("name a connection");
  s->credit = WINDOW;
  union address to;
  socklen_t size = make_address(&to, address, port);
  if (size == 0) return give_up(s, errno);
  s->out = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s->out < 0) return give_up(s, errno);
  if (connect(s->out, &to.any, size) == 0) begin(s);
  else if (errno != EINPROGRESS) give_up(s, errno);
}

void continue_connection(struct stream *s) {
  if (s->kind == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    union address to;
    socklen_t room = sizeof to;
    if (getsockopt(s->out, SOL_SOCKET, SO_ERROR, &error, &size)) error = errno;
    if (error) return give_up(s, error);
    if (getpeername(s->out, &to.any, &room)) return;
    begin(s);
  }
  read_output(s, &s->out, STDOUT);
  write_input(s);
  if (s->out >= 0 || s->in >= 0) return;
  send_frame(DONE, s->id, NULL, 0);
  free_stream(s);
}
