/*
 * A library that is loaded into QEMU before others (LD_PRELOAD), and lets it be copied by fork(): what it has translated of its guest's
 * code, the guest's memory and all devices are there in the copy, at no cost until somebody writes to them.
 *
 * FLOE_QEMU_FORKS names a unix socket on which the owner listens; without it nothing happens. The owner stops the machine and sees that nothing is on
 * its way to it or from it; then it asks, in words that each end with a zero, and an empty one after the last:
 *   fork ID FROM TO FROM TO …   make a copy; what is open as FROM shall be TO there: names of files that can be written to, of sockets to which QEMU
 *                               is connected, and "stderr", whose TO is a socket
 *   kill ID                     end a copy, if it runs still
 * It answers in lines:
 *   ready                       once
 *   forked ID PID               the copy goes on, with a machine that is stopped as well
 *   refused ID WORDS            there is no copy, and that is why
 *   ended ID exit STATUS, ended ID signal NUMBER
 * Copies end with this process, and this process when the owner closes the socket.
 *
 * Memory of the C library is not used here: while threads stand, one of them might have its locks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "descriptors.h"
#include "system.h"
#include "threads.h"

#define SOCKET_VARIABLE "FLOE_QEMU_FORKS"
#define MAX_COPIES 512
#define MAX_EXCHANGES 64
/* How long a copy is given to begin, which is a matter of some milliseconds: what it connects to might not take it. */
#define BEGIN_MS 10000
#define MAX_WORDS (2 + 2 * MAX_EXCHANGES)

static int is_active;
static int owner = -1;
/* Where a copy says that it is made, or why not. */
static int report = -1;
static pid_t parent;
static char request[1 << 16];
static size_t request_size;

static struct copy {
  char id[24];
  pid_t pid;
} copies[MAX_COPIES];
/* The owner's socket, then one descriptor for each copy. */
static struct pollfd watched[1 + MAX_COPIES];
static int copy_count;

/* QEMU tells the kernel that a fork shall not have the guest's memory. */
int madvise(void *address, size_t size, int advice) {
  if (is_active && advice == MADV_DONTFORK) return 0;
  return syscall(SYS_madvise, address, size, advice);
}

/* Threads of QEMU block all signals; the one by which they stand gets through. Source: pthread_sigmask(3), nptl(7) for the first two. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  uint64_t mask = 0, before = 0;
  if (set != NULL) {
    memcpy(&mask, set, sizeof mask);
    if (how != SIG_UNBLOCK) mask &= ~((uint64_t)3 << 31);
    if (how != SIG_UNBLOCK && is_active) mask &= ~((uint64_t)1 << (STAND_SIGNAL - 1));
  }
  if (syscall(SYS_rt_sigprocmask, how, set == NULL ? NULL : &mask, old == NULL ? NULL : &before, sizeof mask) != 0) return errno;
  if (old != NULL) {
    sigemptyset(old);
    memcpy(old, &before, sizeof before);
  }
  return 0;
}

/* QEMU opens its disks again under the names that it knows, when it has written down a machine's state for instance. */
int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
    va_list values;
    va_start(values, flags);
    mode = va_arg(values, mode_t);
    va_end(values);
  }
  return syscall(SYS_openat, AT_FDCWD, meant(path), flags, mode);
}

/* The same without a mode, as glibc's headers make of it where they check calls. */
int __open64_2(const char *path, int flags) { return open64(path, flags); }

static void say(const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  int size = vsnprintf(text, sizeof text - 1, format, values);
  va_end(values);
  if (size > (int)sizeof text - 2) size = sizeof text - 2;
  for (int i = 0; i < size; i++)
    if (text[i] == '\n') text[i] = ' ';
  text[size++] = '\n';
  for (int at = 0; at < size;) {
    ssize_t part = send(owner, text + at, size - at, MSG_NOSIGNAL);
    if (part < 0 && errno != EINTR) _exit(1);
    if (part > 0) at += part;
  }
}

/* In the copy, as its only thread. */
static void begin_copy(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  setsid();
  const char *fault = remake_descriptors();
  if (fault == NULL) return;
  dprintf(report, "%s: %s", fault, strerror(errno));
  _exit(1);
}

static void copy_done(void) {
  send(report, "", 1, MSG_NOSIGNAL);
  close(report);
}

/* What cannot be given to a copy and is no descriptor. */
static const char *shared_otherwise(void) {
  static char text[1 << 20], words[400];
  if (read_whole("/proc/self/timers", text, sizeof text) > 0) return "it has timers of the kernel";
  if (read_whole("/proc/self/maps", text, sizeof text) < 0) return "its memory cannot be looked at";
  for (char *line = text, *next; *line != 0; line = next) {
    next = strchr(line, '\n');
    if (next == NULL) next = line + strlen(line);
    else *next++ = 0;
    /* START-END rwxs OFFSET DEVICE INODE NAME */
    const char *flags = strchr(line, ' ');
    if (flags == NULL || flags[2] != 'w' || flags[4] != 's') continue;
    snprintf(words, sizeof words, "it shares memory: %.300s", line);
    return words;
  }
  return NULL;
}

