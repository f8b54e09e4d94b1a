/*
 * Counters and signal descriptors are made anew, sockets connected anew to where the copy's owner listens, files opened anew under the names the
 * copy has for them. What is only read, and what the owner names twice, stays shared: QEMU reads and writes at places it says itself.
 * Whatever is not known here is a reason not to fork.
 */
#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include "system.h"

#define MAX_DESCRIPTORS 1024
#define MAX_OWN 1024

enum kind { CLOSED, COUNTER, SIGNALS, SOCKET, OPENED };

struct step {
  int fd;
  enum kind kind;
  /* Of the descriptor (O_CLOEXEC), and of what is open. */
  int closes, flags;
  /* A counter's value, or a set of signals. */
  uint64_t value;
  int is_semaphore;
  int socket_type;
  const char *path;
};

static struct step steps[MAX_DESCRIPTORS];
static int step_count;
static int own[MAX_OWN];
static int own_count;
static const struct exchange *exchanges;
static int exchange_count;
static int excepted;
static int is_copy;
static char reason[600];

static struct inherited {
  int fd;
  dev_t device;
  ino_t inode;
} inherited[MAX_DESCRIPTORS];
static int inherited_count;

/* Files, sockets and pipes: what has no number of its own is made by libraries of QEMU. */
static int inherit(long fd) {
  struct stat stat;
  if (fd <= 2 || fstat(fd, &stat) != 0 || inherited_count == MAX_DESCRIPTORS) return 0;
  if (!S_ISREG(stat.st_mode) && !S_ISSOCK(stat.st_mode) && !S_ISFIFO(stat.st_mode)) return 0;
  inherited[inherited_count++] = (struct inherited){fd, stat.st_dev, stat.st_ino};
  return 0;
}

void note_inherited(void) { each_number("/proc/self/fd", inherit); }

static int is_inherited(int fd) {
  struct stat stat;
  for (int i = 0; i < inherited_count; i++)
    if (inherited[i].fd == fd)
      return fstat(fd, &stat) == 0 && stat.st_dev == inherited[i].device && stat.st_ino == inherited[i].inode;
  return 0;
}

void own_descriptor(int fd) {
  if (own_count < MAX_OWN) own[own_count++] = fd;
}

void disown_descriptor(int fd) {
  for (int i = 0; i < own_count; i++)
    if (own[i] == fd) own[i--] = own[--own_count];
}

static int is_own(int fd) {
  for (int i = 0; i < own_count; i++)
    if (own[i] == fd) return 1;
  return 0;
}

static const char *exchanged(const char *name) {
  for (int i = 0; i < exchange_count; i++)
    if (strcmp(exchanges[i].from, name) == 0) return exchanges[i].to;
  return NULL;
}

/* A field of /proc/self/fdinfo/FD, in hexadecimal. */
static int read_field(int fd, const char *name, uint64_t *value) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  if (read_whole(path, text, sizeof text) < 0) return 0;
  const char *at = strstr(text, name);
  if (at == NULL) return 0;
  *value = strtoull(at + strlen(name), NULL, 16);
  return 1;
}

static int refuse(int fd, const char *what) {
  snprintf(reason, sizeof reason, "descriptor %d is %s", fd, what);
  return -1;
}

static int plan_socket(struct step *step) {
  struct sockaddr_un peer;
  socklen_t size = sizeof peer - 1, type_size = sizeof step->socket_type;
  memset(&peer, 0, sizeof peer);
  if (getpeername(step->fd, (struct sockaddr *)&peer, &size) != 0 || peer.sun_family != AF_UNIX || peer.sun_path[0] == 0)
    return refuse(step->fd, "a socket that leads to no name");
  step->path = exchanged(peer.sun_path);
  if (step->path == NULL) {
    char what[200];
    snprintf(what, sizeof what, "a socket that leads to \"%s\", for which no other was named", peer.sun_path);
    return refuse(step->fd, what);
  }
  getsockopt(step->fd, SOL_SOCKET, SO_TYPE, &step->socket_type, &type_size);
  step->kind = SOCKET;
  return 1;
}

