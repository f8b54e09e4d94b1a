#define _GNU_SOURCE
#include "idle-spaces.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "answers.h"
#include "own-space.h"

#define MAX_IDLE_NETWORKS 16
#define MAX_IDLE_USERS 16

/* A user name space no builder is in, and which user is 1000 in it. */
struct users {
  uint32_t uid, gid;
  int space;
};

static int idle_networks[MAX_IDLE_NETWORKS], idle_count;
static struct users idle_users[MAX_IDLE_USERS];
static int idle_users_count;

/* Whether the loop of the network name space we are in counted nothing, and there is nothing but the loop. */
static int has_silent_loop(void) {
  char text[4096];
  int fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size < 0 ? 0 : size] = 0;
  char *at = strstr(text, "lo:");
  if (at == NULL || strchr(at, '\n') == NULL || strchr(at, '\n')[1] != 0) return 0;
  at += 3;
  for (int i = 0; i < 16; i++)
    if (strtoull(at, &at, 10) != 0) return 0;
  return 1;
}

/* Nothing was ever sent in such a name space: no connection lingers in it, and it serves again. */
static int is_untouched(int network) {
  int untouched, status;
  if (is_root) {
    if (setns(network, CLONE_NEWNET) < 0) return 0;
    untouched = has_silent_loop();
    if (setns(own_network, CLONE_NEWNET) < 0) die("cannot return to our network");
    return untouched;
  }
  /* Who is not root could not return to the network of the host. */
  pid_t pid = fork();
  if (pid == 0) _exit(setns(network, CLONE_NEWNET) == 0 && has_silent_loop() ? 0 : 1);
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int take_network(void) { return idle_count > 0 ? idle_networks[--idle_count] : -1; }

void return_network(int network) {
  if (idle_count < MAX_IDLE_NETWORKS) idle_networks[idle_count++] = network;
  else close(network);
}

void recycle_network(int network) {
  if (idle_count < MAX_IDLE_NETWORKS && is_untouched(network)) idle_networks[idle_count++] = network;
  else close(network);
}

int take_users(uint32_t uid, uint32_t gid) {
  int found = 0;
  while (found < idle_users_count && (idle_users[found].uid != uid || idle_users[found].gid != gid)) found++;
  if (found == idle_users_count) return -1;
  int space = idle_users[found].space;
  idle_users[found] = idle_users[--idle_users_count];
  return space;
}

void keep_users(uint32_t uid, uint32_t gid, int space) {
  if (idle_users_count == MAX_IDLE_USERS) close(space);
  else idle_users[idle_users_count++] = (struct users){uid, gid, space};
}
