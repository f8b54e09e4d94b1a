/* Conditions that are waited for inside the guest: a path, a listening port or socket, a process. */
#include "agent.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing tells of these, so they are looked at: cheap files of the kernel often, all processes less so. */
#define LOOK_AT_SOCKETS_MS 50
#define LOOK_AT_PROCESSES_MS 200
/* File systems of other machines and of the kernel tell nothing of what changes in them. */
#define LOOK_AT_PATH_MS 1000

struct watch {
  char *kind, *what, *extra;
  bool gone;          /* waits for the end of it */
  int inotify, mark;
  int64_t due_us;
  char seen[512];
};

void free_watch(struct watch *w) {
  free(w->kind), free(w->what), free(w->extra), free(w);
}

static const char *type_name(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  if (S_ISSOCK(mode)) return "socket";
  if (S_ISFIFO(mode)) return "fifo";
  return S_ISLNK(mode) ? "symlink" : "device";
}

/* Whether the path is there and of the kind that is asked for, through links except where one is asked for. */
static bool look_at_path(struct watch *w, char *seen, size_t room) {
  struct stat info;
  int missing = strcmp(w->extra, "symlink") == 0 ? lstat(w->what, &info) : stat(w->what, &info);
  if (missing) {
    int error = errno;
    /* What came between the two looks is no link: the next look finds it. */
    bool is_link = lstat(w->what, &info) == 0 && S_ISLNK(info.st_mode);
    snprintf(seen, room, "%s", is_link ? "a link to nothing" : strerror(error));
    return false;
  }
  const char *type = type_name(info.st_mode);
  snprintf(seen, room, "a %s is there", type);
  return w->gone || w->extra[0] == 0 || strcmp(type, w->extra) == 0;
}

/* Ask to be told of the deepest directory on the way that exists. */
static void mark_path(struct watch *w) {
  char path[4096];
  snprintf(path, sizeof path, "%s", w->what);
  if (w->mark >= 0) inotify_rm_watch(w->inotify, w->mark);
  uint32_t events = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR;
  do {
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = 0;
    w->mark = inotify_add_watch(w->inotify, path, events);
  } while (w->mark < 0 && path[1]);
}

/* An address as the kernel's tables show it: the words of an IPv4 or IPv6 address in the processor's own order. */
static void table_address(const char *text, char *to, size_t room) {
  uint32_t words[4];
  if (inet_pton(AF_INET, text, words) == 1) snprintf(to, room, "%08X", words[0]);
  else if (inet_pton(AF_INET6, text, words) == 1) snprintf(to, room, "%08X%08X%08X%08X", words[0], words[1], words[2], words[3]);
  else to[0] = 0;
}

/* Whether a table has a socket that takes what is sent to this address: its own, or any. */
static bool in_table(const char *table, const char *state, const char *address, unsigned port, char *seen, size_t room) {
  char line[512], local[64], remote[64], have[16];
  unsigned at;
  bool found = false;
  FILE *file = fopen(table, "re");
  while (!found && file && fgets(line, sizeof line, file)) {
    if (sscanf(line, " %*[0-9]: %32[0-9A-F]:%x %63s %15s", local, &at, remote, have) != 4) continue;
    if (at != port || strcmp(have, state) != 0) continue;
    bool any = strspn(local, "0") == strlen(local);
    /* A socket of IPv6 for any address takes IPv4 too, as an address that is mapped. */
    bool mapped = strlen(address) == 8 && strlen(local) == 32 && strcmp(local + 24, address) == 0;
    found = any || mapped || strcmp(local, address) == 0;
    if (!found) snprintf(seen, room, "the port is open at another address only");
  }
  if (file) fclose(file);
  return found;
}

static bool look_at_port(struct watch *w, char *seen, size_t room) {
  bool udp = strcmp(w->kind, "udp") == 0;
  char address[64];
  table_address(w->extra, address, sizeof address);
  snprintf(seen, room, "nobody listens on port %s of %s", w->what, w->extra);
  const char *state = udp ? "07" : "0A";
  unsigned port = atoi(w->what);
  bool six = in_table(udp ? "/proc/net/udp6" : "/proc/net/tcp6", state, address, port, seen, room);
  bool four = strlen(address) == 8 && in_table(udp ? "/proc/net/udp" : "/proc/net/tcp", state, address, port, seen, room);
  if (six || four) snprintf(seen, room, "port %s of %s is open", w->what, w->extra);
  return six || four;
}

