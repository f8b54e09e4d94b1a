/* Byte queues, and what frames are made of. */
#include "agent.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bytes output;

void die(const char *what) {
  fprintf(stderr, "floe-agent: cannot %s: %s\n", what, strerror(errno));
  exit(1);
}

int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

size_t queued(const struct bytes *b) { return b->end - b->start; }

uint8_t *reserve(struct bytes *b, size_t size) {
  if (b->start == b->end) b->start = b->end = 0;
  if (b->end + size > b->room && b->start > 0) {
    memmove(b->data, b->data + b->start, queued(b));
    b->end -= b->start;
    b->start = 0;
  }
  if (b->end + size > b->room) {
    b->room = (b->end + size) * 2;
    b->data = realloc(b->data, b->room);
    if (!b->data) die("hold data");
  }
  return b->data + b->end;
}

void append(struct bytes *b, const void *data, size_t size) {
  if (size == 0) return;
  memcpy(reserve(b, size), data, size);
  b->end += size;
}

void append_number(struct bytes *b, uint64_t value, int size) {
  uint8_t raw[8];
  for (int i = 0; i < size; i++) raw[i] = value >> (8 * i);
  append(b, raw, size);
}

void drop(struct bytes *b) {
  free(b->data), memset(b, 0, sizeof *b);
}

uint32_t get32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

/* A payload that ends too early gives zeros and NULL from there on; who takes from it checks the last thing it takes. */
uint64_t take_number(struct reader *r, int size) {
  uint64_t value = 0;
  if (r->end - r->at < size) { r->at = r->end; return 0; }
  for (int i = 0; i < size; i++) value |= (uint64_t)r->at[i] << (8 * i);
  r->at += size;
  return value;
}

const char *take_text(struct reader *r) {
  const uint8_t *stop = r->at < r->end ? memchr(r->at, 0, r->end - r->at) : NULL;
  if (!stop) { r->at = r->end; return NULL; }
  const char *text = (const char *)r->at;
  r->at = stop + 1;
  return text;
}

const char **take_list(struct reader *r) {
  uint32_t count = take_number(r, 4);
  /* Each text takes a byte at least. */
  if (count > (size_t)(r->end - r->at)) return NULL;
  const char **list = calloc(count + 1, sizeof *list);
  if (!list) die("hold a list");
  for (uint32_t i = 0; i < count; i++)
    if (!(list[i] = take_text(r))) { free(list); return NULL; }
  return list;
}

void send_frame(uint8_t type, uint32_t stream, const void *payload, size_t size) {
  append_number(&output, size + 5, 4);
  append_number(&output, type, 1);
  append_number(&output, stream, 4);
  append(&output, payload, size);
}

void send_number(uint8_t type, uint32_t stream, uint64_t value, int size) {
  append_number(&output, size + 5, 4);
  append_number(&output, type, 1);
  append_number(&output, stream, 4);
  append_number(&output, value, size);
}

void send_failure(uint32_t stream, int error, const char *what, const char *name) {
  char text[512];
  memcpy(text, &error, 4);
  int size = snprintf(text + 4, sizeof text - 4, "cannot %s \"%s\": %s", what, name, strerror(error));
  send_frame(FAILED, stream, text, 4 + (size < 500 ? size : 500));
}
