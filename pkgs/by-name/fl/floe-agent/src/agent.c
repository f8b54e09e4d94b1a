/*
 * floe-agent: the hand of a machine test inside its guest.
 *
 * It speaks a framed protocol over one byte stream, normally the virtio-serial port org.floe.agent.0:
 *
 *   frame = u32 length | u8 type | u32 stream | payload        (little endian; length counts what follows it)
 *
 * A length of zero never occurs in a frame, so the sixteen bytes of SYNC mark a place where framing starts again. Each
 * side writes SYNC before its first frame (EPOCH by the host, HELLO by the agent) and drops what it reads before seeing it.
 * A new EPOCH ends all running commands and open transfers: what the host does not know about must not go on.
 *
 * Usage: floe-agent [--name PORT] | --fd N | --pipe PORT COMMAND [ARGUMENT...]
 *   --pipe opens the port as standard output and runs the command, which is how the journal leaves the guest.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERSION "1"
#define SYNC "\0\0\0\0FLOE-SYNC-1\n"
#define SYNC_SIZE 16
#define MAX_FRAME (1 << 20)       /* no frame is longer: a larger length means that framing was lost */
#define CHUNK (32 << 10)          /* payload of one data frame */
#define OUTPUT_HIGH (512 << 10)   /* unsent bytes above which nothing more is read from commands and files */
#define STDIN_WINDOW (256 << 10)  /* bytes the host may send ahead of what a command has read */
#define MAX_STREAMS 256
#define DRAIN_MS 150              /* time left to whoever holds a finished command's output open */

enum {
  EPOCH = 0x01, HELLO = 0x02, PING = 0x03, PONG = 0x04,
  EXEC = 0x10, STDIN = 0x11, KILL = 0x12,
  STARTED = 0x20, STDOUT = 0x21, STDERR = 0x22, EXITED = 0x23, STDIN_READ = 0x24,
  PUT = 0x30, PUT_DATA = 0x31, PUT_END = 0x32, GET = 0x33, GET_DATA = 0x34, GET_END = 0x35,
  RESEED = 0x40, SET_CLOCK = 0x41, DONE = 0x50, FAILED = 0x51,
};
enum { END_EXITED = 0, END_SIGNALLED = 1, END_NOT_STARTED = 2 };

struct bytes { uint8_t *data; size_t start, end, room; };

/* FREE; a running command; a finished one whose output someone holds open; a file going in; a file going out */
enum kind { FREE, COMMAND, LINGERING, INCOMING, OUTGOING };
struct stream {
  enum kind kind;
  uint32_t id;
  pid_t pid;
  int in, out, err;          /* pipes of a command; `in` is also the file of a transfer */
  bool exited, in_ended;
  int status;
  int64_t started_us, exited_us;
  struct bytes input;
  char *path, *temporary;
};

static struct stream streams[MAX_STREAMS];
static struct bytes input, output;
static int port = -1;
static uint32_t epoch;
static bool synced, host_away;
static sigset_t original_mask;

static void die(const char *what) {
  fprintf(stderr, "floe-agent: cannot %s: %s\n", what, strerror(errno)), exit(1);
}

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- byte queues ---- */

static size_t queued(const struct bytes *b) { return b->end - b->start; }

static uint8_t *reserve(struct bytes *b, size_t size) {
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

static void append(struct bytes *b, const void *data, size_t size) {
  if (size == 0) return;
  memcpy(reserve(b, size), data, size);
  b->end += size;
}

static void drop(struct bytes *b) {
  free(b->data), memset(b, 0, sizeof *b);
}

static uint32_t get32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

static void put_number(struct bytes *b, uint64_t value, int size) {
  uint8_t raw[8];
  for (int i = 0; i < size; i++) raw[i] = value >> (8 * i);
  append(b, raw, size);
}

static void send_frame(uint8_t type, uint32_t stream, const void *payload, size_t size) {
  put_number(&output, size + 5, 4);
  put_number(&output, type, 1);
  put_number(&output, stream, 4);
  append(&output, payload, size);
}

static void send_number(uint8_t type, uint32_t stream, uint32_t value) {
  uint8_t raw[4] = {value, value >> 8, value >> 16, value >> 24};
  send_frame(type, stream, raw, 4);
}

static void send_failure(uint32_t stream, int error, const char *what, const char *name) {
  char text[512];
  memcpy(text, &error, 4);
  int size = snprintf(text + 4, sizeof text - 4, "cannot %s \"%s\": %s", what, name, strerror(error));
  send_frame(FAILED, stream, text, 4 + (size < 500 ? size : 500));
}

static void link_text(const char *path, char *to, size_t room) {
  ssize_t size = readlink(path, to, room - 1);
  to[size < 0 ? 0 : size] = 0;
}

static void send_hello(void) {
  char system[2048], profile[2048], boot_id[64] = "", *text;
  int generation = 0, fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t size = read(fd, boot_id, sizeof boot_id - 1);
    boot_id[size < 0 ? 0 : size] = 0;
    boot_id[strcspn(boot_id, "\n")] = 0;
    close(fd);
  }
  link_text("/run/booted-system", system, sizeof system);
  link_text("/nix/var/nix/profiles/system", profile, sizeof profile);
  sscanf(profile, "system-%d-link", &generation);
  int size = asprintf(&text, "version=%s\nepoch=%u\nboot_id=%s\nsystem=%s\ngeneration=%d\n", VERSION, epoch, boot_id,
                      system, generation);
  if (size < 0) die("say hello");
  append(&output, SYNC, SYNC_SIZE);
  send_frame(HELLO, 0, text, size);
  free(text);
}