/* A socket in the file system that accepts connections, or takes datagrams. */
static bool look_at_socket(struct watch *w, char *seen, size_t room) {
  char line[4096], path[4096];
  unsigned flags, type;
  bool found = false;
  FILE *file = fopen("/proc/net/unix", "re");
  while (!found && file && fgets(line, sizeof line, file))
    if (sscanf(line, "%*s %*s %*s %x %x %*s %*s %4095[^\n]", &flags, &type, path) == 3)
      found = strcmp(path, w->what) == 0 && (flags & 0x10000 || type == 2);
  if (file) fclose(file);
  struct stat info;
  snprintf(seen, room, "%s", found ? "somebody listens" : stat(w->what, &info) ? strerror(errno) : "nobody listens there");
  return found;
}

/* The command line of a process, its arguments apart by spaces, has the text in it. */
static bool look_at_processes(struct watch *w, char *seen, size_t room) {
  char path[64], line[8192];
  bool found = false;
  DIR *directory = opendir("/proc");
  struct dirent *entry;
  while (!found && directory && (entry = readdir(directory))) {
    if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    if (size <= 0) continue;
    for (ssize_t i = 0; i < size; i++)
      if (line[i] == 0) line[i] = ' ';
    line[size] = 0;
    found = strstr(line, w->what) != NULL;
    if (found) snprintf(seen, room, "process %s runs", entry->d_name);
  }
  if (directory) closedir(directory);
  if (!found) snprintf(seen, room, "no process has that in its command line");
  return found;
}

/* Look once. Returns after how many milliseconds to look again; -1 when the stream is done. */
static int look(struct stream *s) {
  struct watch *w = s->watch;
  char seen[sizeof w->seen] = "";
  int pause = LOOK_AT_SOCKETS_MS;
  bool there;
  if (strcmp(w->kind, "path") == 0) {
    mark_path(w);
    there = look_at_path(w, seen, sizeof seen);
    pause = LOOK_AT_PATH_MS;
  } else if (strcmp(w->kind, "unix") == 0) there = look_at_socket(w, seen, sizeof seen);
  else if (strcmp(w->kind, "process") == 0) there = look_at_processes(w, seen, sizeof seen), pause = LOOK_AT_PROCESSES_MS;
  else there = look_at_port(w, seen, sizeof seen);
  if (there != w->gone) {
    send_frame(DONE, s->id, NULL, 0);
    free_stream(s);
    return -1;
  }
  if (strcmp(seen, w->seen) != 0) send_frame(SEEN, s->id, seen, strlen(seen));
  memcpy(w->seen, seen, sizeof seen);
  w->due_us = now_us() + pause * 1000;
  return pause;
}

/* WATCH payload: kind (path, tcp, udp, unix, process), what, extra (the type of a path, the address of a port), u8 gone. */
void start_watch(uint32_t id, struct reader r) {
  const char *kind = take_text(&r), *what = take_text(&r), *extra = take_text(&r);
  bool gone = take_number(&r, 1), path = kind && strcmp(kind, "path") == 0;
  struct stream *s = extra ? new_stream(id, WATCHING) : NULL;
  if (!s) return send_failure(id, extra ? errno : EINVAL, "watch", what ? what : "");
  s->watch = calloc(1, sizeof *s->watch);
  if (!s->watch) die("hold a watch");
  *s->watch = (struct watch){strdup(kind), strdup(what), strdup(extra), gone, -1, -1, 0, ""};
  bool known = path || strcmp(kind, "tcp") == 0 || strcmp(kind, "udp") == 0 || strcmp(kind, "unix") == 0 || strcmp(kind, "process") == 0;
  if (!known || (path && what[0] != '/')) {
    send_failure(id, EINVAL, "watch", what);
    return free_stream(s);
  }
  if (path) s->out = s->watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  look(s);
}

/* Returns after how many milliseconds to look again; -1 when there is nothing more to look at. */
int continue_watch(struct stream *s) {
  char events[4096];
  bool told = false;
  while (s->out >= 0 && read(s->out, events, sizeof events) > 0) told = true;
  int64_t left = s->watch->due_us - now_us();
  if (!told && left > 0) return left / 1000 + 1;
  return look(s);
}
