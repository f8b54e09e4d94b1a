/*
 * floe-sandbox attributes …: see attributes.c.
 *
 * floe-sandbox DIRECTORY [NEWUIDMAP NEWGIDMAP FIRST-UID FIRST-GID COUNT]: runs builders in sandboxes and keeps locks, for one process that talks to it by its standard
 * input and output.
 *
 * Node cannot make name spaces, mounts, terminals or locks, and each process it starts for these costs it milliseconds in
 * which it does nothing else. This program stays small and does them by system calls. It decides nothing: which files a
 * sandbox shows is said by the request (see ../plan.ts), in the same words from which bubblewrap's arguments are made.
 *
 * DIRECTORY is an empty one on which new roots are mounted; nobody outside sees that. The other words are for who is not root: two
 * programs that may give it a range of users and groups of its own. They are FIRST_ID and following in its user name space.
 *
 * A request: a length (32 bits, the machine's order), then words, each a length, its bytes, and a zero. The first word is
 * the verb, the second a number that the answers repeat:
 *   run ID …        see words.c
 *   kill ID         end every process of a run
 *   lock ID FILE    take the exclusive lock of FILE, which is made if missing, as Nix does; never waits
 *   unlock ID       mark the file of a lock as stale, remove it and give the lock back
 *   remove ID PATH  remove a tree; one after the other, by a process that has nothing else to do
 *   own ID UID GID PATH  give a tree to a user and a group, all below it as well; in the same line
 * An answer: a length, a letter, the number (32 bits), then
 *   h  ready; or, with text, not able to make sandboxes, and that is why
 *   s  the process number of a run that begins (32 bits)
 *   o  bytes the builder wrote
 *   e  the status it ended with (32 bits, as of wait()), the most memory one of its processes used (32 bits, KiB)
 *   f  errno (32 bits), then text: its sandbox could not be made
 *   x  errno (32 bits), then text: its program could not be run
 *   l  errno (32 bits), 0 when the lock is ours, EWOULDBLOCK when it is somebody else's
 *   d  errno (32 bits), 0 when the tree is gone, or has its new owner
 * When standard input ends, every builder is killed, every lock given back, every tree that was given to others taken back, and the
 * program ends.
 *
 * Name spaces: the program itself has its own mounts (and, unless it is root, a user name space in which it may mount).
 * A run is a process with new mount, process, IPC, host name and control group name spaces, and a network name space
 * that holds nothing but its own loop. When all is mounted it enters a user name space of its own, in which the build
 * user is 1000 and nobody else exists: no name space that the sandbox is made of belongs to the builder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "answers.h"
#include "attributes.h"
#include "locks.h"
#include "mounts.h"
#include "own-space.h"
#include "runs.h"
#include "spare.h"
#include "system.h"
#include "trees.h"
#include "words.h"

#define MAX_REQUEST (64 << 20)

static struct buffer in;

static void obey(char *data, size_t size) {
  size_t count;
  char **words = split_words(data, size, &count);
  if (count < 2) exit(2);
  uint32_t id = strtoul(words[1], NULL, 10);
  if (is(words[0], "run")) start_run(id, words + 2, count - 2, data, size);
  else if (is(words[0], "kill")) kill_run(id);
  else if (is(words[0], "lock") && count == 3) take_lock(id, words[2]);
  else if (is(words[0], "remove") && count == 3) remove_later(id, words[2]);
  else if (is(words[0], "own") && count == 5) own_later(id, words[2], words[3], words[4]);
  else if (is(words[0], "unlock")) give_lock_back(id);
  else exit(2);
  free(words);
}

static _Noreturn void end(void) {
  end_runs();
  take_trees_back();
  give_all_locks_back();
  exit(0);
}

/* False at the end of the requests. */
static int read_requests(void) {
  char *place = reserve(&in, 65536);
  ssize_t size = read(0, place, 65536);
  if (size == 0) return 0;
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  in.end += size;
  for (;;) {
    uint32_t length;
    size_t held = in.end - in.start;
    if (held < 4) return 1;
    memcpy(&length, in.data + in.start, 4);
    if (length > MAX_REQUEST) exit(2);
    if (held - 4 < length) {
      reserve(&in, length + 4 - held);
      return 1;
    }
    obey(in.data + in.start + 4, length);
    in.start += 4 + length;
  }
}

int main(int count, char **args) {
  if (count >= 4 && strcmp(args[1], "attributes") == 0) return attributes(args + 2);
  if (count != 2 && count != 7) {
    fprintf(stderr, "usage: floe-sandbox DIRECTORY [NEWUIDMAP NEWGIDMAP FIRST-UID FIRST-GID COUNT], or floe-sandbox attributes list|strip PATH IGNORED...\n");
    return 2;
  }
  new_root = args[1];
  /* Standard input, output and errors apart, nothing of our caller's is ours. */
  syscall(SYS_close_range, 3, ~0U, 0);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) die("cannot wait for signals");
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK);
  const char *refused = prepare(count == 7 ? args + 2 : NULL);
  char text[256] = "";
  if (refused != NULL) snprintf(text, sizeof text, "%s: %s", refused, strerror(errno));
  answer('h', is_root, text, strlen(text));
  struct pollfd *polled = NULL;
  size_t room = 0;
  for (;;) {
    size_t known = 5;
    for (struct run *run = runs; run != NULL; run = run->next) known += 2;
    if (known > room && (polled = realloc(polled, (room = known * 2) * sizeof *polled)) == NULL) die("memory");
    int is_behind = out.end - out.start > ENOUGH;
    polled[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = out.end > out.start ? 1 : -1, .events = POLLOUT};
    polled[2] = (struct pollfd){.fd = signals, .events = POLLIN};
    polled[3] = (struct pollfd){.fd = spare_channel(), .events = POLLIN};
    polled[4] = (struct pollfd){.fd = remover_channel(), .events = POLLIN};
    known = 5;
    for (struct run *run = runs; run != NULL; run = run->next) {
      polled[known++] = (struct pollfd){.fd = run->channel, .events = POLLIN};
      polled[known++] = (struct pollfd){.fd = is_behind || run->silent ? -1 : run->terminal, .events = POLLIN};
    }
    if (poll(polled, known, -1) < 0 && errno != EINTR) die("cannot wait");
    known = 5;
    for (struct run *run = runs; run != NULL; run = run->next, known += 2) {
      if (polled[known].revents != 0) hear(run);
      if (polled[known + 1].revents != 0) read_output(run);
    }
    if (polled[3].revents != 0) hear_spare();
    if (polled[4].revents != 0) hear_remover();
    if (polled[2].revents != 0) {
      struct signalfd_siginfo info[8];
      while (read(signals, info, sizeof info) > 0) {
      }
      reap();
    }
    tell_ends();
    /* The list of what was polled is old now: new runs may begin. */
    if (polled[0].revents != 0 && !read_requests()) end();
    if (!write_answers()) end();
    take_down_ended();
  }
}