/* ---- streams ---- */

static struct stream *find_stream(uint32_t id) {
  for (int i = 0; i < MAX_STREAMS; i++)
    if (streams[i].kind != FREE && streams[i].kind != LINGERING && streams[i].id == id) return &streams[i];
  return NULL;
}

static struct stream *new_stream(uint32_t id, enum kind kind) {
  if (find_stream(id)) { errno = EEXIST; return NULL; }
  for (int i = 0; i < MAX_STREAMS; i++)
    if (streams[i].kind == FREE) {
      streams[i] = (struct stream){.kind = kind, .id = id, .in = -1, .out = -1, .err = -1};
      return &streams[i];
    }
  errno = EMFILE;
  return NULL;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void free_stream(struct stream *s) {
  shut(&s->in), shut(&s->out), shut(&s->err);
  drop(&s->input);
  if (s->temporary) unlink(s->temporary);
  free(s->temporary), free(s->path);
  memset(s, 0, sizeof *s);
}

static void begin_epoch(uint32_t number) {
  for (int i = 0; i < MAX_STREAMS; i++) {
    struct stream *s = &streams[i];
    if (s->kind == FREE) continue;
    if (s->kind == COMMAND && !s->exited) kill(-s->pid, SIGKILL);
    free_stream(s);
  }
  drop(&output);
  epoch = number;
  send_hello();
}

/* ---- commands ---- */

/* Take the next NUL-terminated text of a payload; NULL when the payload ends first. */
static const char *next_text(const uint8_t **at, const uint8_t *end) {
  const uint8_t *stop = memchr(*at, 0, end - *at);
  if (!stop) return NULL;
  const char *text = (const char *)*at;
  *at = stop + 1;
  return text;
}

static const char **next_list(const uint8_t **at, const uint8_t *end) {
  if (end - *at < 4) return NULL;
  uint32_t count = get32(*at);
  *at += 4;
  if (count > (uint32_t)(end - *at)) return NULL;
  const char **list = calloc(count + 1, sizeof *list);
  if (!list) die("hold a list");
  for (uint32_t i = 0; i < count; i++)
    if (!(list[i] = next_text(at, end))) { free(list); return NULL; }
  return list;
}

static void child(const char **argv, const char **env, const char *cwd, int in, int out, int err, int trouble) {
  setsid();
  for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
  sigprocmask(SIG_SETMASK, &original_mask, NULL);
  dup2(in, 0), dup2(out, 1), dup2(err, 2);
  for (; *env; env++) putenv((char *)*env);
  if (!*cwd || chdir(cwd) == 0) execvp(argv[0], (char *const *)argv);
  int error = errno;
  if (write(trouble, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

static void send_end(struct stream *s, int kind, int value, bool held_open) {
  struct bytes b = {0};
  put_number(&b, kind, 1), put_number(&b, (uint32_t)value, 4);
  put_number(&b, s->exited_us - s->started_us, 8), put_number(&b, held_open, 1);
  send_frame(EXITED, s->id, b.data, queued(&b));
  drop(&b);
}

/* EXEC payload: list of arguments, list of NAME=value, working directory; lists are u32 count and NUL-terminated texts. */
static void start_command(uint32_t id, const uint8_t *at, const uint8_t *end) {
  const char **argv = next_list(&at, end), **env = next_list(&at, end), *cwd = next_text(&at, end);
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, trouble[2] = {-1, -1};
  struct stream *s = new_stream(id, COMMAND);
  int error = s ? 0 : errno;
  if (!argv || !argv[0] || !env || !cwd) error = EINVAL;
  if (!error && (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(trouble, O_CLOEXEC)))
    error = errno;
  if (!error) {
    s->started_us = s->exited_us = now_us();
    s->pid = fork();
    if (s->pid == 0) child(argv, env, cwd, in[0], out[1], err[1], trouble[1]);
    if (s->pid < 0) error = errno;
    shut(&trouble[1]);
    /* The pipe closes without a word at the moment the program starts. */
    int reason;
    if (!error && read(trouble[0], &reason, sizeof reason) == sizeof reason) {
      error = reason;
      waitpid(s->pid, NULL, 0);
    }
  }
  shut(&in[0]), shut(&out[1]), shut(&err[1]), shut(&trouble[0]), shut(&trouble[1]);
  if (error) {
    shut(&in[1]), shut(&out[0]), shut(&err[0]);
    struct stream none = {.id = id};
    send_end(s ? s : &none, END_NOT_STARTED, error, false);
    if (s) free_stream(s);
  } else {
    s->in = in[1], s->out = out[0], s->err = err[0];
    fcntl(s->in, F_SETFL, O_NONBLOCK), fcntl(s->out, F_SETFL, O_NONBLOCK), fcntl(s->err, F_SETFL, O_NONBLOCK);
    send_number(STARTED, id, s->pid);
  }
  free(argv), free(env);
}

/* Move what a command has written into frames; a lingering stream's bytes belong to nobody any more. */
static void read_output(struct stream *s, int *fd, uint8_t type) {
  uint8_t chunk[CHUNK];
  while (*fd >= 0 && (s->kind == LINGERING || queued(&output) < OUTPUT_HIGH)) {
    ssize_t size = read(*fd, chunk, sizeof chunk);
    if (size > 0 && s->kind == COMMAND) send_frame(type, s->id, chunk, size);
    else if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) shut(fd);
    else if (size < 0) return;
  }
}

static void write_input(struct stream *s) {
  if (s->in < 0) return;
  if (queued(&s->input)) {
    ssize_t size = write(s->in, s->input.data + s->input.start, queued(&s->input));
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    /* A command that stops reading still has its window acknowledged, so that the host can finish sending. */
    uint32_t taken = size < 0 ? queued(&s->input) : (uint32_t)size;
    s->input.start += taken;
    send_number(STDIN_READ, s->id, taken);
    if (size < 0) shut(&s->in);
  }
  if (s->in_ended && !queued(&s->input)) shut(&s->in);
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < MAX_STREAMS; i++)
      if (streams[i].kind == COMMAND && streams[i].pid == pid) {
        streams[i].exited = true;
        streams[i].status = status;
        streams[i].exited_us = now_us();
      }
}

/* Report a command that has exited once its output is drained, or once the time for draining is over. */
static void settle(struct stream *s) {
  if (s->kind == LINGERING && s->out < 0 && s->err < 0) free_stream(s);
  if (s->kind != COMMAND || !s->exited) return;
  read_output(s, &s->out, STDOUT);
  read_output(s, &s->err, STDERR);
  bool open = s->out >= 0 || s->err >= 0;
  if (open && (queued(&output) >= OUTPUT_HIGH || now_us() - s->exited_us < DRAIN_MS * 1000)) return;
  bool signalled = WIFSIGNALED(s->status);
  send_end(s, signalled ? END_SIGNALLED : END_EXITED, signalled ? WTERMSIG(s->status) : WEXITSTATUS(s->status), open);
  shut(&s->in);
  if (open) s->kind = LINGERING;
  else free_stream(s);
}

/* ---- files ---- */

/* PUT payload: u32 mode and the path. The file appears under its name when it is whole and synced. */
static void start_put(uint32_t id, const uint8_t *at, const uint8_t *end) {
  uint32_t mode = end - at >= 4 ? get32(at) : 0;
  at += end - at >= 4 ? 4 : 0;
  const char *path = next_text(&at, end);
  struct stream *s = path ? new_stream(id, INCOMING) : NULL;
  if (!s) return send_failure(id, path ? errno : EINVAL, "write", path ? path : "");
  s->path = strdup(path);
  if (asprintf(&s->temporary, "%s.floe-%u", path, id) < 0) die("name a file");
  s->in = open(s->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (s->in < 0 || fchmod(s->in, mode)) {
    send_failure(id, errno, "write", path);
    free_stream(s);
  }
}

static void put_data(struct stream *s, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    ssize_t size = write(s->in, at, end - at);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      send_failure(s->id, errno, "write", s->path);
      return free_stream(s);
    }
    at += size;
  }
}

static void put_end(struct stream *s) {
  if (fsync(s->in) || rename(s->temporary, s->path)) {
    send_failure(s->id, errno, "write", s->path);
  } else {
    send_frame(DONE, s->id, NULL, 0);
    free(s->temporary), s->temporary = NULL;
  }
  free_stream(s);
}

static void start_get(uint32_t id, const uint8_t *at, const uint8_t *end) {
  const char *path = next_text(&at, end);
  struct stream *s = path ? new_stream(id, OUTGOING) : NULL;
  if (!s) return send_failure(id, path ? errno : EINVAL, "read", path ? path : "");
  s->path = strdup(path);
  s->in = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  int error = s->in < 0 || fstat(s->in, &info) ? errno : S_ISDIR(info.st_mode) ? EISDIR : 0;
  if (error) {
    send_failure(id, error, "read", path);
    free_stream(s);
  }
}

static void continue_get(struct stream *s) {
  uint8_t chunk[CHUNK];
  while (queued(&output) < OUTPUT_HIGH) {
    ssize_t size = read(s->in, chunk, sizeof chunk);
    if (size > 0) { send_frame(GET_DATA, s->id, chunk, size); continue; }
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) send_failure(s->id, errno, "read", s->path);
    else {
      struct stat info;
      send_number(GET_END, s->id, fstat(s->in, &info) ? 0 : info.st_mode & 07777);
    }
    return free_stream(s);
  }
}

