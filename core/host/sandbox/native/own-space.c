#define _GNU_SOURCE
#include "own-space.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first user and group, in our user name space, of the range we have there. */
#define FIRST_ID 65536u

int is_root, own_network;
uint32_t own_id;

int write_map(pid_t pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t written = write(fd, text, strlen(text));
  close(fd);
  return written < 0 ? -1 : 0;
}

/* Runs one of the programs that may say who we are in our user name space; 0 when it has. */
static int run_mapper(const char *program, const char *pid, const char *own, const char *first, const char *count) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    char inside[16];
    snprintf(inside, sizeof inside, "%u", FIRST_ID);
    char *const none[] = {NULL};
    execle(program, program, pid, "1", own, "1", inside, first, count, NULL, none);
    _exit(127);
  }
  return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

/* A process that stayed outside of our user name space has a range of users and groups mapped into it. */
static const char *take_range(char **range, uid_t uid, gid_t gid) {
  int channel[2], status;
  char pid[16], users[16], groups[16], go;
  snprintf(pid, sizeof pid, "%d", getpid());
  snprintf(users, sizeof users, "%u", uid);
  snprintf(groups, sizeof groups, "%u", gid);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return "cannot speak to a mapper";
  pid_t mapper = fork();
  if (mapper == 0) {
    close(channel[0]);
    /* What the programs say is not for our caller, who reads answers there. */
    dup2(2, 1);
    if (recv(channel[1], &go, 1, 0) != 1) _exit(1);
    if (run_mapper(range[1], pid, groups, range[3], range[4]) < 0) _exit(2);
    _exit(run_mapper(range[0], pid, users, range[2], range[4]) < 0 ? 3 : 0);
  }
  close(channel[1]);
  const char *refused = NULL;
  if (mapper < 0) refused = "cannot start a mapper";
  else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) refused = "cannot make a user name space";
  if (refused == NULL && send(channel[0], "g", 1, MSG_NOSIGNAL) != 1) refused = "cannot speak to a mapper";
  int error = errno;
  close(channel[0]);
  if (mapper > 0 && waitpid(mapper, &status, 0) == mapper && refused == NULL && status != 0) {
    error = EPERM;
    refused = WIFEXITED(status) && WEXITSTATUS(status) == 3 ? "newuidmap gives us no users" : "newgidmap gives us no groups";
  }
  errno = error;
  return refused;
}

static const char *keep_mounts(void) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return "cannot keep mounts to ourselves";
  own_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return own_network < 0 ? "cannot open the network name space" : NULL;
}

const char *prepare(char **range) {
  is_root = geteuid() == 0;
  uid_t uid = geteuid();
  gid_t gid = getegid();
  /* Root of a name space that may not leave its groups is no better than a user. */
  if (!is_root || setgroups(0, NULL) < 0 || unshare(CLONE_NEWNS) < 0) {
    char text[64];
    is_root = 0;
    own_id = 1;
    if (range != NULL) {
      const char *refused = take_range(range, uid, gid);
      if (refused != NULL) return refused;
      return keep_mounts();
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return "cannot make a user name space";
    if (write_map(getpid(), "setgroups", "deny") < 0) return "cannot set up the user name space";
    /* Not 0: what belongs to the root of a name space could be changed by builders, which are the same user. */
    snprintf(text, sizeof text, "1 %u 1", uid);
    if (write_map(getpid(), "uid_map", text) < 0) return "cannot set up the user name space";
    snprintf(text, sizeof text, "1 %u 1", gid);
    if (write_map(getpid(), "gid_map", text) < 0) return "cannot set up the user name space";
  }
  return keep_mounts();
}
