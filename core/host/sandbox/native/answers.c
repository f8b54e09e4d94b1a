#include "answers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct buffer out;

void die(const char *what) {
  fprintf(stderr, "floe-sandbox: %s: %s\n", what, strerror(errno));
  exit(1);
}

void *reserve(struct buffer *b, size_t size) {
  if (b->start == b->end) b->start = b->end = 0;
  if (b->start > 0 && b->room - b->end < size) {
    memmove(b->data, b->data + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
  }
  if (b->room - b->end < size) {
    b->room = (b->end + size) * 2;
    b->data = realloc(b->data, b->room);
    if (b->data == NULL) die("memory");
  }
  return b->data + b->end;
}

static void put(const void *data, size_t size) {
  memcpy(reserve(&out, size), data, size);
  out.end += size;
}

void answer(char kind, uint32_t id, const void *data, size_t size) {
  uint32_t length = size + 5;
  put(&length, 4);
  put(&kind, 1);
  put(&id, 4);
  put(data, size);
}

void answer_number(char kind, uint32_t id, uint32_t number) { answer(kind, id, &number, 4); }

void answer_failure(char kind, uint32_t id, int error, const char *text) {
  char data[512];
  uint32_t number = error;
  memcpy(data, &number, 4);
  int size = snprintf(data + 4, sizeof data - 4, "%s: %s", text, strerror(error));
  if (size > (int)sizeof data - 5) size = sizeof data - 5;
  answer(kind, id, data, 4 + size);
}

int write_answers(void) {
  while (out.start < out.end) {
    ssize_t size = write(1, out.data + out.start, out.end - out.start);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    out.start += size;
  }
  return 1;
}