/* ---- the machine's own state ---- */

static void reseed(uint32_t id, const uint8_t *seed, size_t size) {
  int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  /* Without RNDRESEEDCRNG a generator copied with its machine goes on with the old key for minutes. */
  if (fd < 0 || write(fd, seed, size) != (ssize_t)size || ioctl(fd, RNDRESEEDCRNG)) send_failure(id, errno, "reseed", "/dev/urandom");
  else send_frame(DONE, id, NULL, 0);
  shut(&fd);
}

static void set_clock(uint32_t id, const uint8_t *at, size_t size) {
  if (size != 8) return send_failure(id, EINVAL, "set", "the clock");
  uint64_t ns = get32(at) | (uint64_t)get32(at + 4) << 32;
  struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  if (clock_settime(CLOCK_REALTIME, &t)) send_failure(id, errno, "set", "the clock");
  else send_frame(DONE, id, NULL, 0);
}

/* ---- frames ---- */

static void handle(uint8_t type, uint32_t id, const uint8_t *at, const uint8_t *end) {
  struct stream *s = find_stream(id);
  bool command = s && s->kind == COMMAND, incoming = s && s->kind == INCOMING;
  switch (type) {
    case EPOCH: if (end - at == 4) begin_epoch(get32(at)); break;
    case PING: send_frame(PONG, id, at, end - at); break;
    case EXEC: start_command(id, at, end); break;
    case STDIN:
      if (!command) break;
      if (at == end) s->in_ended = true;
      else if (queued(&s->input) + (end - at) <= STDIN_WINDOW) append(&s->input, at, end - at);
      write_input(s);
      break;
    case KILL: if (command && !s->exited && end - at == 4) kill(-s->pid, get32(at)); break;
    case PUT: start_put(id, at, end); break;
    case PUT_DATA: if (incoming) put_data(s, at, end); break;
    case PUT_END: if (incoming) put_end(s); break;
    case GET: start_get(id, at, end); break;
    case RESEED: reseed(id, at, end - at); break;
    case SET_CLOCK: set_clock(id, at, end - at); break;
    default: synced = false;
  }
}