/* 0 for what may be shared, 1 for what is remade. */
static int plan_file(struct step *step, const char *target) {
  struct stat stat;
  if (fstat(step->fd, &stat) != 0) return refuse(step->fd, "gone");
  if (S_ISCHR(stat.st_mode) && major(stat.st_rdev) == 1) return 0;
  if (S_ISREG(stat.st_mode)) {
    const char *path = exchanged(target);
    if ((step->flags & O_ACCMODE) == O_RDONLY && path == NULL) return 0;
    if (path != NULL && strcmp(path, target) == 0) return 0;
    if (path != NULL) {
      step->path = path;
      step->kind = OPENED;
      return 1;
    }
  }
  char what[400];
  snprintf(what, sizeof what, "\"%.300s\", for which nothing was named", target);
  return refuse(step->fd, what);
}

static int plan_descriptor(long fd) {
  if (fd == excepted || is_inherited(fd)) return 0;
  if (step_count == MAX_DESCRIPTORS) return refuse(fd, "one too many");
  struct step *step = &steps[step_count];
  memset(step, 0, sizeof *step);
  step->fd = fd;
  char link[64], target[512];
  snprintf(link, sizeof link, "/proc/self/fd/%ld", fd);
  ssize_t size = readlink(link, target, sizeof target - 1);
  if (size < 0) return errno == ENOENT ? 0 : refuse(fd, "not to be looked at");
  target[size] = 0;
  step->closes = (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  step->flags = fcntl(fd, F_GETFL);
  int said = 1;
  uint64_t semaphore = 0;
  if (is_own(fd)) step->kind = CLOSED;
  else if (fd == 2 && exchanged(STANDARD_ERROR) != NULL) {
    step->kind = SOCKET;
    step->socket_type = SOCK_STREAM;
    step->path = exchanged(STANDARD_ERROR);
  } else if (strcmp(target, "anon_inode:[eventfd]") == 0) {
    step->kind = COUNTER;
    if (!read_field(fd, "eventfd-count:", &step->value)) return refuse(fd, "a counter that does not tell its value");
    if (read_field(fd, "eventfd-semaphore:", &semaphore) && semaphore != 0) step->is_semaphore = 1;
  } else if (strcmp(target, "anon_inode:[signalfd]") == 0) {
    step->kind = SIGNALS;
    if (!read_field(fd, "sigmask:", &step->value)) return refuse(fd, "of signals that are not told");
  } else if (strncmp(target, "socket:", 7) == 0) said = plan_socket(step);
  else said = plan_file(step, target);
  if (said > 0) step_count++;
  return said;
}

const char *plan_descriptors(const struct exchange *given, int count, int except) {
  exchanges = given;
  exchange_count = count;
  excepted = except;
  step_count = 0;
  reason[0] = 0;
  if (each_number("/proc/self/fd", plan_descriptor) >= 0) return NULL;
  return reason[0] == 0 ? "its descriptors cannot be listed" : reason;
}

static int connect_to(const struct step *step) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(step->path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, step->path);
  int fd = socket(AF_UNIX, step->socket_type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int remake(const struct step *step) {
  switch (step->kind) {
    case COUNTER: {
      int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | (step->is_semaphore ? EFD_SEMAPHORE : 0));
      if (fd >= 0 && step->value != 0 && write(fd, &step->value, sizeof step->value) < 0) return -1;
      return fd;
    }
    case SIGNALS:
      return syscall(SYS_signalfd4, -1, &step->value, sizeof step->value, SFD_CLOEXEC);
    case SOCKET:
      return connect_to(step);
    default:
      return open(step->path, O_CLOEXEC | (step->flags & (O_ACCMODE | O_DIRECT | O_DSYNC | O_SYNC | O_NOATIME)));
  }
}

const char *meant(const char *name) {
  const char *other = is_copy ? exchanged(name) : NULL;
  return other == NULL ? name : other;
}

const char *remake_descriptors(void) {
  is_copy = 1;
  for (int i = 0; i < step_count; i++) {
    const struct step *step = &steps[i];
    if (step->kind == CLOSED) {
      close(step->fd);
      continue;
    }
    int fd = remake(step);
    if (fd < 0 || dup3(fd, step->fd, step->closes) < 0 || fcntl(step->fd, F_SETFL, step->flags) < 0) {
      snprintf(reason, sizeof reason, "descriptor %d (%.300s) cannot be made anew", step->fd, step->path == NULL ? "no file" : step->path);
      return reason;
    }
    close(fd);
  }
  return NULL;
}