static pid_t make_copy(const struct exchange *exchanges, int count, char *why, size_t room) {
  int ends[2];
  why[0] = 0;
  if (copy_count == MAX_COPIES) {
    snprintf(why, room, "there are %d already", copy_count);
    return -1;
  }
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    snprintf(why, room, "%s", strerror(errno));
    return -1;
  }
  /* A copy closes our end at once, and its own when it is made. */
  own_descriptor(ends[0]);
  report = ends[1];
  pid_t pid = -1;
  const char *fault = stop_threads();
  if (fault == NULL) {
    fault = shared_otherwise();
    if (fault == NULL) fault = plan_descriptors(exchanges, count, report);
    if (fault == NULL) {
      pid = fork_stopped(begin_copy, copy_done);
      if (pid < 0) fault = strerror(errno);
    }
    release_threads();
  }
  close(ends[1]);
  if (fault != NULL) snprintf(why, room, "%s", fault);
  else {
    struct pollfd said = {ends[0], POLLIN, 0};
    int is_late = poll(&said, 1, BEGIN_MS) == 0;
    ssize_t size = is_late ? 0 : read(ends[0], why, room - 1);
    if (size < 0) size = 0;
    why[size] = 0;
    if (size != 1 || why[0] != 0) {
      if (is_late) snprintf(why, room, "the copy does not begin");
      else if (size == 0) snprintf(why, room, "the copy ended before it was made");
      kill(pid, SIGKILL);
      waitpid(pid, NULL, 0);
      pid = -1;
    }
  }
  disown_descriptor(ends[0]);
  close(ends[0]);
  return pid;
}

/* Only a copy that was not reaped has its number for sure. */
static void kill_copy(const char *id) {
  for (int i = 0; i < copy_count; i++)
    if (strcmp(copies[i].id, id) == 0 && kill(-copies[i].pid, SIGKILL) != 0) kill(copies[i].pid, SIGKILL);
}

static void obey(char **words, int count) {
  static struct exchange exchanges[MAX_EXCHANGES];
  static char why[700];
  if (count < 2 || count % 2 != 0 || strlen(words[1]) >= sizeof copies[0].id) _exit(2);
  if (strcmp(words[0], "kill") == 0 && count == 2) return kill_copy(words[1]);
  if (strcmp(words[0], "fork") != 0) _exit(2);
  int pairs = 0;
  for (int i = 2; i < count; i += 2) exchanges[pairs++] = (struct exchange){words[i], words[i + 1]};
  pid_t pid = make_copy(exchanges, pairs, why, sizeof why);
  if (pid < 0) {
    say("refused %s %s", words[1], why);
    return;
  }
  int fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) {
    say("refused %s its end cannot be watched: %s", words[1], strerror(errno));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return;
  }
  own_descriptor(fd);
  struct copy *copy = &copies[copy_count];
  strcpy(copy->id, words[1]);
  copy->pid = pid;
  watched[++copy_count] = (struct pollfd){fd, POLLIN, 0};
  say("forked %s %d", copy->id, pid);
}

/* The words at the beginning of what has arrived, up to an empty one, and the bytes they take; 0 while that is missing. */
static size_t split_request(char **words, int *count) {
  size_t at = 0;
  for (*count = 0;; (*count)++) {
    char *word = request + at, *end = memchr(word, 0, request_size - at);
    if (end == NULL) return 0;
    at = end + 1 - request;
    if (end == word) return at;
    if (*count == MAX_WORDS) _exit(2);
    words[*count] = word;
  }
}

static void take(void) {
  static char *words[MAX_WORDS];
  ssize_t size = read(owner, request + request_size, sizeof request - request_size);
  if (size < 0 && errno == EINTR) return;
  /* The owner is gone; or the request is too large, so that there was no room for more. */
  if (size <= 0) _exit(size == 0 ? 0 : 1);
  request_size += size;
  int count;
  for (size_t used; (used = split_request(words, &count)) != 0; request_size -= used) {
    obey(words, count);
    memmove(request, request + used, request_size - used);
  }
}

/* The end of a copy; the last one takes its place. */
static void reap(int index) {
  struct copy *copy = &copies[index];
  int status;
  if (waitpid(copy->pid, &status, WNOHANG) != copy->pid) return;
  if (WIFSIGNALED(status)) say("ended %s signal %d", copy->id, WTERMSIG(status));
  else say("ended %s exit %d", copy->id, WEXITSTATUS(status));
  disown_descriptor(watched[1 + index].fd);
  close(watched[1 + index].fd);
  copy_count--;
  *copy = copies[copy_count];
  watched[1 + index] = watched[1 + copy_count];
}

static void *serve(void *unused) {
  watched[0] = (struct pollfd){owner, POLLIN, 0};
  say("ready");
  for (;;) {
    if (poll(watched, 1 + copy_count, -1) < 0) continue;
    for (int i = copy_count - 1; i >= 0; i--)
      if (watched[1 + i].revents != 0) reap(i);
    if (watched[0].revents != 0) take();
  }
  return unused;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv(SOCKET_VARIABLE);
  if (path == NULL) return;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  pthread_t thread;
  sigset_t all;
  if (strlen(path) >= sizeof address.sun_path) return;
  strcpy(address.sun_path, path);
  unsetenv(SOCKET_VARIABLE);
  unsetenv("LD_PRELOAD");
  note_inherited();
  owner = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (owner < 0 || connect(owner, (struct sockaddr *)&address, sizeof address) != 0) return;
  own_descriptor(owner);
  parent = getpid();
  prepare_threads();
  /* Signals of the process are for QEMU's threads; this one has none but its own. */
  sigfillset(&all);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &all, &before);
  is_active = pthread_create(&thread, NULL, serve, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}