static void take_frames(void) {
  while (queued(&input)) {
    uint8_t *at = input.data + input.start;
    size_t size = queued(&input);
    if (!synced || (size >= 4 && get32(at) == 0)) {
      uint8_t *found = memmem(at, size, SYNC, SYNC_SIZE);
      if (found) {
        input.start += found - at + SYNC_SIZE;
        synced = true;
        continue;
      }
      if (synced && size < SYNC_SIZE) return;
      synced = false;
      /* The mark may lie across two reads, so its longest possible beginning stays. */
      if (size >= SYNC_SIZE) input.start += size - (SYNC_SIZE - 1);
      return;
    }
    if (size < 4) return;
    uint32_t length = get32(at);
    if (length < 5 || length > MAX_FRAME) { synced = false; continue; }
    if (size < 4 + length) return;
    input.start += 4 + length;
    handle(at[4], get32(at + 5), at + 9, at + 4 + length);
  }
}

static void read_port(void) {
  for (int i = 0; i < 16; i++) {
    ssize_t size = read(port, reserve(&input, CHUNK), CHUNK);
    if (size > 0) { input.end += size; take_frames(); continue; }
    /* End of file means that nobody is connected on the host's side yet. */
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) host_away = true;
    return;
  }
}

static void write_port(void) {
  while (queued(&output)) {
    ssize_t size = write(port, output.data + output.start, queued(&output));
    if (size > 0) { output.start += size; continue; }
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) host_away = true;
    return;
  }
}

