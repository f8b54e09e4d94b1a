/* The table of streams, and the bytes that go through those with two directions. */
#include "agent.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream streams[MAX_STREAMS];

struct stream *find_stream(uint32_t id) {
  for (int i = 0; i < MAX_STREAMS; i++)
    if (streams[i].kind != FREE && streams[i].kind != LINGERING && streams[i].id == id) return &streams[i];
  return NULL;
}

struct stream *new_stream(uint32_t id, enum kind kind) {
  if (find_stream(id)) { errno = EEXIST; return NULL; }
  for (int i = 0; i < MAX_STREAMS; i++)
    if (streams[i].kind == FREE) {
      streams[i] = (struct stream){.kind = kind, .id = id, .in = -1, .out = -1, .err = -1};
      return &streams[i];
    }
  errno = EMFILE;
  return NULL;
}

void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void free_stream(struct stream *s) {
  shut(&s->in), shut(&s->out), shut(&s->err);
  drop(&s->input);
  if (s->temporary) unlink(s->temporary);
  if (s->watch) free_watch(s->watch);
  free(s->temporary), free(s->path);
  memset(s, 0, sizeof *s);
}

/* What the host does not know about any more ends, with all it started. */
void end_streams(void) {
  for (int i = 0; i < MAX_STREAMS; i++) {
    struct stream *s = &streams[i];
    if (s->kind == FREE) continue;
    if (s->kind == COMMAND && !s->exited) kill(-s->pid, SIGKILL);
    free_stream(s);
  }
}

/* Move what was written by the other side into frames; a lingering stream's bytes belong to nobody any more. */
void read_output(struct stream *s, int *fd, uint8_t type) {
  uint8_t chunk[CHUNK];
  bool connection = s->kind == CONNECTION;
  while (*fd >= 0 && (s->kind == LINGERING || queued(&output) < OUTPUT_HIGH)) {
    size_t room = connection && s->credit < sizeof chunk ? s->credit : sizeof chunk;
    if (room == 0) return;
    ssize_t size = read(*fd, chunk, room);
    if (size > 0 && s->kind != LINGERING) send_frame(type, s->id, chunk, size);
    if (size > 0 && connection) s->credit -= size;
    else if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
      /* An empty frame is the end of what a connection gives; a command tells its end by EXITED. */
      if (connection) send_frame(type, s->id, NULL, 0);
      shut(fd);
    } else if (size < 0) return;
  }
}

void take_input(struct stream *s, const struct reader *r) {
  size_t size = r->end - r->at;
  if (size == 0) s->in_ended = true;
  else if (queued(&s->input) + size <= WINDOW) append(&s->input, r->at, size);
  write_input(s);
}

void write_input(struct stream *s) {
  if (s->in < 0 || s->kind == CONNECTING) return;
  if (queued(&s->input)) {
    ssize_t size = write(s->in, s->input.data + s->input.start, queued(&s->input));
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    /* One that stops reading still has its window acknowledged, so that the host can finish sending. */
    uint32_t taken = size < 0 ? queued(&s->input) : (uint32_t)size;
    s->input.start += taken;
    send_number(STDIN_READ, s->id, taken, 4);
    if (size < 0) shut(&s->in);
  }
  if (!s->in_ended || queued(&s->input) || s->in < 0) return;
  if (s->kind == CONNECTION) shutdown(s->in, SHUT_WR);
  /* The end of what is typed, which a terminal passes on at the beginning of a line. */
  else if (s->terminal && write(s->in, "\004", 1) < 0 && errno == EAGAIN) return;
  shut(&s->in);
}
