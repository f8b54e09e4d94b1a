/* Files, whole or not at all, with their holes. */
#include "agent.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void give_up(struct stream *s, const char *verb) {
  send_failure(s->id, errno, verb, s->path);
  free_stream(s);
}

/* PUT payload: u32 mode and the path. The file appears under its name when it is whole and synced. */
void start_put(uint32_t id, struct reader r) {
  uint32_t mode = take_number(&r, 4);
  const char *path = take_text(&r);
  struct stream *s = path ? new_stream(id, INCOMING) : NULL;
  if (!s) return send_failure(id, path ? errno : EINVAL, "write", path ? path : "");
  s->path = strdup(path);
  if (asprintf(&s->temporary, "%s.floe-%u", path, id) < 0) die("name a file");
  s->in = open(s->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (s->in < 0 || fchmod(s->in, mode)) give_up(s, "write");
}

/* What was skipped becomes part of the file when something follows it. */
static int pass_hole(struct stream *s) {
  if (s->hole == 0) return 0;
  off_t at = lseek(s->in, s->hole, SEEK_CUR);
  s->hole = 0;
  return at < 0 ? -1 : ftruncate(s->in, at);
}

void put_data(struct stream *s, struct reader r) {
  if (pass_hole(s)) return give_up(s, "write");
  while (r.at < r.end) {
    ssize_t size = write(s->in, r.at, r.end - r.at);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return give_up(s, "write");
    r.at += size;
  }
}

void put_hole(struct stream *s, struct reader r) { s->hole += take_number(&r, 8); }

void put_end(struct stream *s) {
  if (pass_hole(s) || fsync(s->in) || rename(s->temporary, s->path)) return give_up(s, "write");
  send_frame(DONE, s->id, NULL, 0);
  free(s->temporary), s->temporary = NULL;
  free_stream(s);
}

void start_get(uint32_t id, struct reader r) {
  const char *path = take_text(&r);
  struct stream *s = path ? new_stream(id, OUTGOING) : NULL;
  if (!s) return send_failure(id, path ? errno : EINVAL, "read", path ? path : "");
  s->path = strdup(path);
  s->in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat info;
  if (s->in < 0 || fstat(s->in, &info)) return give_up(s, "read");
  errno = S_ISDIR(info.st_mode) ? EISDIR : S_ISREG(info.st_mode) || S_ISBLK(info.st_mode) ? 0 : EINVAL;
  if (errno) give_up(s, "read");
}

/* Send the hole that begins here, if one does. Files of /proc and /sys know no holes and have no size either. */
static void skip_hole(struct stream *s) {
  struct stat info;
  off_t at = lseek(s->in, 0, SEEK_CUR);
  if (at < 0 || fstat(s->in, &info) || !S_ISREG(info.st_mode) || at >= info.st_size) return;
  off_t data = lseek(s->in, at, SEEK_DATA);
  if (data < 0) data = errno == ENXIO ? info.st_size : at;
  if (data > at) send_number(GET_HOLE, s->id, data - at, 8);
  lseek(s->in, data, SEEK_SET);
}

void continue_get(struct stream *s) {
  uint8_t chunk[CHUNK];
  while (queued(&output) < OUTPUT_HIGH) {
    skip_hole(s);
    ssize_t size = read(s->in, chunk, sizeof chunk);
    if (size > 0) { send_frame(GET_DATA, s->id, chunk, size); continue; }
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return give_up(s, "read");
    struct stat info;
    send_number(GET_END, s->id, fstat(s->in, &info) ? 0 : info.st_mode & 07777, 4);
    return free_stream(s);
  }
}