static int open_named(const char *name, int flags) {
  char path[512], found[300];
  snprintf(path, sizeof path, "/dev/virtio-ports/%s", name);
  int fd = open(path, flags);
  if (fd >= 0) return fd;
  /* The name is in sysfs before udev has run, and in a machine without udev. */
  DIR *directory = opendir("/sys/class/virtio-ports");
  struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%.200s/name", entry->d_name);
    FILE *file = fopen(path, "re");
    if (!file) continue;
    bool same = fgets(found, sizeof found, file) && (found[strcspn(found, "\n")] = 0, strcmp(found, name) == 0);
    fclose(file);
    if (!same) continue;
    snprintf(path, sizeof path, "/dev/%.200s", entry->d_name);
    fd = open(path, flags);
    break;
  }
  if (directory) closedir(directory);
  return fd;
}

/* A port can be opened once only, so it is opened for both directions and kept. */
static int wait_for_port(const char *name, int flags) {
  for (int tries = 0;; tries++) {
    int fd = open_named(name, flags);
    if (fd >= 0) return fd;
    if (tries == 50) fprintf(stderr, "floe-agent: still waiting for the port %s: %s\n", name, strerror(errno));
    usleep(100000);
  }
}

static void run(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, &original_mask);
  signal(SIGPIPE, SIG_IGN);
  int children = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
  if (children < 0) die("watch children");
  send_hello();
  for (;;) {
    static struct pollfd fds[3 * MAX_STREAMS + 2];
    int count = 0, timeout = -1;
    fds[count++] = (struct pollfd){.fd = children, .events = POLLIN};
    if (host_away) timeout = 50;
    else fds[count++] = (struct pollfd){.fd = port, .events = POLLIN | (queued(&output) ? POLLOUT : 0)};
    bool full = queued(&output) >= OUTPUT_HIGH;
    for (int i = 0; i < MAX_STREAMS; i++) {
      struct stream *s = &streams[i];
      if (s->kind == OUTGOING && !full) timeout = 0;
      if (s->kind != COMMAND && s->kind != LINGERING) continue;
      if (s->kind == COMMAND && s->exited && !full && timeout) timeout = 20;
      if (full && s->kind == COMMAND) continue;
      if (s->out >= 0) fds[count++] = (struct pollfd){.fd = s->out, .events = POLLIN};
      if (s->err >= 0) fds[count++] = (struct pollfd){.fd = s->err, .events = POLLIN};
      if (s->in >= 0 && queued(&s->input)) fds[count++] = (struct pollfd){.fd = s->in, .events = POLLOUT};
    }
    poll(fds, count, timeout);
    struct signalfd_siginfo info;
    while (read(children, &info, sizeof info) > 0) {}
    reap();
    /* A port whose host is away reports a hang-up for ever: look again after the pause above. */
    if (host_away) host_away = false;
    read_port();
    for (int i = 0; i < MAX_STREAMS; i++) {
      struct stream *s = &streams[i];
      if (s->kind == COMMAND || s->kind == LINGERING) {
        read_output(s, &s->out, STDOUT);
        read_output(s, &s->err, STDERR);
        if (s->kind == COMMAND) write_input(s);
        settle(s);
      } else if (s->kind == OUTGOING) continue_get(s);
    }
    write_port();
  }
}

int main(int argc, char **argv) {
  const char *name = "org.floe.agent.0";
  if (argc >= 4 && strcmp(argv[1], "--pipe") == 0) {
    int fd = wait_for_port(argv[2], O_RDWR | O_CLOEXEC);
    if (dup2(fd, 1) < 0) die("redirect the output");
    execvp(argv[3], argv + 3);
    die("run the command");
  }
  if (argc == 3 && strcmp(argv[1], "--name") == 0) name = argv[2];
  else if (argc == 3 && strcmp(argv[1], "--fd") == 0) {
    /* Whoever gave the descriptor owns this process. */
    port = atoi(argv[2]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(port, F_SETFL, O_NONBLOCK), fcntl(port, F_SETFD, FD_CLOEXEC);
  } else if (argc != 1) {
    fprintf(stderr, "usage: floe-agent [--name PORT] | --fd N | --pipe PORT COMMAND [ARGUMENT...]\n");
    return 2;
  }
  if (port < 0) port = wait_for_port(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  run();
}
